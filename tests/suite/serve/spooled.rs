//! Answers while the output folder is away: what is answered is in the spool, and comes to the folder.

use std::fs;

use super::{Service, beach, pair, records, uid, wait_until};
use crate::cli::text;

#[test]
fn an_output_that_is_away_is_waited_for() {
    let around = tempfile::tempdir().unwrap();
    // The disk that the output lies on is not there yet.
    let (disk, spool) = (around.path().join("disk"), around.path().join("spool"));
    let out = disk.join("kept");
    let spool = text(&spool);
    let start = || Service::into(tempfile::tempdir().unwrap(), &out, &["--spool", &spool]);
    let image = beach();
    {
        let mut service = start();
        for number in 0..4 {
            let id = uid(number);
            let answer = service.judge(&pair(&image, &[("uid", id.as_bytes())])).ok();
            assert_eq!(answer["stored"], serde_json::json!({ "spool": true }), "{answer}");
        }
        assert!(!disk.exists());
        service.child.kill().unwrap();
        service.child.wait().unwrap();
    }
    // The next start needs no output either, and remembers the answers.
    let service = start();
    let id = uid(0);
    let answer = service.judge(&pair(&image, &[("uid", id.as_bytes())])).ok();
    assert_eq!(
        (&answer["repeated"], &answer["stored"]),
        (&true.into(), &serde_json::json!({ "spool": true }))
    );
    let id = uid(4);
    service.judge(&pair(&image, &[("uid", id.as_bytes())])).ok();
    fs::create_dir(&disk).unwrap();
    wait_until("they come to the output", || {
        out.join("journal").is_dir()
            && pairgate::journal::parts(&out).is_ok_and(|parts| {
                let mut count = 0;
                let read =
                    parts.iter().map(|part| pairgate::journal::examine(part, |_| count += 1));
                read.for_each(drop);
                count == 5
            })
    });
    service.end();
    assert_eq!(records(&out).len(), 5);
    assert!(out.join("00000.tar").is_file(), "its last shard has its name");
    // A start with the output there brings nothing twice.
    start().end();
    assert_eq!(records(&out).len(), 5);
}
