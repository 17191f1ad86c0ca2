//! Golden values by NumPy: tests/golden/selection_selectors.py.

use pairgate::select::clusters::{self, Complexity, prune};
use pairgate::select::duplicates::stay;
use pairgate::select::entries::{Entries, tail_threshold};
use pairgate::select::quota::{Group, solve};
use pairgate::select::ranks::ranks;
use pairgate::select::sources::{self, share};
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/selection/selectors.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all[name].clone()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect()
}

fn close(found: &[f64], wanted: &[f64], within: f64) {
    assert_eq!(found.len(), wanted.len());
    let off = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= within, "off by {off}: {found:?}, not {wanted:?}");
}

#[test]
fn quotas() {
    for case in golden("quotas").as_array().unwrap() {
        let bounds = counts(&case["least"]).into_iter().zip(counts(&case["most"]));
        let group = |(share, (least, most))| Group { share, least, most };
        let groups: Vec<Group> =
            floats(&case["shares"]).into_iter().zip(bounds).map(group).collect();
        let found = solve(&groups, case["total"].as_u64().unwrap()).unwrap();
        close(&found, &floats(&case["exact"]), 1e-8);
    }
}

#[test]
fn clusters() {
    let all = golden("clusters");
    let (cluster, distance) = (counts(&all["cluster"]), floats(&all["distance"]));
    let similarity: Vec<Vec<f64>> =
        all["similarity"].as_array().unwrap().iter().map(floats).collect();
    let member = |(row, (cluster, distance)): (usize, (&u64, &f64))| clusters::Member {
        row: row as u32,
        cluster: *cluster as u32,
        distance: *distance as f32,
    };
    for case in all["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let rule = clusters::Rule {
            keep: number("keep"),
            temperature: number("temperature"),
            balance: number("balance"),
            neighbours: number("neighbours") as usize,
        };
        let mut members: Vec<_> = cluster.iter().zip(&distance).enumerate().map(member).collect();
        let found = prune(&mut members, |a, b| similarity[a][b], 7, rule).unwrap();
        assert_eq!(found.quotas, counts(&case["quotas"]));
        let kept: Vec<u64> = found.kept.iter().map(|row| u64::from(*row)).collect();
        assert_eq!(kept, counts(&case["kept"]));
        let mean = |cluster: usize| {
            let own = members.iter().filter(|member| member.cluster == cluster as u32);
            let own: Vec<f64> = own.map(|member| f64::from(member.distance)).collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        let inter = clusters::inter(|a, b| similarity[a][b], 7, rule.neighbours);
        let complexity = Complexity::of((0..7).map(mean).collect(), inter, rule.temperature);
        close(&complexity.shares, &floats(&case["shares"]), 1e-9);
    }
}

#[test]
fn duplicates() {
    let all = golden("duplicates");
    let similarity: Vec<Vec<f64>> =
        all["similarity"].as_array().unwrap().iter().map(floats).collect();
    let eps = all["eps"].as_f64().unwrap();
    let found = stay(similarity.len(), |a, b| similarity[a][b], |cosine| cosine > 1.0 - eps);
    let wanted: Vec<bool> =
        all["stay"].as_array().unwrap().iter().map(|stays| stays.as_bool().unwrap()).collect();
    assert_eq!(found, wanted);
    assert!(wanted.contains(&false));
}

#[test]
fn entries() {
    let all = golden("entries");
    let texts = |name: &str| -> Vec<String> { serde_json::from_value(all[name].clone()).unwrap() };
    let mut entries = Entries::new(texts("entries"), 1).unwrap();
    texts("captions").iter().for_each(|caption| entries.count(caption));
    assert_eq!(entries.counts(), counts(&all["counts"]));
    let threshold = tail_threshold(entries.counts(), all["tail"].as_f64().unwrap());
    assert_eq!(threshold, all["threshold"].as_u64().unwrap());
    entries.set_threshold(threshold as f64);
    let found: Vec<f64> =
        texts("captions").iter().map(|caption| entries.probability(caption)).collect();
    close(&found, &floats(&all["probability"]), 1e-12);
}

#[test]
fn sources() {
    let all = golden("sources");
    let (source, score) = (counts(&all["source"]), floats(&all["score"]));
    let member = |(row, (source, score)): (usize, (&u64, &f64))| sources::Member {
        row: row as u32,
        source: *source as u32,
        score: *score as f32,
    };
    for case in all["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let rule = sources::Rule {
            keep: number("keep"),
            power: number("power"),
            least: number("least") as u64,
            most: number("most"),
        };
        let mut members: Vec<_> = source.iter().zip(&score).enumerate().map(member).collect();
        let found = share(&mut members, 5, rule).unwrap();
        assert_eq!(found.quotas, counts(&case["quotas"]));
        let kept: Vec<u64> = found.kept.iter().map(|row| u64::from(*row)).collect();
        assert_eq!(kept, counts(&case["kept"]));
    }
}

#[test]
fn ranks_of_values() {
    let all = golden("ranks");
    let values: Vec<f32> = floats(&all["values"]).into_iter().map(|value| value as f32).collect();
    close(&ranks(&values), &floats(&all["ranks"]), 1e-12);
}
