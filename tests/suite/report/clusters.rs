//! The report by cluster, and of a run that a state selected.

use std::collections::BTreeMap;
use std::fs;

use pairgate::journal::{Reader, Record};
use pairgate::select::State;
use pairgate::{Digest, Disk};
use serde_json::{Value, json};

use super::numbers;
#[cfg(unix)]
use crate::browser::Tab;
use crate::cut::shards;
use crate::support::shards::Shards;

/// Shards, their scores with embeddings, and a state of three clusters that leaves some out.
fn fitted() -> Shards {
    let shards = shards();
    shards.run(&["score", "in", "--embeddings", "-o", "s.parquet"], 0);
    fit(&shards, "clusters k 3 keep 30%");
    shards
}

fn fit(shards: &Shards, method: &str) {
    shards.run(&["select", "fit", "s.parquet", "-m", method, "-t", "-0.4", "-o", "a.pgsel"], 0);
}

fn selected(shards: &Shards, output: &str, more: &[&str]) {
    let filter = ["filter", "in", "--threshold", "0.1", "--select", "a.pgsel", "-o", output];
    shards.run(&[&filter[..], more].concat(), 0);
}

/// The numbers of a report's page.
fn report(shards: &Shards, run: &str, more: &[&str]) -> Value {
    shards.run(&[&["report", run, "--source", "in", "-o", "page.html"], more].concat(), 0);
    numbers(&fs::read_to_string(shards.at("page.html")).unwrap(), "data")
}

fn records(shards: &Shards, run: &str) -> Vec<Record> {
    Reader::open(&shards.at(run)).unwrap().map(Result::unwrap).collect()
}

/// How many pairs each cluster has, by the choices of a journal; `in none` where there is no choice.
fn chosen(records: &[Record]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for record in records {
        let group = record.choice.as_ref().and_then(|choice| choice.group);
        let name = group.map_or("in none".into(), |group| group.to_string());
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn rows(grouping: &Value) -> Vec<(String, u64)> {
    let row = |row: &Value| (row["name"].as_str().unwrap().into(), row["pairs"].as_u64().unwrap());
    grouping["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn the_journal_of_a_selection_tells_the_clusters() {
    let shards = fitted();
    selected(&shards, "kept", &[]);
    let records = records(&shards, "kept");
    let data = report(&shards, "kept", &[]);
    let grouping = &data["groupings"][1];
    assert_eq!(grouping["by"], "cluster");
    let rows = rows(grouping);
    assert_eq!(rows.iter().cloned().collect::<BTreeMap<_, _>>(), chosen(&records));
    // The largest first; what came to no cluster is last.
    let (last, named) = rows.split_last().unwrap();
    assert!(named.len() >= 2 && named.windows(2).all(|two| two[0].1 >= two[1].1), "{rows:?}");
    assert_eq!(last.0, "in none");
    // What the state left out is told apart from what is below the threshold, in all and in each row.
    let count = |reason: &str| {
        records.iter().filter(|record| record.reason.name() == reason).count() as u64
    };
    assert!(count("over_quota") > 0 && count("low_similarity") > 0);
    assert_eq!(data["unselected"], count("over_quota"));
    let sum = |key: &str| -> u64 {
        grouping["rows"].as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("unselected"), sum("pairs")), (count("over_quota"), records.len() as u64));
    let scores = |value: &Value| value.as_array().unwrap().len() as u64;
    assert_eq!(scores(&data["unselected_scores"]), count("over_quota"));
    let reasons = data["reasons"].as_array().unwrap();
    let over = reasons.iter().find(|row| row["reason"] == "over_quota").unwrap();
    assert_eq!(scores(&over["scores"]), count("over_quota"));
    let low = reasons.iter().find(|row| row["reason"] == "low_similarity").unwrap();
    assert_eq!(low.get("scores"), None);
    // A few pairs of each, which name it.
    let cards = data["cards"].as_array().unwrap();
    for (name, pairs) in named {
        let number: u64 = name.parse().unwrap();
        let of = cards.iter().filter(|card| card["cluster"] == number).count() as u64;
        assert!(of >= 6.min(*pairs), "cluster {name}: {of} of {pairs}");
    }
    // The head names the state, and the commands ask for it.
    let state = State::load(&shards.at("a.pgsel")).unwrap().digest().to_string();
    assert_eq!(data["head"]["state"], state);
    let commands = data["head"]["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 1, "no embeddings lie beside the journal: nothing to cut by");
    for command in commands {
        let line = command["line"].as_str().unwrap();
        assert!(line.contains(" --select STATE ") && !line.contains("--config"), "{line}");
    }
    // A run that no state selected has neither.
    shards.run(&["filter", "in", "--threshold", "0.1", "-o", "plain"], 0);
    let plain = report(&shards, "plain", &[]);
    assert_eq!(plain["groupings"].as_array().unwrap().len(), 1);
    assert_eq!((&plain["unselected"], &plain["head"]["state"]), (&json!(0), &Value::Null));
    assert!(plain["cards"].as_array().unwrap().iter().all(|card| card.get("cluster").is_none()));
}

#[test]
fn a_state_and_recorded_embeddings_give_the_clusters() {
    let shards = fitted();
    selected(&shards, "kept", &[]);
    let told: BTreeMap<String, u32> = records(&shards, "kept")
        .into_iter()
        .filter_map(|record| Some((record.key, record.choice?.group?)))
        .collect();
    let state = ["--state", "a.pgsel"];
    let cluster = |data: &Value| -> BTreeMap<String, u32> {
        let cards = data["cards"].as_array().unwrap().iter();
        let of = |card: &Value| {
            let number = card["cluster"].as_u64()? as u32;
            Some((card["key"].as_str().unwrap().to_owned(), number))
        };
        cards.filter_map(of).collect()
    };
    let assert_told = |found: &BTreeMap<String, u32>| {
        for (key, number) in &told {
            assert_eq!(found.get(key), Some(number), "{key}");
        }
    };
    // By the choices of the run that it selected itself, though no embeddings lie beside it.
    let data = report(&shards, "kept", &state);
    assert_eq!(cluster(&data), told);
    assert!(data["head"]["commands"].to_string().contains("--select a.pgsel"));
    // By embeddings beside a run that it did not select: every scored pair has a cluster.
    let all = ["--threshold", "0.1", "--embeddings", "all", "-o", "all"];
    shards.run(&[&["filter", "in"][..], &all].concat(), 0);
    let data = report(&shards, "all", &state);
    let found = cluster(&data);
    assert_told(&found);
    assert!(found.len() > told.len(), "pairs below the threshold have clusters too");
    let outside = rows(&data["groupings"][1]).pop().unwrap();
    let unscored = records(&shards, "all").iter().filter(|r| r.facts.score.is_none()).count();
    assert_eq!(outside, ("in none".to_owned(), unscored as u64));
    // By those of a file of scores.
    shards.run(&["score", "in", "--embeddings", "-o", "s.pairgate"], 0);
    assert_told(&cluster(&report(&shards, "s.pairgate", &state)));
    // Of two runs the later one is shown.
    shards.run(
        &["report", "kept", "all", "--source", "in", "-o", "two.html", "--state", "a.pgsel"],
        0,
    );
    let two = numbers(&fs::read_to_string(shards.at("two.html")).unwrap(), "data");
    assert_told(&cluster(&two));
}

#[test]
fn what_gives_no_clusters_is_refused_by_name() {
    let shards = fitted();
    shards.run(&["filter", "in", "--threshold", "0.1", "-o", "plain"], 0);
    let refused = |run: &str, state: &str, wanted: &str| {
        let why = shards.refused(&["report", run, "--state", state, "-o", "page.html"]);
        assert!(why.contains(wanted) && why.contains(state), "{why}");
        assert!(!shards.at("page.html").exists());
    };
    refused("plain", "a.pgsel", "--embeddings all");
    let state = State::load(&shards.at("a.pgsel")).unwrap();
    let mut about = state.about().clone();
    (about.model, about.model_name) = (Digest([1; 32]), "another 9".into());
    let other = State::new(about, state.parts().to_vec()).unwrap();
    other.save(&Disk::system(), &shards.at("other.pgsel")).unwrap();
    refused("plain", "other.pgsel", "another 9");
    fs::rename(shards.at("a.pgsel"), shards.at("clusters.pgsel")).unwrap();
    fit(&shards, "sources by shard keep 50%");
    refused("plain", "a.pgsel", "no clusters");
    refused("plain", "in/00000.tar", "in/00000.tar");
    // A state's sources are no clusters: the journal's measures tell them apart.
    selected(&shards, "sources", &[]);
    assert_eq!(report(&shards, "sources", &[])["groupings"][1]["by"], "source of the state");
    // The centroids of a state that looks for duplicates are clusters too.
    fit(&shards, "duplicates k 2 eps 0.02");
    selected(&shards, "distinct", &["--embeddings", "all"]);
    let data = report(&shards, "distinct", &["--state", "a.pgsel"]);
    assert_eq!(data["groupings"][1]["by"], "cluster");
    assert_eq!(rows(&data["groupings"][1]).len(), 3, "{data}");
}

/// How much of a canvas has a colour of the page.
#[cfg(unix)]
fn coloured(tab: &mut Tab, canvas: &str, name: &str) -> u64 {
    let script = format!(
        "(() => {{ const c = {canvas}, p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
         const wanted = colour('{name}').match(/[0-9a-f]{{2}}/g).map((x) => parseInt(x, 16)); let n = 0; \
         for (let i = 0; i < p.length; i += 4) n += wanted.every((x, j) => p[i + j] === x); return n; }})()"
    );
    tab.js(&script).as_u64().unwrap()
}

#[cfg(unix)]
#[test]
fn the_page_shows_what_the_state_left_out() {
    let Some(mut tab) = Tab::start() else { return };
    let shards = fitted();
    selected(&shards, "kept", &[]);
    let data = report(&shards, "kept", &[]);
    let count = |key: &str| data[key].as_u64().unwrap();
    tab.open(&shards.at("page.html"));
    let shown = |tab: &mut Tab| -> Vec<u64> {
        let tiles = "['pairs', 'kept', 'rejected', 'failed'].map((n) => Number(byId('n-' + n).textContent.replaceAll(',', '')))";
        serde_json::from_value(tab.js(tiles)).unwrap()
    };
    let colours = |tab: &mut Tab, canvas: &str| {
        ["kept", "unselected", "unasked", "rejected"].map(|name| coloured(tab, canvas, name) > 0)
    };
    let slide = |tab: &mut Tab, to: &str| {
        tab.js(&format!(
            "{{ const s = byId('threshold'); s.value = {to}; s.dispatchEvent(new Event('input')); }} \
             new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))"
        ));
    };
    // As recorded: the numbers are the journal's, and each part of the histogram has its colour.
    let all = [count("pairs"), count("kept"), count("rejected"), count("failed")];
    assert_eq!(shown(&mut tab), all);
    assert_eq!(colours(&mut tab, "byId('histogram')"), [true, true, false, true]);
    assert!(tab.text("byId('now').textContent").contains("the state keeps"));
    let verdicts = "(name) => [...document.querySelectorAll('#pairs-list .verdict')].filter((v) => v.textContent === name).length";
    assert_eq!(tab.js(&format!("({verdicts})('not selected')")), count("unselected"));
    assert_eq!(tab.js(&format!("({verdicts})('kept')")), count("kept"));
    assert_eq!(
        tab.js("document.querySelectorAll('#groups .unselected').length > 0 && !document.querySelector('.of-state').hidden"),
        true
    );
    // Above all scores nothing is kept, and nothing was left out by the state.
    slide(&mut tab, "s.max");
    assert_eq!(shown(&mut tab)[1], 0);
    assert_eq!(colours(&mut tab, "byId('histogram')"), [false, false, false, true]);
    // Below the recorded threshold the state was not asked, and nobody says what it would have kept.
    slide(&mut tab, "s.min");
    assert_eq!(shown(&mut tab)[1], count("kept"));
    assert_eq!(colours(&mut tab, "byId('histogram')"), [true, true, true, false]);
    assert!(tab.text("byId('now').textContent").contains("it was not asked about"));
    assert!(tab.text("byId('reasons').innerText").contains("the state was not asked"));
    let unasked = tab.js(&format!("({verdicts})('not asked')"));
    assert!(unasked.as_u64() > Some(0), "{unasked}");
    tab.js("byId('reset').click()");
    assert_eq!(shown(&mut tab), all);
    // Of marked pairs, those that it left out are not kept.
    let marked = "[...document.querySelectorAll('#pairs-list .card')].filter((c) => \
        ['kept', 'not selected'].includes(c.querySelector('.verdict').textContent))";
    tab.js(&format!("{marked}.forEach((card) => card.querySelector('.mark.good').click())"));
    let hits = format!("{} of {}", count("kept"), count("kept") + count("unselected"));
    assert!(tab.text("byId('estimates').innerText").contains(&format!("recall: {hits}")));
    tab.assert_well();
}

#[cfg(unix)]
#[test]
fn clusters_are_shown_searched_and_filtered() {
    let Some(mut tab) = Tab::start() else { return };
    let shards = fitted();
    selected(&shards, "kept", &[]);
    let data = report(&shards, "kept", &[]);
    let rows = rows(&data["groupings"][1]);
    tab.open(&shards.at("page.html"));
    tab.js("{ const e = byId('spread-by'); e.value = '1'; e.dispatchEvent(new Event('change')); }");
    assert_eq!(tab.text("byId('h-spread').textContent"), "Scores by cluster");
    assert_eq!(tab.js("byId('by').value"), "1", "both parts are by the same");
    let names = "[...document.querySelectorAll('#spread .name')].map((name) => name.textContent)";
    let told = |name: &str| {
        if name == "in none" { "in no cluster".into() } else { format!("cluster {name}") }
    };
    let scored: Vec<String> = data["groupings"][1]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["scored"].as_u64() > Some(0))
        .map(|row| told(row["name"].as_str().unwrap()))
        .collect();
    assert_eq!(tab.js(names), json!(scored), "the largest first");
    assert_eq!(tab.js("document.querySelectorAll('#groups .bar').length"), rows.len());
    assert!(tab.text("byId('spread').innerText").contains("% kept"));
    // Pictures of each, which open.
    let first = &rows[0];
    let thumbs = "document.querySelectorAll('#spread .group:first-child .thumb')";
    assert_eq!(tab.js(&format!("{thumbs}.length")), 6.min(first.1));
    tab.js(&format!("{thumbs}[0].click()"));
    assert_eq!(tab.js("byId('zoom').open"), true);
    assert!(tab.text("byId('zoom-facts').innerText").contains("Cluster"));
    tab.js("byId('zoom-close').click()");
    // The list by cluster, and by its name as a word that is searched.
    let of = |name: &str| {
        let cards = data["cards"].as_array().unwrap().iter();
        let number: u64 = name.parse().unwrap();
        cards.filter(|card| card["cluster"] == number).count()
    };
    let listed = "byId('pairs-list').children.length";
    tab.js(&format!(
        "{{ const e = byId('pairs-cluster'); e.value = '{}'; e.dispatchEvent(new Event('change')); }}",
        first.0
    ));
    assert_eq!(tab.js(listed), of(&first.0));
    tab.js(
        "{ const e = byId('pairs-cluster'); e.value = ''; e.dispatchEvent(new Event('change')); }",
    );
    tab.js(&format!(
        "{{ const e = byId('pairs-search'); e.value = 'cluster {}'; e.dispatchEvent(new Event('input')); }}",
        first.0
    ));
    assert!(tab.js(listed).as_u64().unwrap() >= of(&first.0) as u64);
    assert!(tab.js(listed).as_u64().unwrap() < data["cards"].as_array().unwrap().len() as u64);
    // Nothing sticks out at any width.
    for width in [390, 768, 1280] {
        tab.size(width, 900);
        tab.js("dispatchEvent(new Event('resize'))");
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(tab.js(fits), true, "{width}");
    }
    tab.assert_well();
}
