//! Health comes from progress.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pairgate::pipeline::Outcome;
use pairgate_core::decision::{Reason, Verdict};

use super::Played;
use super::client::{get, get_as, serve};
use crate::cli::{pairgate, run};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_loop_that_stands_still_is_unhealthy_until_it_goes_on() {
    let played = Played::new(|_| {});
    let server = serve(&played.status);
    let ask = |path| {
        let answer = get(server.address(), path);
        (answer.status, answer.body)
    };
    assert_eq!(ask("/readyz"), (503, "starting\n".into()));
    assert_eq!(ask("/healthz"), (200, "ok\n".into()));
    played.status.beat();
    assert_eq!(ask("/readyz"), (200, "ready\n".into()));
    played.clock.pass(MINUTE);
    assert_eq!(ask("/healthz").0, 200);
    played.clock.pass(SECOND);
    let why = "the run's loop has not come round for 61 s\n".to_owned();
    assert_eq!(ask("/healthz"), (503, why.clone()));
    assert_eq!(ask("/readyz"), (503, why));
    played.status.beat();
    assert_eq!(ask("/healthz").0, 200);
    assert_eq!(ask("/nothing").0, 404);
}

/// The loop comes round, but a worker is stuck.
#[test]
fn pairs_that_are_never_decided_are_unhealthy() {
    let mut played = Played::new(|options| options.max_stall = 10 * SECOND);
    let beat_for = |played: &Played, seconds: u64| {
        for _ in 0..seconds {
            played.clock.pass(SECOND);
            played.status.beat();
        }
    };
    // With nothing to decide nothing is stuck.
    beat_for(&played, 100);
    assert_eq!(played.status.health(), Ok(()));
    played.arrive();
    played.arrive();
    beat_for(&played, 10);
    assert_eq!(played.status.health(), Ok(()));
    beat_for(&played, 1);
    let stall = played.status.health().unwrap_err();
    assert_eq!(stall.to_string(), "2 pairs wait, and none was decided for 11 s");
    played.decide(Verdict::Kept, Reason::Passed, Some(0.5));
    assert_eq!(played.status.health(), Ok(()));
    // The other one waits as long again.
    beat_for(&played, 11);
    assert!(played.status.health().is_err());
    played.decide(Verdict::Kept, Reason::Passed, Some(0.5));
    beat_for(&played, 100);
    assert_eq!(played.status.health(), Ok(()));
}

#[test]
fn readiness_tells_why_not() {
    let played = Played::new(|_| {});
    played.status.beat();
    let spool = played.status.spool();
    spool.is_full.store(true, Ordering::SeqCst);
    assert_eq!(played.status.readiness(), Err("the spool is full".into()));
    spool.is_full.store(false, Ordering::SeqCst);
    assert_eq!(played.status.readiness(), Ok(()));
    let mut stop = None;
    let played = Played::new(|options| stop = Some(options.stop.clone()));
    played.status.beat();
    stop.unwrap().store(true, Ordering::SeqCst);
    assert_eq!(played.status.readiness(), Err("draining".into()));
    // A run that drains is well as long as it goes on.
    assert_eq!(played.status.health(), Ok(()));
    played.status.ended(&Outcome::default());
    assert_eq!(played.status.readiness(), Err("the run has ended".into()));
}

/// A web page may have its own name point at this machine.
#[test]
fn another_hosts_name_is_refused() {
    let played = Played::new(|_| {});
    let server = serve(&played.status);
    let status = |host: &str| get_as(server.address(), "/status.json", host).status;
    for host in ["localhost", "localhost:80", "127.0.0.1", "127.0.0.1:8787", "[::1]:8787"] {
        assert_eq!(status(host), 200, "{host}");
    }
    for host in ["outside.invalid", "127.0.0.1.outside.invalid:8787"] {
        assert_eq!(status(host), 403, "{host}");
    }
}

#[test]
fn the_command_says_what_it_heard() {
    let played = Played::new(|_| {});
    let server = serve(&played.status);
    played.status.beat();
    let health = |url: &str, code| {
        let output = run(pairgate(["health", url]), code);
        let (said, told) = (output.stdout, output.stderr);
        String::from_utf8(if code == 2 { told } else { said }).unwrap()
    };
    let url = format!("http://{}", server.address());
    assert_eq!(health(&url, 0), format!("{url}: 200 ok\n"));
    assert_eq!(health(&format!("{url}/"), 0), format!("{url}/: 200 ok\n"));
    assert_eq!(health(&format!("{url}/readyz"), 0), format!("{url}/readyz: 200 ready\n"));
    played.clock.pass(2 * MINUTE);
    let said = health(&url, 1);
    assert!(said.ends_with(": 503 the run's loop has not come round for 120 s\n"), "{said}");
    drop(server);
    // Taken and given back: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = health(&format!("http://{free}"), 1);
    assert!(said.to_lowercase().contains("refused"), "{said}");
    for url in ["https://127.0.0.1", "127.0.0.1:8787", "http://", "http://a b/", "ftp://x"] {
        assert!(health(url, 2).contains("http://127.0.0.1:8787"), "{url}");
    }
}

/// One that takes a connection and says nothing, or no HTTP.
#[test]
fn the_command_does_not_wait_for_ever() {
    use std::io::Write;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    run(pairgate(["health", &url, "--timeout", "1"]), 1);
    let odd = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", odd.local_addr().unwrap());
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = odd.accept().unwrap();
        stream.write_all(b"\x1b[31mno\nHTTP").unwrap();
    });
    let output = run(pairgate(["health", &url]), 1);
    let said = String::from_utf8(output.stdout).unwrap();
    answer.join().unwrap();
    assert!(said.starts_with(&url) && said.lines().count() == 1, "{said}");
}
