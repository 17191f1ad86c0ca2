//! What a service manager is told.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairgate::agent::systemd::ServiceManager;

use super::program::Camera;
use super::{Played, wait_until};

/// A socket that hears what a service manager would.
#[test]
fn a_service_manager_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut heard = String::new();
    let mut hear_until = |what: &str| {
        while !heard.contains(what) {
            let mut buffer = [0; 4096];
            let length = socket.recv(&mut buffer).unwrap_or_else(|why| panic!("{what}: {why}"));
            heard += std::str::from_utf8(&buffer[..length]).unwrap();
        }
        heard.clone()
    };
    let mut camera = Camera::start_with(&temp.path().join("kept"), &[], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "4000000");
    });
    let first = hear_until("STATUS=");
    assert!(first.contains("STATUS=starting") || first.contains("READY=1"), "{first}");
    hear_until("READY=1");
    camera.send(3);
    hear_until("3 pairs, ");
    hear_until("WATCHDOG=1");
    camera.terminate();
    let all = hear_until("STATUS=ended");
    assert_eq!(all.matches("READY=1").count(), 1, "{all}");
    assert_eq!(all.matches("STOPPING=1").count(), 1, "{all}");
    assert_eq!(camera.finish()["kept"], 3);
}

/// By a run that is played, as its moments cannot be caught in a real one.
#[test]
fn the_watchdog_hears_of_progress_alone_and_a_drain_gets_time() {
    let mut stop = None;
    let mut played = Played::new(|options| stop = Some(options.stop.clone()));
    let said = Arc::new(Mutex::new(Vec::<String>::new()));
    let into = said.clone();
    let say = move |states: &[sd_notify::NotifyState<'_>]| {
        into.lock().unwrap().extend(states.iter().map(ToString::to_string));
    };
    let count = |what: &str| said.lock().unwrap().iter().filter(|s| s.starts_with(what)).count();
    let watchdog = Some(Duration::from_millis(40));
    let manager = ServiceManager::tell_by(&played.status, watchdog, say).unwrap();
    wait_until("a line", || count("STATUS=") > 0);
    assert_eq!((count("READY=1"), count("WATCHDOG=1")), (0, 0), "before the first round");
    wait_until("ready", || {
        played.status.beat();
        count("READY=1") == 1 && count("WATCHDOG=1") > 2
    });
    // The loop stands still: after what is under way, nothing more.
    let looks = |played: &Played| {
        let lines = count("STATUS=");
        played.clock.pass(Duration::from_secs(3600));
        wait_until("a stalled line", || count("STATUS=") > lines);
    };
    looks(&played);
    let fed = count("WATCHDOG=1");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(count("WATCHDOG=1"), fed);
    // It comes round again, but a pair is stuck.
    played.arrive();
    played.clock.pass(Duration::from_secs(3600));
    let fed = count("WATCHDOG=1");
    for _ in 0..50 {
        played.status.beat();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(count("WATCHDOG=1"), fed);
    played.decide(
        pairgate_core::decision::Verdict::Kept,
        pairgate_core::decision::Reason::Passed,
        None,
    );
    assert_eq!(count("STOPPING=1"), 0);
    stop.unwrap().store(true, std::sync::atomic::Ordering::SeqCst);
    wait_until("time for the drain", || {
        played.status.beat();
        count("EXTEND_TIMEOUT_USEC=30000000") > 2
    });
    // A drain that is stuck gets none.
    played.clock.pass(Duration::from_secs(3600));
    wait_until("the last", || {
        let asked = count("EXTEND_TIMEOUT_USEC=");
        std::thread::sleep(Duration::from_millis(200));
        count("EXTEND_TIMEOUT_USEC=") == asked
    });
    manager.close();
    assert_eq!((count("STOPPING=1"), count("STATUS=ended")), (1, 1));
}
