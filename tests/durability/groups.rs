//! Groups with thresholds of their own, and scores that are found again, by their rules alone.

use std::convert::Infallible;
use std::sync::Arc;

use pairgate::IoError;
use pairgate::decide::groups::{
    Bar, By, ByGroup, Goal, GroupBar, GroupRules, Groups, thresholds_in_passes,
};
use pairgate::decide::matched::{ENTRY_BYTES, Matched, Matching, Records, Scores};
use pairgate::decide::{Decider, Examined};
use pairgate::gate::Evidence;
use pairgate::journal::{MAX_GROUP, Record};
use pairgate::source::{Member, Sample};
use pairgate_core::decision::{Facts, Reason, ReasonSet, Verdict};
use pairgate_core::pair::{Digest, Position, Uid};
use pairgate_core::policy::{Policy, fraction_threshold};
use proptest::prelude::*;

/// More than are searched for with wide counters.
const MANY: usize = 73;

fn thresholds(scores: &[(usize, f32)], wanted: &[Option<f64>]) -> Vec<Option<f32>> {
    let pass = || Ok::<_, Infallible>(scores.iter().map(|scored| Ok(*scored)));
    thresholds_in_passes(pass, wanted).unwrap()
}

proptest! {
    /// Against sorting, with few groups and with many.
    #[test]
    fn each_group_has_the_threshold_of_its_scores_alone(
        scores in prop::collection::vec((0_usize..6, -1000_i32..1000), 0..400),
        shares in prop::collection::vec(prop::option::of(0.001_f64..1.0), 6),
        has_many in any::<bool>(),
    ) {
        // Coarse scores: there are ties.
        let scores: Vec<(usize, f32)> =
            scores.into_iter().map(|(group, score)| (group, score as f32 / 700.0)).collect();
        let mut wanted = shares;
        wanted.resize(if has_many { MANY } else { 6 }, None);
        let found = thresholds(&scores, &wanted);
        for (group, share) in wanted.iter().enumerate() {
            let mut own: Vec<f32> =
                scores.iter().filter(|(g, _)| *g == group).map(|(_, s)| *s).collect();
            let expected = share.and_then(|share| fraction_threshold(&mut own, share));
            prop_assert_eq!(found[group].map(f32::to_bits), expected.map(f32::to_bits));
        }
    }
}

#[test]
fn each_group_keeps_its_share_within_one_pair() {
    let score = |i: usize| (i * 7919 % 100_003) as f32 / 100_003.0;
    let sizes = [1, 2, 10, 333, 5000];
    let scores: Vec<(usize, f32)> = (0..sizes.len())
        .flat_map(|group| (0..sizes[group]).map(move |i| (group, score(group * 6000 + i))))
        .collect();
    for share in [0.01, 0.15, 0.2, 0.5, 1.0] {
        let found = thresholds(&scores, &[Some(share); 5]);
        for (group, size) in sizes.iter().enumerate() {
            let threshold = found[group].unwrap();
            let kept = scores.iter().filter(|(g, s)| *g == group && *s >= threshold).count();
            let wanted = *size as f64 * share;
            assert!((kept as f64 - wanted).abs() <= 1.0, "{kept} of {size}, not {wanted}");
        }
    }
}

#[test]
fn groups_are_bounded_and_wanted_ones_have_a_place() {
    let mut groups = Groups::at_most(2);
    let names = [Some("a"), None, Some("b"), Some("a")];
    assert_eq!(names.map(|name| groups.add(name, false)), [1, 0, 2, 1]);
    assert!(!groups.is_full());
    assert_eq!(groups.add(Some("c"), false), 0);
    assert!(groups.is_full());
    assert_eq!(groups.add(Some("d"), true), 3);
    assert_eq!(groups.add(Some("other"), false), 0);
    assert_eq!((&*groups.name(3), groups.find(Some("d")), groups.find(Some("e"))), ("d", 3, 0));
    let long = "ä".repeat(300);
    let mut groups = Groups::default();
    let number = groups.add(Some(&long), false);
    assert_eq!(groups.name(number).len(), MAX_GROUP);
    assert_eq!([groups.add(Some(&long), false), groups.find(Some(&long))], [number; 2]);
}

fn sample(key: &str, json: &str) -> Sample {
    let member = Member { extension: "json".into(), data: json.as_bytes().to_vec() };
    Sample { shard: Arc::from("in/0.tar"), key: key.into(), members: vec![member], fault: None }
}

fn name(by: &str, json: &str) -> Option<String> {
    by.parse::<By>().unwrap().name_of(&sample("k", json))
}

#[test]
fn hosts_are_without_user_port_and_case() {
    let cases = [
        ("https://Example.com/a?b", Some("example.com")),
        ("http://me:pw@example.com:8080", Some("example.com")),
        ("//cdn.example.com./x", Some("cdn.example.com")),
        ("http://[2001:DB8::1]:80/", Some("2001:db8::1")),
        ("example.com/a", None),
        ("a//b", None),
        ("https:///path", None),
    ];
    for (url, wanted) in cases {
        let json = serde_json::json!({ "url": url }).to_string();
        assert_eq!(name("url:host", &json).as_deref(), wanted, "{url}");
    }
}

#[test]
fn fields_lead_into_objects_and_their_own_name_goes_first() {
    let json = r#"{"a": {"b": {"c": "deep"}, "n": 3}, "a.n": true, "l": [1], "e": " ", "z": null,
        "shard": "own", "x": NaN}"#;
    for (by, wanted) in
        [("a.b.c", "deep"), ("a.n", "true"), (".shard", "own"), ("shard", "in/0.tar")]
    {
        assert_eq!(name(by, json).as_deref(), Some(wanted), "{by}");
    }
    for none in ["a", "a.b", "a.x", "l", "e", "z", "nothing", "x", "e:host"] {
        assert_eq!(name(none, json), None, "{none}");
    }
    for hostile in ["", "[1]", "{", "\"a\""] {
        assert_eq!(name("a", hostile), None, "{hostile}");
    }
}

#[test]
fn what_groups_are_found_by_is_shown_as_it_is_said() {
    for text in ["shard", "licence", "source.name", "url:host", ".shard"] {
        assert_eq!(text.parse::<By>().unwrap().to_string(), text);
    }
    for text in ["", ".", "a..b", ":host", "a\nb", &"a".repeat(300)] {
        assert!(text.parse::<By>().is_err(), "{text:?}");
    }
}

#[test]
fn a_percent_sign_tells_a_share_from_a_threshold() {
    assert_eq!("20%".parse(), Ok(Goal::Share(0.2)));
    assert_eq!("0.27".parse(), Ok(Goal::Threshold(0.27)));
    assert_eq!("-0.1".parse(), Ok(Goal::Threshold(-0.1)));
    for wrong in ["0%", "101%", "1.5", "x", "", "%", "nan"] {
        assert!(wrong.parse::<Goal>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_goal_is_read_as_it_is_shown(share in 1e-9_f64..1.0, threshold in -1.0_f32..1.0) {
        for goal in [Goal::Share(share), Goal::Threshold(threshold)] {
            prop_assert_eq!(goal.to_string().parse(), Ok(goal));
        }
    }
}

#[test]
fn shards_are_also_called_by_their_files_names() {
    assert_eq!(
        ["7%", "100%", "12.5%"].map(|text| text.parse::<Goal>().unwrap().to_string()),
        ["7%", "100%", "12.5%"]
    );
    let goals = vec![("00001.tar".into(), Goal::Share(0.5)), ("b".into(), Goal::Threshold(0.1))];
    let rules = GroupRules::new(By::Shard, goals.clone()).unwrap();
    assert_eq!(rules.own_goal("laion/00001.tar"), Some(Goal::Share(0.5)));
    assert_eq!(rules.own_goal("laion/00002.tar"), None);
    assert_eq!(rules.unseen(&["laion/00001.tar"]), ["b"]);
    let rules = GroupRules::new("path".parse().unwrap(), goals).unwrap();
    assert_eq!(rules.own_goal("laion/00001.tar"), None);
    let named = [
        "groups.by=path",
        "groups.keep=0.25",
        "groups.keep.00001.tar=0.5",
        "groups.threshold.b=0.1",
    ];
    assert_eq!(rules.with_goal(Goal::Share(0.25)).named(), named);
    let twice = vec![("a".into(), Goal::Share(0.5)), ("a".into(), Goal::Threshold(0.1))];
    assert!(GroupRules::new(By::Shard, twice).is_err());
}

/// Pair `number`, whose score is that many hundredths.
fn pair(number: u8) -> Examined {
    let sample = sample(&format!("k{number}"), &format!(r#"{{"set": {}}}"#, number % 2));
    let facts = Facts { score: Some(f32::from(number) / 100.0), ..Facts::default() };
    let facts = Facts { content: Digest([number; 32]), ..facts };
    Examined {
        ticket: number.into(),
        position: Position::default(),
        sample,
        uid: Uid([number; 16]),
        evidence: Evidence::new(Reason::Passed, facts),
    }
}

fn record(number: u8) -> Record {
    let Examined { ticket, position, sample, uid, evidence } = pair(number);
    Record {
        ticket,
        uid,
        key: sample.key,
        shard: sample.shard.to_string(),
        position,
        verdict: Verdict::Kept,
        reason: evidence.found,
        facts: evidence.facts,
        image_bytes: 0,
        broken: ReasonSet::default(),
        stored: None,
        threshold: None,
        recovered: false,
        spooled: None,
        choice: None,
        group: Some(format!("{}", number % 2)),
    }
}

/// What a gate finds where only digests are made.
fn seen(number: u8) -> Examined {
    let pair = pair(number);
    let content = pair.evidence.facts.content;
    let evidence = Evidence::new(Reason::Passed, Facts { content, ..Facts::default() });
    Examined { evidence, ..pair }
}

#[test]
fn each_pair_is_decided_by_its_groups_threshold_and_it_is_noted() {
    let rules =
        GroupRules::new("set".parse().unwrap(), vec![("1".into(), Goal::Share(0.5))]).unwrap();
    let rules = rules.with_goal(Goal::Threshold(0.06));
    let mut bar = GroupBar::new(rules, Policy { threshold: Some(0.06), ..Policy::default() });
    let records = || Ok((0..10).map(|number| Ok(record(number))));
    bar.take_shares(records).unwrap();
    let mut decider = ByGroup(bar);
    let kept: Vec<u8> = (0..10)
        .filter(|number| {
            let decision = decider.decide(&pair(*number)).unwrap();
            let noted = decider.noted();
            assert_eq!(noted.group.as_deref(), Some(if number % 2 == 0 { "0" } else { "1" }));
            assert_eq!(noted.threshold, Some(if number % 2 == 0 { 0.06 } else { 0.05 }));
            decision.verdict == Verdict::Kept
        })
        .collect();
    assert_eq!(kept, [5, 6, 7, 8, 9]);
    let counts: Vec<_> = decider.0.counts().iter().map(|c| (c.name.to_string(), c.kept)).collect();
    assert_eq!(counts, [("0".to_owned(), 2), ("1".to_owned(), 3)]);
}

/// What stands behind the thresholds may leave a pair out: its group has then not kept it.
#[test]
fn a_pair_that_is_left_out_behind_the_threshold_is_not_counted_as_kept() {
    let rules = GroupRules::new("set".parse().unwrap(), Vec::new()).unwrap();
    let rules = rules.with_goal(Goal::Threshold(0.05));
    let policy = Policy { threshold: Some(0.05), ..Policy::default() };
    let mut decider = ByGroup(GroupBar::new(rules, policy));
    for number in 0..10 {
        let decision = decider.decide(&pair(number)).unwrap();
        if decision.verdict == Verdict::Kept && number >= 8 {
            decider.overruled();
        }
    }
    let groups = decider.groups().unwrap().counts();
    let counts: Vec<_> =
        groups.iter().map(|count| (count.scored, count.kept, count.kept_scored)).collect();
    // Of 0, 2, ... 8 and of 1, 3, ... 9 the scores from 0.05 on, without the last of each.
    assert_eq!(counts, [(5, 1, 1), (5, 2, 2)]);
}

/// Scores in memory.
struct List(Vec<u8>);

impl Scores for List {
    fn open(&self) -> Result<Records, IoError> {
        Ok(Box::new(self.0.clone().into_iter().map(|number| Ok(record(number)))))
    }
}

fn matched(scores: &[u8], matching: Matching) -> Matched<List> {
    let bar = Bar::One(Policy { threshold: Some(0.03), ..Policy::default() });
    Matched::new(List(scores.to_vec()), matching, bar).unwrap()
}

#[test]
fn pairs_are_matched_in_any_order_and_each_score_has_its_pair() {
    let all: Vec<u8> = (0..8).collect();
    for (order, is_reordered) in
        [(vec![0, 1, 2, 3, 4, 5, 6, 7], false), (vec![0, 1, 5, 2, 7, 6, 4, 3], true)]
    {
        let mut decider = matched(&all, Matching::default());
        for number in &order {
            let decision = decider.decide(&seen(*number)).unwrap();
            assert_eq!(decision.facts, pair(*number).evidence.facts);
            assert_eq!(decision.verdict == Verdict::Kept, *number >= 3, "{number}");
        }
        assert_eq!(decider.is_reordered(), is_reordered);
        decider.end().unwrap();
    }
    // One that does not come is named; where a part was meant it may be missing.
    for (is_part, order) in [(false, vec![0, 1, 3]), (true, vec![0, 1, 3]), (false, vec![2, 0, 3])]
    {
        let mut decider = matched(&[0, 1, 2, 3], Matching { is_part, ..Matching::default() });
        for number in &order {
            decider.decide(&seen(*number)).unwrap();
        }
        let ended = decider.end().map_err(|error| error.to_string());
        let missing = if order[0] == 2 { "\"k1\"" } else { "\"k2\"" };
        assert!(ended.clone().err().is_none_or(|why| why.contains(missing)), "{ended:?}");
        assert_eq!(ended.is_ok(), is_part);
    }
}

#[test]
fn a_pair_that_was_not_scored_is_named_with_what_is_wrong() {
    let changed = |change: fn(&mut Examined)| {
        let mut pair = seen(3);
        change(&mut pair);
        // In the order of the scores, and out of it.
        let [ordered, other] = [vec![0, 1, 2], vec![1]].map(|before| {
            let mut decider = matched(&[0, 1, 2, 3], Matching::default());
            for number in &before {
                decider.decide(&seen(*number)).unwrap();
            }
            decider.decide(&pair).unwrap_err().to_string()
        });
        assert_eq!(ordered, other);
        ordered
    };
    let why = changed(|pair| pair.evidence.facts.content = Digest([9; 32]));
    assert!(why.contains("\"k3\"") && why.contains("image is another"), "{why}");
    let why = changed(|pair| pair.uid = Uid([9; 16]));
    assert!(why.contains("\"k3\"") && why.contains("caption"), "{why}");
    let why = changed(|pair| pair.sample.key = "k".into());
    assert!(why.contains("\"k\"") && why.contains("another name"), "{why}");
    let why = changed(|pair| (pair.sample.key, pair.uid) = ("k".into(), Uid([9; 16])));
    assert!(why.contains("was not scored"), "{why}");
    // Bounded, and two different scores of one pair are no score.
    let few = Matching { most_bytes: 3 * ENTRY_BYTES, ..Matching::default() };
    let why = matched(&[0, 1, 2, 3], few).decide(&seen(3)).unwrap_err().to_string();
    assert!(why.contains("too many to look up"), "{why}");
}

#[test]
fn a_records_group_is_written_and_read() {
    use pairgate::journal::{Header, ModelName, Reader, Terms};
    use pairgate::sink::journal::JournalSink;
    use pairgate::{Judged, Sink};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.pairgate");
    let name = ModelName { name: "m".into(), digest: Digest::default() };
    let terms = Terms::new(name, Digest::default(), Vec::new(), Some(0.1), None);
    let mut sink = JournalSink::create(&path, &Header::new(terms, Vec::new())).unwrap();
    let long = "ä".repeat(200);
    let groups = [None, Some("licence"), Some(long.as_str())];
    for (ticket, group) in (0..).zip(groups) {
        let Examined { sample, uid, evidence, .. } = pair(7);
        let decision = Policy::default().decide(evidence.found, evidence.facts);
        let judged = Judged::new(ticket, sample, uid, decision);
        let judged = Judged { group: group.map(Arc::from), threshold: Some(0.3), ..judged };
        sink.accept(&judged).unwrap();
    }
    sink.finish(pairgate::RunEnd::Complete).unwrap();
    let read: Vec<Record> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
    let wanted = [None, Some("licence"), Some(&long[..MAX_GROUP])];
    assert_eq!(read.iter().map(|record| record.group.as_deref()).collect::<Vec<_>>(), wanted);
    assert!(read.iter().all(|record| record.threshold == Some(0.3)));
}
