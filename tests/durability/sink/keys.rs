//! Keys within a shard: the fingerprints give what the keys themselves would.

use std::collections::{HashMap, HashSet};

use pairgate::store::ShardKeys;
use pairgate::store::names::safe_key;
use proptest::prelude::*;

/// The same with the keys themselves in memory.
#[derive(Default)]
struct Keys {
    next: HashMap<String, u64>,
}

impl Keys {
    fn unused(&mut self, key: &str) -> String {
        let safe = safe_key(key);
        let Some(mut number) = self.next.get(&safe).copied() else {
            self.next.insert(safe.clone(), 2);
            return safe;
        };
        while self.next.contains_key(&format!("{safe}_{number}")) {
            number += 1;
        }
        let name = format!("{safe}_{number}");
        self.next.insert(safe, number + 1);
        self.next.insert(name.clone(), 2);
        name
    }
}

#[test]
fn a_name_that_is_taken_gets_a_number() {
    let mut keys = ShardKeys::default();
    let given = ["a", "a_2", "a", "a", "a_2", "b", "a.b", "a_b"].map(|key| keys.unused(key));
    assert_eq!(given, ["a", "a_2", "a_3", "a_4", "a_2_2", "b", "a_b", "a_b_2"]);
}

#[test]
fn many_keys_stay_apart() {
    let (mut keys, mut plain, mut seen) = (ShardKeys::default(), Keys::default(), HashSet::new());
    for i in 0..30_000u32 {
        let key = format!("{:09}", i % 20_000);
        let given = keys.unused(&key);
        assert_eq!(given, plain.unused(&key));
        assert!(seen.insert(given));
    }
}

#[test]
fn memory_is_bounded_by_24_bytes_a_sample() {
    let block = 64 << 10;
    for pairs in [0, 1, 300, 10_000, 1_000_000, 9_999_999] {
        let memory = ShardKeys::memory(pairs);
        assert!(memory >= 20 * pairs && memory <= 25 * pairs + 2 * block, "{pairs}: {memory}");
    }
    assert_eq!(ShardKeys::memory(u64::MAX), u64::MAX);
}

proptest! {
    /// Few names, so that they meet each other's numbers.
    #[test]
    fn keys_are_those_of_the_strings(names in prop::collection::vec("[ab](_[2-4]){0,2}", 0..400)) {
        let (mut keys, mut plain) = (ShardKeys::default(), Keys::default());
        for name in names {
            prop_assert_eq!(keys.unused(&name), plain.unused(&name));
        }
    }
}
