//! MQTT, against a real mosquitto on loopback. Where none is installed the tests say so and pass,
//! unless `PAIRGATE_REQUIRE_MOSQUITTO` is set.

mod address;
mod broker;
mod link;
mod listener;
mod program;
mod relay;
#[cfg(feature = "mqtts")]
mod tls;

use std::time::{Duration, Instant};

/// Looks until it is so. The time only ends a test that would hang.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
