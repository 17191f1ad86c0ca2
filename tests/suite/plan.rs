//! The planner: the law against the published numbers and NumPy's, the fit on runs whose constants are
//! known, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::plan::PlanError;
use pairgate::plan::fits::Fits;
use pairgate::plan::law::{Bucket, Floor, Law, Plan};
use pairgate::plan::plot::{count, percent};
use pairgate::plan::runs::Runs;
use pairgate::plan::search::fit;
use serde::Deserialize;
use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// Invented constants.
fn example(floor: Floor) -> Law {
    let buckets = [-0.18, -0.15, -0.13, -0.11].map(|b| Bucket { b, tau: 2.0 }).to_vec();
    Law { a: 0.02, d: 0.1, bucket_samples: 12.8e6, buckets, floor }
}

fn errors(plan: &Plan) -> Vec<f64> {
    plan.choices.iter().map(|choice| (choice.error * 1e4).round() / 1e4).collect()
}

#[test]
fn the_worked_example_comes_out() {
    let before = [
        (32e6, [0.8474, 0.8375, 0.8523, 0.8676], 2),
        (64e6, [0.8103, 0.7644, 0.7755, 0.7943], 2),
        (128e6, [0.7994, 0.7142, 0.7118, 0.7273], 3),
        (640e6, [0.7982, 0.6801, 0.6379, 0.6297], 4),
    ];
    for (samples, wanted, buckets) in before {
        let plan = Plan::of(&example(Floor::Before), samples).unwrap();
        assert_eq!(errors(&plan), wanted, "{samples}");
        assert_eq!(plan.chosen().buckets, buckets, "{samples}");
    }
    let last = Plan::of(&example(Floor::Last), 128e6).unwrap();
    assert_eq!(errors(&last), [0.8147, 0.7315, 0.7262, 0.7384]);
    assert_eq!(last.chosen().buckets, 3);
    assert_eq!((last.choices[0].repeats, last.choices[2].kept_samples), (10.0, 38.4e6));
    let one = |floor, samples| (example(floor).error(1, samples) * 1e6).round() / 1e6;
    for floor in Floor::ALL {
        assert_eq!(one(floor, 12.8e6), 0.944339);
    }
    assert_eq!((one(Floor::Before, 25.6e6), one(Floor::Last, 25.6e6)), (0.864596, 0.873040));
}

#[derive(Deserialize)]
struct Case {
    a: f64,
    d: f64,
    bucket_samples: f64,
    b: Vec<f64>,
    tau: Vec<f64>,
    samples: f64,
    last: Vec<f64>,
    before: Vec<f64>,
}

#[test]
fn the_law_is_numpys() {
    let cases: Vec<Case> =
        serde_json::from_slice(&fs::read(data("golden/plan.json")).unwrap()).unwrap();
    assert!(cases.len() >= 50);
    for case in cases {
        let buckets = case.b.iter().zip(&case.tau).map(|(b, tau)| Bucket { b: *b, tau: *tau });
        let buckets: Vec<Bucket> = buckets.collect();
        for (floor, wanted) in [(Floor::Last, &case.last), (Floor::Before, &case.before)] {
            let Case { a, d, bucket_samples, samples, .. } = case;
            let law = Law { a, d, bucket_samples, buckets: buckets.clone(), floor };
            let plan = Plan::of(&law, samples).unwrap();
            for (choice, wanted) in plan.choices.iter().zip(wanted) {
                assert!((choice.error / wanted - 1.0).abs() < 1e-12, "{choice:?} for {wanted}");
            }
            let least = wanted.iter().copied().fold(f64::INFINITY, f64::min);
            assert!((plan.chosen().error - least).abs() < 1e-12);
        }
    }
}

/// Runs without noise, as a table.
fn exact_runs(law: &Law) -> String {
    let mut lines = String::from("bucket,samples,error\n");
    for (place, bucket) in law.buckets.iter().enumerate() {
        let alone = Law { buckets: vec![*bucket], ..law.clone() };
        for epochs in [2.0, 3.0, 5.0, 7.0, 10.0] {
            let samples = epochs * law.bucket_samples;
            lines += &format!("{},{samples},{}\n", place + 1, alone.error(1, samples));
        }
    }
    lines
}

fn table(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("runs.csv");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn exact_runs_give_their_constants_back() {
    let folder = tempdir().unwrap();
    for floor in Floor::ALL {
        let law = example(floor);
        let runs = Runs::read(&table(folder.path(), &exact_runs(&law)), 12.8e6).unwrap();
        let fitted = fit(&runs, 12.8e6, floor).unwrap();
        assert!(fitted.rms() < 1e-7, "{floor:?}: {fitted:?}");
        assert!((fitted.law.d - law.d).abs() < 1e-3, "{fitted:?}");
        for (found, wanted) in fitted.law.buckets.iter().zip(&law.buckets) {
            assert!(
                (found.b - wanted.b).abs() < 1e-3 && (found.tau - wanted.tau).abs() < 0.02,
                "{fitted:?}"
            );
        }
        assert_eq!(fitted.at_edge, [""; 0]);
        // The same runs, the same constants.
        assert_eq!(fit(&runs, 12.8e6, floor).unwrap(), fitted);
        for samples in [32e6, 128e6, 640e6] {
            let (found, wanted) = (Plan::of(&fitted.law, samples), Plan::of(&law, samples));
            assert_eq!(found.unwrap().best, wanted.unwrap().best);
        }
    }
}

#[test]
fn noisy_runs_are_fitted_as_well_as_by_what_made_them() {
    let runs = Runs::read(&data("golden/plan_runs.csv"), 1e6).unwrap();
    let fitted = fit(&runs, 1e6, Floor::Last).unwrap();
    // A thousandth of noise, less what 12 constants take of 25 runs.
    assert!(fitted.rms() < 0.001, "{fitted:?}");
    let b = [-0.2, -0.17, -0.14, -0.1, -0.08];
    let buckets = b.iter().zip(0..).map(|(b, i)| Bucket { b: *b, tau: 2.0 + 0.5 * f64::from(i) });
    let law = Law {
        a: 1.0,
        d: 0.05,
        bucket_samples: 1e6,
        buckets: buckets.collect(),
        floor: Floor::Last,
    };
    for samples in [1e6, 3e6, 10e6, 30e6] {
        let (found, wanted) =
            (Plan::of(&fitted.law, samples).unwrap(), Plan::of(&law, samples).unwrap());
        for (found, wanted) in found.choices.iter().zip(&wanted.choices) {
            assert!((found.error - wanted.error).abs() < 0.01, "{samples}: {found:?} {wanted:?}");
        }
    }
}

#[test]
fn tables_of_runs_are_read_in_each_form_and_refused_by_line() {
    let folder = tempdir().unwrap();
    let read = |text: &str| Runs::read(&table(folder.path(), text), 100.0);
    let csv = read("name,bucket,epochs,accuracy\nx,2,1,0.25\ny,1,2,0.5\n").unwrap();
    let json = read(
        "{\"bucket\":1,\"samples\":200,\"error\":0.5,\"note\":\"x\"}\n\n{\"bucket\":2,\"samples\":100,\"error\":0.75}\n",
    );
    assert_eq!(csv.runs, json.unwrap().runs);
    assert_eq!((csv.buckets, csv.runs[0].samples, csv.of_bucket(1)[0].error), (2, 200.0, 0.75));
    let refused = [
        ("", "names no column"),
        ("a,b\n1,2\n", "names no column `bucket`"),
        ("bucket,epochs,error\n", "holds no run"),
        ("bucket,epochs,error\n1,1,0.5\n0,1,0.5\n", "line 3: bucket = 0"),
        ("bucket,epochs,error\n1.5,1,0.5\n", "line 2: bucket = 1.5"),
        ("bucket,epochs,error\n1,1,50\n", "not in percent"),
        ("bucket,epochs,error\n1,1,nan\n", "error = NaN"),
        ("bucket,epochs,error\n1,1,\n", "neither error nor accuracy"),
        ("bucket,epochs,samples,error\n1,1,100,0.5\n", "give one of them"),
        ("bucket,epochs,error\n1,x,0.5\n", "epochs = \"x\" is no number"),
        ("bucket,epochs,error\n1,900,0.5\n", "200 passes"),
        ("{\"bucket\":1,\"samples\":\"many\",\"error\":0.5}", "line 1: samples"),
        ("{\"bucket\":1,", "line 1:"),
    ];
    for (text, words) in refused {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text:?}: {error}");
    }
    let missing = Runs::read(&folder.path().join("none.csv"), 100.0).unwrap_err();
    assert!(matches!(missing, PlanError::File { .. }));
}

#[test]
fn too_few_runs_say_which_are_missing() {
    let folder = tempdir().unwrap();
    let says = |text: &str| {
        let runs = Runs::read(&table(folder.path(), text), 100.0).unwrap();
        fit(&runs, 100.0, Floor::Last).unwrap_err().to_string()
    };
    let one = "bucket,epochs,error\n1,1,0.9\n1,2,0.8\n1,4,0.7\n";
    assert!(says(one).contains("of one bucket"), "{}", says(one));
    let few = format!("{one}2,1,0.9\n2,1,0.91\n2,2,0.8\n");
    assert!(
        says(&few).contains("bucket 2 has errors at 2 sample counts, 1 of them beyond"),
        "{}",
        says(&few)
    );
    // A bucket that nobody trained on.
    let hole = format!("{one}3,1,0.9\n3,2,0.8\n3,4,0.7\n");
    assert!(says(&hole).contains("bucket 2 has errors at 0"), "{}", says(&hole));
}

fn output(args: &[&str]) -> String {
    String::from_utf8(run(pairgate(args), 0).stdout).unwrap()
}

fn error(args: &[&str]) -> String {
    String::from_utf8(run(pairgate(args), 2).stderr).unwrap()
}

#[test]
fn a_plan_comes_from_runs_and_from_nothing_else() {
    let folder = tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let (runs, fits) =
        (text(&table(folder.path(), &exact_runs(&example(Floor::Last)))), at("fits.toml"));
    let told = output(&["plan", "fit", &runs, "--bucket", "12.8M", "--pool", "128M", "-o", &fits]);
    assert!(
        told.contains("20 runs over 4 buckets of 12.8M") && told.contains("residual"),
        "{told}"
    );
    let told = output(&["plan", &fits, "--samples", "128M"]);
    for words in
        ["30 %      38.4M       3.3    0.7262  <- least", "20 runs of runs.csv", "--keep 30%"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    assert!(!told.contains("ILLUSTRATIVE"));
    let json: Value = serde_json::from_str(&output(&["plan", &fits, "-e", "1", "--json"])).unwrap();
    assert_eq!(json["budgets"][0]["samples"], 128e6);
    assert_eq!(json["budgets"][0]["keep"], 0.3);
    assert_eq!(json["budgets"][0]["other_floor"]["floor"], "before");
    assert_eq!(json["provenance"]["runs"], 20);
    // Stretched beyond what anybody ran.
    let far = output(&["plan", &fits, "--samples", "640M"]);
    assert!(far.contains(" *") && far.contains("10.0 of any run"), "{far}");
    // One digit is changed.
    let fitted = fs::read_to_string(&fits).unwrap();
    let place = fitted.find("\nd = 0.").unwrap() + 8;
    let digit = if &fitted[place..=place] == "9" { "8" } else { "9" };
    let changed = format!("{}{digit}{}", &fitted[..place], &fitted[place + 1..]);
    fs::write(at("changed.toml"), changed).unwrap();
    let refused = error(&["plan", &at("changed.toml"), "--samples", "128M"]);
    assert!(refused.contains("not those that `pairgate plan fit` wrote"), "{refused}");
    // Constants that nobody fitted.
    let start = fitted.find("[provenance]").unwrap();
    fs::write(at("invented.toml"), &fitted[..start]).unwrap();
    let refused = error(&["plan", &at("invented.toml"), "--samples", "128M"]);
    for words in
        ["does not say which runs", "train one small model on each bucket", "plan fit RUNS.csv"]
    {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let shown = output(&["plan", &at("invented.toml"), "--samples", "128M", "--illustrative"]);
    assert_eq!(shown.matches("ILLUSTRATIVE").count(), 2, "{shown}");
    let json = output(&["plan", &at("invented.toml"), "-s", "128M", "--illustrative", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["illustrative"], true);
}

#[test]
fn where_the_floors_choose_otherwise_both_are_told() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("fits.toml");
    // A high floor: shrunk by each pass where it is added before, it makes repeats look good.
    let text_of = "format = 1\nbucket_samples = 1e6\npool_samples = 2e6\n[last]\na = 1.0\nd = 0.5\n\
                   buckets = [{ b = -0.3, tau = 3.0 }, { b = -0.2, tau = 3.0 }]\n";
    fs::write(&path, text_of).unwrap();
    let fits = Fits::open(&path, true).unwrap();
    let law = |floor| fits.law(floor).unwrap().0;
    let differs = |samples: &f64| {
        let best = |floor| Plan::of(&law(floor), *samples).unwrap().best;
        best(Floor::Last) != best(Floor::Before)
    };
    let samples = (10..120).map(|tenth| f64::from(tenth) * 1e5).find(differs).expect("a budget");
    let told = output(&["plan", &text(&path), "-s", &samples.to_string(), "--illustrative"]);
    assert!(told.contains("with the floor added before: keep"), "{told}");
    let told = output(&[
        "plan",
        &text(&path),
        "-s",
        &samples.to_string(),
        "--illustrative",
        "--floor",
        "before",
    ]);
    assert!(told.contains("with the floor added last: keep"), "{told}");
}

#[test]
fn plots_hold_their_numbers_and_no_ones_markup() {
    let folder = tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let runs = folder.path().join("<b>&runs.csv");
    fs::write(&runs, exact_runs(&example(Floor::Last))).unwrap();
    let fits = at("fits.toml");
    output(&["plan", "fit", &text(&runs), "-b", "12.8M", "-o", &fits]);
    for name in ["plan.html", "plan.svg"] {
        output(&["plan", &fits, "--samples", "32M,64M,128M", "-o", &at(name)]);
        let page = fs::read_to_string(at(name)).unwrap();
        assert_eq!(page.matches("class=\"line\"").count(), 3, "{name}");
        assert_eq!(page.matches("<circle class=\"best\"").count(), 3, "{name}");
        assert!(page.contains("keep 75 %, 128M seen: 0.7262"), "{name}");
        assert!(!page.contains("<b>") && !page.contains("http://") || name == "plan.svg", "{name}");
        assert!(!page.contains("Illustrative"), "{name}");
        assert!(page.contains("prefers-color-scheme: dark"), "{name}");
    }
    output(&["plan", &fits, "-s", "32M", "--illustrative", "-o", &at("plan.svg")]);
    assert!(fs::read_to_string(at("plan.svg")).unwrap().contains("Illustrative"));
    let refused = error(&["plan", &fits, "-s", "32M", "-o", &at("plan.png")]);
    assert!(refused.contains(".html or .svg"), "{refused}");
}

#[test]
fn hostile_constants_and_budgets_are_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("fits.toml");
    let good = "format = 1\nbucket_samples = 1e6\npool_samples = 2e6\n[last]\na = 1.0\nd = 0.5\n\
                buckets = [{ b = -0.3, tau = 3.0 }]\n";
    let wrong = [
        ("b = -0.3", "b = 0.3", "b = 0.3 is out of range"),
        ("tau = 3.0", "tau = 0.0", "tau = 0 is out of range"),
        ("tau = 3.0", "tau = nan", "tau = NaN is out of range"),
        ("a = 1.0", "a = -1.0", "a = -1 is out of range"),
        ("d = 0.5", "d = 2.0", "d = 2 is out of range"),
        ("format = 1", "format = 2", "format = 2 is out of range"),
        ("pool_samples = 2e6", "pool_samples = 1e3", "pool_samples = 1000 is out of range"),
        ("bucket_samples = 1e6", "bucket_samples = 0.0", "bucket_samples = 0 is out of range"),
        ("buckets = [{ b = -0.3, tau = 3.0 }]", "buckets = []", "buckets = 0 is out of range"),
        ("d = 0.5", "d = 0.5\nextra = 1", "unknown field"),
        ("[last]", "[first]", "unknown field"),
    ];
    for (from, to, words) in wrong {
        fs::write(&path, good.replace(from, to)).unwrap();
        let error = Fits::open(&path, true).unwrap_err().to_string();
        assert!(error.contains(words), "{to}: {error}");
    }
    fs::write(&path, good).unwrap();
    Fits::open(&path, true).unwrap();
    let file = text(&path);
    for samples in ["0", "-1", "x", "nan", "1e30", "M"] {
        let refused = error(&["plan", &file, "--illustrative", &format!("--samples={samples}")]);
        assert!(refused.contains("not a number of samples"), "{samples}: {refused}");
    }
    let refused = error(&["plan", &file, "--illustrative", "-s", "900B"]);
    assert!(refused.contains("samples = 900000000000 is out of range"), "{refused}");
    assert!(error(&["plan", &file, "--illustrative"]).contains("--samples"));
    assert!(error(&["plan", "--samples", "1M"]).contains("FITS"));
}

#[test]
fn numbers_are_told_as_people_say_them() {
    let told = [12.8e6, 128e6, 1.28e9, 1e4, 950.0, 38.4e6, 2e6].map(count);
    assert_eq!(told, ["12.8M", "128M", "1.28B", "10k", "950", "38.4M", "2M"]);
    assert_eq!([0.3, 0.125, 1.0, 1.0 / 3.0].map(percent), ["30 %", "12.5 %", "100 %", "33.3 %"]);
}
