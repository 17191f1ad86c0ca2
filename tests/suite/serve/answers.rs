//! What is answered of one pair, and what is then in the folder.

use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;
use std::thread;

use serde_json::json;

use super::{Service, ask, beach, form_request, pair, records, uid};
use crate::cli::{pairgate, run, text};
use crate::support::data;

#[test]
fn a_kept_pair_is_answered_with_where_it_is_stored() {
    let service = Service::start(&[]);
    let (image, about) = (beach(), br#"{"url": "https://example.org/1"}"#);
    let id = uid(7);
    let fields = pair(
        &image,
        &[
            ("uid", id.as_bytes()),
            ("key", b"crawl/7"),
            ("metadata", about),
            ("headers", br#"{"x-robots-tag": "noindex"}"#),
        ],
    );
    let answer = service.judge(&fields).ok();
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("kept"), &json!("passed")));
    assert!(answer["score"].as_f64().unwrap() > -1.0, "{answer}");
    assert_eq!(answer["threshold"], -1.0);
    assert_eq!((&answer["uid"], &answer["key"]), (&json!(id), &json!("crawl/7")));
    assert_eq!((&answer["ticket"], &answer["repeated"]), (&json!(0), &json!(false)));
    assert_eq!(answer["stored"], json!({ "shard": "00000.tar", "key": "crawl/7" }));
    for digest in ["model_digest", "config_digest"] {
        assert_eq!(answer[digest].as_str().unwrap().len(), 64, "{answer}");
    }
    let folder = service.end();
    let out = folder.path().join("kept");
    let record = &records(&out)[0];
    assert_eq!((&record["uid"], &record["key"]), (&json!(id), &json!("crawl/7")));
    let mut tar = tar::Archive::new(File::open(out.join("00000.tar")).unwrap());
    let mut found = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        found.push((entry.path().unwrap().display().to_string(), bytes));
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["crawl/7.jpg", "crawl/7.txt", "crawl/7.json"]);
    assert_eq!(found[0].1, image);
    let about: serde_json::Value = serde_json::from_slice(&found[2].1).unwrap();
    let wanted = json!({
        "url": "https://example.org/1", "uid": id, "headers": { "x-robots-tag": "noindex" }
    });
    assert_eq!(about, wanted);
}

#[test]
fn what_is_rejected_and_what_is_broken_is_answered_too() {
    let service = Service::start(&["--rules", "basic"]);
    let image = beach();
    let short = [("image", image.as_slice()), ("caption", b"sea")];
    let answer = service.judge(&short).ok();
    assert_eq!(answer["verdict"], "rejected");
    assert_eq!(answer["stored"], serde_json::Value::Null);
    let answer = service.judge(&pair(b"no picture", &[])).ok();
    assert_eq!(
        (&answer["verdict"], &answer["reason"]),
        (&json!("failed"), &json!("unknown_format"))
    );
    service.end();
}

#[test]
fn a_form_that_is_none_says_what_is_wrong_with_it() {
    let service = Service::start(&[]);
    let image = beach();
    let many = vec![b'a'; 5000];
    for (fields, status, wanted) in [
        (vec![("caption", b"a".as_slice())], 400, "\"image\" is missing"),
        (pair(&image, &[("colour", b"red")]), 400, "\"colour\" is not known"),
        (pair(&image, &[("caption", b"b")]), 400, "\"caption\" is there twice"),
        (pair(&image, &[("uid", b"12")]), 400, "32 hex digits"),
        (pair(&image, &[("metadata", b"[1]")]), 400, "metadata is not a JSON object"),
        (pair(&image, &[("headers", b"no")]), 400, "headers is not a JSON object"),
        (pair(&image, &[("store", b"yes")]), 400, "store is 1 or 0"),
        (pair(&image, &[("key", &many)]), 413, "key is too large"),
    ] {
        let reply = service.judge(&fields);
        assert_eq!(reply.status, status, "{wanted}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(wanted), "{error}");
    }
    let host = service.address();
    let plain = super::request(&host, "/v1/judge", "content-type: text/plain\r\n", b"hello");
    assert_eq!(ask(&mut service.connect(), &plain).status, 400);
    assert_eq!(records(&service.out()).len(), 0);
    service.end();
}

#[test]
fn a_connection_is_kept_for_many_pairs() {
    let service = Service::start(&[]);
    let (mut stream, image, host) = (service.connect(), beach(), service.address());
    for number in 0..5 {
        let answer = ask(&mut stream, &form_request(&host, &pair(&image, &[]), "")).ok();
        assert_eq!(answer["ticket"], number);
        assert_eq!(answer["key"], format!("{number:012}"));
    }
    service.end();
}

#[test]
fn a_uid_gets_its_old_answer_also_after_a_restart() {
    let service = Service::start(&[]);
    let (image, id) = (beach(), uid(3));
    let fields = pair(&image, &[("uid", id.as_bytes())]);
    let mut first = service.judge(&fields).ok();
    assert_eq!(first["repeated"], false);
    first["repeated"] = true.into();
    assert_eq!(service.judge(&fields).ok(), first);
    // Whatever comes with it.
    let other = fs::read(data("pairs/city.jpg")).unwrap();
    let others = [("image", other.as_slice()), ("caption", b"a city"), ("uid", id.as_bytes())];
    assert_eq!(service.judge(&others).ok(), first);
    let service = Service::over(service.end(), &[]);
    assert_eq!(service.judge(&fields).ok(), first);
    let next = service.judge(&pair(&image, &[])).ok();
    assert_eq!(next["ticket"], 1);
    let folder = service.end();
    assert_eq!(records(&folder.path().join("kept")).len(), 2);
}

#[test]
fn one_uid_asked_many_times_at_once_is_one_pair() {
    let service = Arc::new(Service::start(&[]));
    let ask = |number: u32| {
        let service = service.clone();
        thread::spawn(move || {
            let (image, id) = (beach(), uid(number % 3));
            service.judge(&pair(&image, &[("uid", id.as_bytes())])).ok()
        })
    };
    let asked: Vec<_> = (0..24).map(ask).collect();
    let answers: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
    assert_eq!(answers.iter().filter(|answer| answer["repeated"] == false).count(), 3);
    let service = Arc::into_inner(service).unwrap();
    let folder = service.end();
    assert_eq!(records(&folder.path().join("kept")).len(), 3);
}

#[test]
fn a_pair_that_is_judged_only_leaves_no_trace() {
    let service = Service::start(&[]);
    let image = beach();
    let stored = service.judge(&pair(&image, &[])).ok();
    let only = service.judge(&pair(&image, &[("store", b"0")])).ok();
    assert_eq!((&only["score"], &only["verdict"]), (&stored["score"], &stored["verdict"]));
    assert_eq!((&only["ticket"], &only["stored"]), (&json!(null), &json!(null)));
    // It is no answer to its uid, either.
    let id = uid(9);
    let fields = |store: &'static [u8]| [("uid", id.as_bytes()), ("store", store)];
    service.judge(&pair(&image, &fields(b"0"))).ok();
    assert_eq!(service.judge(&pair(&image, &fields(b"1"))).ok()["ticket"], 1);
    let folder = service.end();
    assert_eq!(records(&folder.path().join("kept")).len(), 2);
}

#[test]
fn the_command_judge_asks_and_says_by_its_exit_code() {
    let service = Service::start(&["--rules", "basic"]);
    let (image, to) = (text(&data("pairs/beach.jpg")), format!("http://{}", service.address()));
    let judge = |caption: &str, more: &[&str], code: i32| {
        let args = [&["judge", &image, caption, "--to", &to], more].concat();
        String::from_utf8(run(pairgate(args), code).stdout).unwrap()
    };
    let told = judge("waves roll onto a sandy beach", &[], 0);
    assert!(told.contains("verdict     kept") && told.contains("in 00000.tar"), "{told}");
    let told = judge("waves roll onto a sandy beach", &["--only", "--json"], 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap()["stored"], json!(null));
    assert!(judge("sea", &[], 1).contains("rejected"));
    judge("waves roll onto a sandy beach", &["--uid", "7"], 2);
    service.end();
    judge("waves roll onto a sandy beach", &[], 2);
}
