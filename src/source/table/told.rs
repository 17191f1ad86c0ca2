//! What is told of a table's rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was told of a table.
#[derive(Debug)]
pub(super) struct Told {
    table: Arc<str>,
    outside: Outside,
}

/// Images that lie outside, told of at the end: a table may name any number of them.
#[derive(Debug)]
struct Outside {
    root: PathBuf,
    count: u64,
    /// The line, from 1, and the path of the first one.
    first: Option<(u64, String)>,
}

impl Told {
    pub fn new(table: &Arc<str>, root: &Path) -> Self {
        let outside = Outside { root: root.to_owned(), count: 0, first: None };
        Self { table: table.clone(), outside }
    }

    /// Row `number`, from 0, has a fault.
    pub fn fault(&self, number: u64, why: &str) {
        let line = number.saturating_add(1);
        log::warn!("{}: line {line} is not what it should be: {why}", self.table);
    }

    /// The table as a whole has this fault.
    pub fn whole(&self, why: &str) {
        log::warn!("{}: {why}", self.table);
    }

    /// Row `number`, from 0, names an image outside the root.
    pub fn outside(&mut self, number: u64, image: &str) {
        self.outside.count += 1;
        let line = number.saturating_add(1);
        self.outside.first.get_or_insert_with(|| (line, image.to_owned()));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let Some((line, image)) = &self.outside.first else { return };
        log::warn!(
            "{}: {} images lie outside {} and were not read, the first in line {line}, {image:?}; \
             --image-root DIR permits what lies below DIR",
            self.table,
            self.outside.count,
            self.outside.root.display(),
        );
    }
}
