//! How a service ends: asked to, killed, or because its output failed.

use std::sync::Arc;
use std::thread;

use super::{
    Service, answer, ask, beach, form_request, pair, records, try_answer, uid, wait_until,
};
use crate::cli::{pairgate, run, text};

#[test]
fn sigterm_answers_what_was_taken_and_ends_well() {
    let service = Service::start(&[]);
    let (image, host) = (beach(), service.address());
    let asked = form_request(&host, &pair(&image, &[]), "");
    let mut streams: Vec<_> = (0..12).map(|_| service.connect()).collect();
    for stream in &mut streams {
        assert_eq!(ask(stream, &asked).status, 200);
    }
    for stream in &mut streams {
        std::io::Write::write_all(stream, &asked).unwrap();
    }
    service.signal("-TERM");
    let mut answered = 12;
    for stream in &mut streams {
        match try_answer(stream).map(|reply| reply.status) {
            Some(200) => answered += 1,
            // It came too late: it was not taken.
            Some(503) | None => {}
            other => panic!("{other:?}"),
        }
    }
    let (code, folder, said) = service.wait();
    assert_eq!(code, 0, "{said}");
    let out = folder.path().join("kept");
    assert_eq!(records(&out).len(), answered);
    assert!(out.join("00000.tar").is_file(), "its last shard has its name");
    run(pairgate(["journal", "check", &text(&out)]), 0);
}

#[test]
fn ctrl_c_ends_it_as_one_at_a_terminal() {
    let service = Service::start(&[]);
    service.signal("-INT");
    let (code, _, said) = service.wait();
    assert_eq!(code, 130, "{said}");
}

/// All that was answered is there after SIGKILL, and the next start needs no hand.
#[test]
fn a_killed_service_goes_on() {
    let mut folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let mut service = Service::over(folder, &[]);
        let image = beach();
        for number in 0..4 {
            let id = uid(10 * round + number);
            let fields = pair(&image, &[("uid", id.as_bytes())]);
            let answer = service.judge(&fields).ok();
            assert_eq!(
                (&answer["verdict"], &answer["ticket"]),
                (&"kept".into(), &(4 * round + number).into())
            );
        }
        service.child.kill().unwrap();
        service.child.wait().unwrap();
        folder = std::mem::replace(&mut service.folder, tempfile::tempdir().unwrap());
        assert_eq!(records(&folder.path().join("kept")).len() as u32, 4 * (round + 1));
    }
    // Other settings go on in the same folder: from here on something else decides.
    let service = Service::over(folder, &["--rules", "basic"]);
    assert_eq!(service.judge(&pair(&beach(), &[])).ok()["ticket"], 12);
    let folder = service.end();
    run(pairgate(["journal", "check", &text(&folder.path().join("kept"))]), 0);
}

/// A full output ends the service: who waits is told so, and is not told that the pair is kept.
#[test]
fn a_failed_output_is_said_and_ends_it() {
    let service = Service::configured("storage.max_bytes = 60000\n", &[]);
    let (image, host) = (beach(), service.address());
    let asked = form_request(&host, &pair(&image, &[]), "");
    let mut stream = service.connect();
    let mut kept = 0;
    let refused = loop {
        let reply = ask(&mut stream, &asked);
        if reply.status != 200 {
            break reply;
        }
        kept += 1;
        assert!(kept < 100, "{} bytes a picture", image.len());
    };
    assert_eq!(refused.status, 503);
    assert!(refused.json()["error"].as_str().unwrap().contains("storage.max_bytes"), "{refused:?}");
    let (code, folder, said) = service.wait();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("storage.max_bytes"), "{said}");
    assert_eq!(records(&folder.path().join("kept")).len(), kept);
}

/// So does one that somebody removes: the files that are open would take more, and keep nothing.
#[test]
fn a_removed_output_is_said_and_ends_it() {
    let service = Service::start(&[]);
    let image = beach();
    assert_eq!(service.judge(&pair(&image, &[])).ok()["verdict"], "kept");
    std::fs::remove_dir_all(service.out()).unwrap();
    let refused = service.judge(&pair(&image, &[]));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.json()["error"].as_str().unwrap().contains("removed"), "{refused:?}");
    let (code, _, said) = service.wait();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("it was removed while it was being written"), "{said}");
}

#[test]
fn two_services_do_not_share_a_folder() {
    let service = Service::start(&[]);
    let out = text(&service.out());
    let said = run(pairgate(["serve", "-o", &out, "--listen", "127.0.0.1:0"]), 2).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!("process {}", service.child.id())), "{said}");
    let taken = service.address();
    let other = text(&service.folder.path().join("other"));
    let said = run(pairgate(["serve", "-o", &other, "--listen", &taken]), 2).stderr;
    assert!(String::from_utf8(said).unwrap().contains(&taken));
    service.end();
}

/// Clients that come and go leave nothing behind: all they were told is in the folder.
#[test]
fn many_clients_that_go_away_early() {
    let service = Arc::new(Service::start(&[]));
    let go = |number: u32| {
        let service = service.clone();
        thread::spawn(move || {
            let (image, id) = (beach(), uid(number));
            let fields = pair(&image, &[("uid", id.as_bytes())]);
            let asked = form_request(&service.address(), &fields, "");
            let mut stream = service.connect();
            std::io::Write::write_all(&mut stream, &asked).unwrap();
            if number.is_multiple_of(2) {
                assert_eq!(answer(&mut stream).status, 200);
            }
        })
    };
    let going: Vec<_> = (0..24).map(go).collect();
    going.into_iter().for_each(|going| going.join().unwrap());
    let out = service.out();
    wait_until("all are stored", || {
        // Those that went away may not have been taken.
        records(&out).len() >= 12
    });
    let folder = Arc::into_inner(service).unwrap().end();
    let found = records(&folder.path().join("kept"));
    let mut uids: Vec<_> = found.iter().map(|record| record["uid"].to_string()).collect();
    uids.sort();
    let all = uids.len();
    uids.dedup();
    assert_eq!(uids.len(), all);
}
