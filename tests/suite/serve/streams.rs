//! Tars of pairs, answered line by line.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{Service, ask, records, request, uid, wait_until};
use crate::support::data;

/// A tar of the pairs with these numbers, each with its uid.
fn tar(numbers: std::ops::Range<u32>) -> Vec<u8> {
    let image = fs::read(data("pairs/beach.jpg")).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    for number in numbers {
        let about = json!({ "uid": uid(number) }).to_string();
        let caption = format!("waves roll onto a sandy beach, picture {number}");
        let members =
            [("jpg", image.as_slice()), ("txt", caption.as_bytes()), ("json", about.as_bytes())];
        for (extension, bytes) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{number:05}.{extension}"), bytes).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

fn send(service: &Service, query: &str, tar: &[u8]) -> Vec<Value> {
    let asked = request(&service.address(), &format!("/v1/pairs{query}"), "", tar);
    let reply = ask(&mut service.connect(), &asked);
    assert_eq!(reply.status, 200, "{reply:?}");
    lines(&reply.body)
}

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_once(out: &Path, numbers: std::ops::Range<u32>) {
    let mut found: Vec<String> =
        records(out).iter().map(|record| record["uid"].as_str().unwrap().to_owned()).collect();
    found.sort();
    assert_eq!(found, numbers.map(uid).collect::<Vec<_>>());
}

#[test]
fn a_line_a_pair_in_the_tars_order() {
    let service = Service::start(&[]);
    let answers = send(&service, "", &tar(0..40));
    assert_eq!(answers.len(), 40);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(
            (&answer["key"], &answer["ticket"]),
            (&json!(format!("{number:05}")), &json!(number))
        );
        assert_eq!((&answer["verdict"], &answer["repeated"]), (&json!("kept"), &json!(false)));
    }
    // Again, and further: what was answered is not stored twice.
    let answers = send(&service, "", &tar(30..50));
    let repeated = answers.iter().map(|answer| answer["repeated"].as_bool().unwrap());
    assert_eq!(repeated.collect::<Vec<_>>(), [[true; 10], [false; 10]].concat());
    let folder = service.end();
    is_once(&folder.path().join("kept"), 0..50);
}

#[test]
fn a_tar_is_judged_only_where_that_is_asked() {
    let service = Service::start(&[]);
    let answers = send(&service, "?store=0", &tar(0..10));
    assert_eq!(answers.len(), 10);
    assert!(answers.iter().all(|answer| answer["ticket"].is_null() && answer["verdict"] == "kept"));
    let bad = request(&service.address(), "/v1/pairs?stor=0", "", &tar(0..1));
    assert_eq!(ask(&mut service.connect(), &bad).status, 400);
    let folder = service.end();
    assert_eq!(records(&folder.path().join("kept")).len(), 0);
}

#[test]
fn a_packed_tar_is_taken_where_its_reader_stays_small() {
    let service = Service::start(&[]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&tar(0..5)).unwrap();
    assert_eq!(send(&service, "", &packed.finish().unwrap()).len(), 5);
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0; 100]].concat();
    let asked = request(&service.address(), "/v1/pairs", "", &zstd);
    assert_eq!(ask(&mut service.connect(), &asked).status, 415);
    service.end();
}

#[test]
fn a_torn_tar_gives_what_is_whole() {
    let service = Service::start(&[]);
    let whole = tar(0..3);
    let answers = send(&service, "", &whole[..whole.len() - 4096]);
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[2]["reason"], "archive_torn");
    // It may come again.
    let answers = send(&service, "", &whole);
    let repeated: Vec<_> = answers.iter().map(|answer| answer["repeated"] == true).collect();
    assert_eq!(repeated, [true, true, false]);
    assert_eq!(answers[2]["verdict"], "kept");
    service.end();
}

/// A connection that breaks tells nothing of the pair that was on its way: it is not recorded as torn.
#[test]
fn a_body_that_breaks_off_leaves_no_torn_pair() {
    let service = Service::start(&[]);
    let whole = tar(0..6);
    let asked = request(&service.address(), "/v1/pairs", "", &whole);
    let mut stream = service.connect();
    stream.write_all(&asked[..asked.len() - whole.len() / 2]).unwrap();
    // The first answers come while the body is on its way.
    let mut first = vec![0; 200];
    stream.read_exact(&mut first).unwrap();
    drop(stream);
    let answers = send(&service, "", &whole);
    assert!(answers.iter().all(|answer| answer["verdict"] == "kept"), "{answers:?}");
    let folder = service.end();
    is_once(&folder.path().join("kept"), 0..6);
}

#[test]
fn a_stream_that_is_slow_leaves_places_to_others() {
    let lines = "serve.max_streams = 1\nserve.body_ms = 2000\n";
    let service = Service::configured(lines, &[]);
    let whole = tar(0..4);
    let asked = request(&service.address(), "/v1/pairs", "", &whole);
    let mut slow = service.connect();
    slow.write_all(&asked[..asked.len() / 2]).unwrap();
    // It has the only place for streams.
    wait_until("the place is taken", || {
        let mut stream = service.connect();
        let _ = stream.write_all(&asked);
        super::try_answer(&mut stream).is_some_and(|reply| reply.status == 429)
    });
    let image = super::beach();
    assert_eq!(service.judge(&super::pair(&image, &[])).status, 200);
    // It is given up, and its place is free.
    wait_until("the place is free", || {
        let mut stream = service.connect();
        stream.write_all(&asked).is_ok()
            && super::try_answer(&mut stream).is_some_and(|reply| reply.status == 200)
    });
    service.end();
}
