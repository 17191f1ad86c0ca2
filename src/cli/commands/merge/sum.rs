//! Counts and faults of many outputs.

use std::collections::{BTreeMap, BTreeSet};

use pairgate_core::stats::Counts;

use crate::decide::share::Coarse;
use crate::source::SingleInput;
use crate::store::one_to_one::{Kind, MarkedTerms, Marker, Names, verify};

/// An output that has a marker: no more of it, because there may be millions.
pub struct Output {
    pub name: String,
    /// Its input, as it was named.
    input: String,
}

/// What outputs come to. Sums depend on no order.
#[derive(Default)]
pub struct Sum {
    pub counts: Counts,
    /// Samples in all shards.
    pub stored: u64,
    /// Bytes of all shards.
    pub bytes: u64,
    /// The outputs that have a marker, in the order of their names.
    pub outputs: Vec<Output>,
    /// Scores by their upper bits, of outputs that were scored.
    pub scores: Coarse,
    /// What was done with the first output, and what decided.
    pub first: Option<(Kind, MarkedTerms)>,
    /// Inputs without an output.
    pub missing: Vec<String>,
    /// What is wrong with an output.
    pub wrong: Vec<String>,
}

impl Sum {
    /// Adds an output; `reads` says whether its files are read.
    pub fn add(&mut self, names: &Names, reads: bool) {
        let marker = match Marker::read(names) {
            Ok(Some(marker)) => marker,
            Ok(None) => return self.wrong.push(format!("{}: its marker is gone", names.name())),
            Err(why) => return self.wrong.push(why.to_string()),
        };
        match reads {
            true => self.wrong.extend(verify(names, &marker)),
            false => self.wrong.extend(marker.missing(names)),
        }
        self.agree(names, &marker);
        self.counts.merge(&marker.counts());
        self.stored += marker.stored();
        let is_shard = marker.kind == Kind::Filter;
        self.bytes += marker.data(names).filter(|_| is_shard).map_or(0, |data| data.bytes);
        marker.score_counts.iter().for_each(|(upper, n)| self.scores.add_count(*upper, *n));
        self.outputs.push(Output { name: names.name().to_owned(), input: marker.input });
    }

    /// Outputs of one folder were all decided alike.
    fn agree(&mut self, names: &Names, marker: &Marker) {
        let own = || (marker.kind, marker.terms.clone());
        let (kind, terms) = self.first.get_or_insert_with(own);
        if marker.kind != *kind || !marker.terms.decide_as(terms) {
            let (name, first) = (names.name(), self.outputs.first().map_or("", |o| &o.name));
            self.wrong.push(format!("{name} was decided otherwise than {first}"));
        }
    }

    /// Notes the inputs that have no output, and outputs of other inputs.
    pub fn find_missing(&mut self, inputs: &[SingleInput]) {
        if inputs.is_empty() {
            return;
        }
        let there: BTreeMap<&str, &str> =
            self.outputs.iter().map(|output| (&*output.name, &*output.input)).collect();
        let mut missing = Vec::new();
        for input in inputs {
            let path = input.path.display().to_string();
            match there.get(input.name.as_str()) {
                None => missing.push(path),
                Some(was) if *was != path => {
                    self.wrong.push(format!("{} is of {was}, not of {path}", input.name));
                }
                Some(_) => {}
            }
        }
        let asked: BTreeSet<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let others = there.keys().filter(|name| !asked.contains(*name));
        self.wrong.extend(others.map(|name| format!("{name} is of none of the inputs")));
        self.missing = missing;
    }

    /// Whether the outputs are scores.
    pub fn is_of_scores(&self) -> bool {
        self.first.as_ref().is_some_and(|(kind, _)| *kind == Kind::Score)
    }

    /// Whether nothing is missing or wrong.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }
}
