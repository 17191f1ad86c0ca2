//! The groups of a run, by their names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::journal::{MAX_GROUP, cut};

/// Groups at most, beside [`OTHER`].
pub const MAX_GROUPS: usize = 10_000;
/// The group of pairs that have none, and of those whose group is one too many.
pub const OTHER: &str = "other";

/// Groups in the order in which they were first seen; number 0 is [`OTHER`].
#[derive(Debug, Clone)]
pub struct Groups {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, usize>,
    most: usize,
    is_full: bool,
}

impl Default for Groups {
    fn default() -> Self {
        Self::at_most(MAX_GROUPS)
    }
}

impl Groups {
    /// No groups but [`OTHER`], and at most so many beside it.
    pub fn at_most(most: usize) -> Self {
        let other: Arc<str> = OTHER.into();
        let numbers = HashMap::from([(other.clone(), 0)]);
        Self { names: vec![other], numbers, most, is_full: false }
    }

    /// The number of the group with this name, which is a new one where it was not seen before; that of
    /// [`OTHER`] for none, and where there are too many. `is_wanted` groups have a place all the same:
    /// whoever asks bounds their number.
    pub fn add(&mut self, name: Option<&str>, is_wanted: bool) -> usize {
        let Some(name) = name.map(|name| cut(name, MAX_GROUP)) else { return 0 };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.names.len() > self.most && !is_wanted {
            self.is_full = true;
            return 0;
        }
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.numbers.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }

    /// The number of the group with this name, that of [`OTHER`] where there is none.
    pub fn find(&self, name: Option<&str>) -> usize {
        name.and_then(|name| self.numbers.get(cut(name, MAX_GROUP))).copied().unwrap_or(0)
    }

    /// The name of a group.
    pub fn name(&self, number: usize) -> Arc<str> {
        self.names[number].clone()
    }

    /// Groups, [`OTHER`] among them.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never: there is [`OTHER`].
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether there were more than there is place for.
    pub fn is_full(&self) -> bool {
        self.is_full
    }
}
