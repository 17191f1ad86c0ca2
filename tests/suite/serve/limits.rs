//! What a client may not do to others: be silent, be slow, send too much, ask too much at once.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::{
    Reply, Service, answer, ask, beach, form_request, is_closed, pair, records, request,
    try_answer, wait_until,
};

/// Times that a test can wait for.
const SHORT: &str = "[serve]\nheader_ms = 300\nbody_ms = 300\nidle_ms = 300\n";

#[test]
fn who_says_nothing_or_does_not_go_on_is_cut_off() {
    let service = Service::configured(SHORT, &[]);
    let host = service.address();
    let mut silent = service.connect();
    let mut slow_head = service.connect();
    slow_head.write_all(b"POST /v1/judge HTTP/1.1\r\nhost: ").unwrap();
    let mut slow_body = service.connect();
    let image = beach();
    let asked = form_request(&host, &pair(&image, &[]), "");
    slow_body.write_all(&asked[..asked.len() / 2]).unwrap();
    // Others are served meanwhile.
    assert_eq!(service.judge(&pair(&image, &[])).status, 200);
    assert!(is_closed(&mut silent));
    assert!(is_closed(&mut slow_head));
    let late = answer(&mut slow_body);
    assert_eq!(late.status, 408, "{late:?}");
    // One that was served may stay, but not for ever.
    let mut idle = service.connect();
    assert_eq!(ask(&mut idle, &asked).status, 200);
    assert!(is_closed(&mut idle));
    let folder = service.end();
    assert_eq!(records(&folder.path().join("kept")).len(), 2);
}

#[test]
fn a_head_that_drips_ends_too() {
    let service = Service::configured(SHORT, &[]);
    let mut stream = service.connect();
    let since = Instant::now();
    let head = b"POST /v1/judge HTTP/1.1\r\nhost: localhost\r\nx-filler: ".iter().copied();
    for byte in head.chain(std::iter::repeat(b'a')) {
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        assert!(since.elapsed() < super::PATIENCE, "it may drip for ever");
        thread::sleep(std::time::Duration::from_millis(20));
    }
    service.end();
}

#[test]
fn what_is_too_large_is_refused() {
    let service = Service::configured("sample.max_sample_bytes = '1 MiB'\n", &[]);
    let host = service.address();
    let filler = format!("x-filler: {}\r\n", "a".repeat(200 << 10));
    let mut stream = service.connect();
    // It may be cut off before all of it is written.
    let _ = stream.write_all(&request(&host, "/v1/judge", &filler, b""));
    assert!(try_answer(&mut stream).is_none_or(|reply| reply.status == 431));
    let large = vec![0; 1200 << 10];
    assert_eq!(service.judge(&pair(&large, &[])).status, 413);
    assert_eq!(service.judge(&pair(&beach(), &[])).status, 200);
    service.end();
}

#[test]
fn half_a_body_is_no_pair() {
    let service = Service::start(&[]);
    let image = beach();
    let asked = form_request(&service.address(), &pair(&image, &[]), "");
    let mut stream = service.connect();
    stream.write_all(&asked[..asked.len() - 100]).unwrap();
    drop(stream);
    assert_eq!(service.judge(&pair(&image, &[])).ok()["ticket"], 0);
    let folder = service.end();
    assert_eq!(records(&folder.path().join("kept")).len(), 1);
}

#[test]
fn no_more_connections_than_are_allowed() {
    let service = Service::configured("serve.max_connections = 2\n", &[]);
    let mut held: Vec<_> = (0..2).map(|_| service.connect()).collect();
    let image = beach();
    let asked = form_request(&service.address(), &pair(&image, &[]), "");
    // Both are taken once they were answered.
    for stream in &mut held {
        assert_eq!(ask(stream, &asked).status, 200);
    }
    let mut third = service.connect();
    let refused = answer(&mut third);
    assert!(refused.status == 503 && refused.head.contains("retry-after: 1"), "{refused:?}");
    drop(held);
    wait_until("a place is free", || {
        let mut stream = service.connect();
        stream.write_all(&asked).is_ok()
            && try_answer(&mut stream).is_some_and(|reply| reply.status == 200)
    });
    service.end();
}

/// Whoever finds no place is told so at once, and nothing of it is stored; all others are answered.
#[test]
fn where_no_place_is_free_it_is_said() {
    let lines = "serve.queue = 1\n[pipeline]\nworkers = 1\nqueue = 1\nbatch = 1\n";
    let service = Arc::new(Service::configured(lines, &[]));
    let ask = |_| {
        let service = service.clone();
        thread::spawn(move || {
            let (image, host) = (beach(), service.address());
            let mut stream = service.connect();
            let asked = form_request(&host, &pair(&image, &[]), "");
            let replies = (0..5).map(|_| ask(&mut stream, &asked));
            replies.collect::<Vec<Reply>>()
        })
    };
    let asked: Vec<_> = (0..16).map(ask).collect();
    let replies: Vec<Reply> = asked.into_iter().flat_map(|asked| asked.join().unwrap()).collect();
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!(count(200) + count(429), replies.len());
    assert!(count(429) > 0 && count(200) > 0, "{} {}", count(200), count(429));
    for reply in replies.iter().filter(|reply| reply.status == 429) {
        assert!(reply.head.contains("retry-after: 1"), "{}", reply.head);
    }
    let folder = Arc::into_inner(service).unwrap().end();
    assert_eq!(records(&folder.path().join("kept")).len(), count(200));
}

#[test]
fn bodies_share_a_bound_on_bytes() {
    let lines = "serve.max_bytes = 65536\n[sample]\nmax_sample_bytes = '1 MiB'\n";
    let service = Service::configured(lines, &[]);
    // One sample of the largest size passes, and no other beside it. Which of two that come together is
    // refused is not said: so it is tried until it is the second.
    let large = vec![0; 900 << 10];
    let asked = form_request(&service.address(), &pair(&large, &[]), "");
    let (front, rest) = asked.split_at(asked.len() - 10);
    wait_until("the second is refused while the first holds its bytes", || {
        let mut slow = service.connect();
        slow.write_all(front).unwrap();
        let is_refused = ask(&mut service.connect(), &asked).status == 429;
        slow.write_all(rest).unwrap();
        is_refused && answer(&mut slow).status == 200
    });
    // They are given back.
    wait_until("the bytes are free", || ask(&mut service.connect(), &asked).status == 200);
    service.end();
}

/// A client that does not read holds up nobody, and is dropped at the end.
#[test]
fn who_does_not_read_holds_only_itself() {
    let service = Service::configured("serve.body_ms = 1000\n", &[]);
    let (image, host) = (beach(), service.address());
    let asked = form_request(&host, &pair(&image, &[("store", b"0")]), "");
    let mut deaf = service.connect();
    for _ in 0..20 {
        deaf.write_all(&asked).unwrap();
    }
    for _ in 0..5 {
        assert_eq!(service.judge(&pair(&image, &[])).status, 200);
    }
    service.end();
    // All that was asked for before the end may still be read.
    let mut rest = Vec::new();
    let _ = deaf.read_to_end(&mut rest);
    assert!(rest.starts_with(b"HTTP/1.1 200"));
}

/// The ceilings of the boards' configs leave room for the service.
#[test]
fn every_board_may_serve() {
    for (name, _) in pairgate::config::BOARDS {
        if !crate::cli::skipped_under_emulation("the memory that is measured is the emulator's too")
        {
            let service = Service::start(&["--board", name]);
            assert_eq!(service.judge(&pair(&beach(), &[])).status, 200, "{name}");
            service.end();
        }
    }
}
