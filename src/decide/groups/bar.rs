//! What a pair must reach, and what each group has come to.

use std::sync::Arc;

use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::policy::{Policy, pooled_score};

use super::{By, Goal, GroupRules, Groups, thresholds_in_passes};
use crate::decide::{Decider, Examined, Noted};
use crate::disk::IoError;
use crate::journal::Record;
use crate::source::Sample;

/// What pairs must reach.
#[derive(Debug)]
pub enum Bar {
    /// All of them the same.
    One(Policy),
    /// Each what its group must.
    Groups(Box<GroupBar>),
}

impl Bar {
    /// Decides on a sample from what was found or recorded of it.
    pub fn decide(&mut self, sample: &Sample, found: Reason, facts: Facts) -> Decision {
        match self {
            Self::One(policy) => policy.decide_again(found, facts),
            Self::Groups(groups) => groups.decide(sample, found, facts),
        }
    }

    /// What is noted of the pair that was decided last.
    pub fn noted(&self) -> Noted {
        match self {
            Self::One(_) => Noted::default(),
            Self::Groups(groups) => groups.noted(),
        }
    }

    /// See [`Decider::overruled`].
    pub fn overruled(&mut self) {
        if let Self::Groups(groups) = self {
            groups.overruled();
        }
    }

    /// The groups, where there are any.
    pub fn groups(&self) -> Option<&GroupBar> {
        match self {
            Self::One(_) => None,
            Self::Groups(groups) => Some(groups),
        }
    }
}

/// What the pairs of a group have come to.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCount {
    /// The group's name.
    pub name: Arc<str>,
    /// All its pairs.
    pub pairs: u64,
    /// Those that neither rule nor fault kept from the model: what a share is of.
    pub scored: u64,
    /// Those that were kept.
    pub kept: u64,
    /// Those of them that were scored.
    pub kept_scored: u64,
    /// The threshold that decided.
    pub threshold: Option<f32>,
    /// The share that was asked for, where one was.
    pub share: Option<f64>,
}

/// The thresholds of groups.
#[derive(Debug)]
pub struct GroupBar {
    rules: GroupRules,
    /// Its threshold is that of groups which have none of their own.
    policy: Policy,
    groups: Groups,
    counts: Vec<GroupCount>,
    last: usize,
}

impl GroupBar {
    /// No thresholds: pairs are only scored, and their groups noted.
    pub fn scoring(mut rules: GroupRules, policy: Policy) -> Self {
        rules.goal = None;
        Self::new(rules, Policy { threshold: None, ..policy })
    }

    /// Thresholds by `rules`; `policy` has that of groups whose own is not known.
    pub fn new(rules: GroupRules, policy: Policy) -> Self {
        let groups = Groups::default();
        let mut bar = Self { rules, policy, groups, counts: Vec::new(), last: 0 };
        bar.grow();
        bar
    }

    /// What a pair's group is found by.
    pub fn by(&self) -> &By {
        &self.rules.by
    }

    /// The number of the group with this name.
    pub fn add(&mut self, name: Option<&str>) -> usize {
        let is_wanted = name.is_some_and(|name| self.rules.own_goal(name).is_some());
        let number = self.groups.add(name, is_wanted);
        self.grow();
        number
    }

    /// Takes the thresholds that keep the groups' shares of what `records` tells of, which is called once
    /// for each time.
    ///
    /// # Errors
    /// The first one of `records`, or of a record.
    pub fn take_shares<I>(
        &mut self,
        mut records: impl FnMut() -> Result<I, IoError>,
    ) -> Result<(), IoError>
    where
        I: IntoIterator<Item = Result<Record, IoError>>,
    {
        let by = self.rules.by.clone();
        for record in records()? {
            self.add(by.recorded(&record?));
        }
        let shares: Vec<_> = self.counts.iter().map(|count| count.share).collect();
        if shares.iter().all(Option::is_none) {
            return Ok(());
        }
        let groups = &self.groups;
        let scored = |record: Record| {
            let score = pooled_score(record.reason, &record.facts)?;
            Some((groups.find(by.recorded(&record)), score))
        };
        let pass = || {
            let records = records()?.into_iter();
            Ok(records.filter_map(|record| record.map(scored).transpose()))
        };
        let thresholds = thresholds_in_passes(pass, &shares)?;
        for (count, threshold) in self.counts.iter_mut().zip(thresholds) {
            count.threshold = threshold.or(count.threshold);
        }
        Ok(())
    }

    /// Counts a pair that an earlier part of the run has decided.
    pub fn remember(&mut self, record: &Record) {
        let name = self.rules.by.recorded(record).map(str::to_owned);
        let number = self.add(name.as_deref());
        let count = &mut self.counts[number];
        count.threshold = record.threshold.or(count.threshold);
        count.add(&record.decision());
    }

    /// What the groups have come to, in the order of their names, those without pairs left out.
    pub fn counts(&self) -> Vec<GroupCount> {
        let mut counts: Vec<_> = self.counts.iter().filter(|c| c.pairs > 0).cloned().collect();
        counts.sort_by(|one, other| one.name.cmp(&other.name));
        counts
    }

    /// Groups with a goal of their own that no pair was of.
    pub fn unseen(&self) -> Vec<&str> {
        let seen: Vec<&str> =
            self.counts.iter().filter(|count| count.pairs > 0).map(|count| &*count.name).collect();
        self.rules.unseen(&seen)
    }

    /// Whether there were more groups than there is place for.
    pub fn is_full(&self) -> bool {
        self.groups.is_full()
    }

    fn decide(&mut self, sample: &Sample, found: Reason, facts: Facts) -> Decision {
        let name = self.rules.by.name_of(sample);
        self.last = self.add(name.as_deref());
        let count = &mut self.counts[self.last];
        let policy = Policy { threshold: count.threshold, ..self.policy };
        let decision = policy.decide_again(found, facts);
        count.add(&decision);
        decision
    }

    fn overruled(&mut self) {
        let count = &mut self.counts[self.last];
        count.kept -= 1;
        count.kept_scored -= 1;
    }

    fn noted(&self) -> Noted {
        let count = &self.counts[self.last];
        // A shard's name is in the record already.
        let group = (self.rules.by != By::Shard && self.last > 0).then(|| count.name.clone());
        Noted { threshold: count.threshold, group, choice: None }
    }

    /// As many counts as there are groups.
    fn grow(&mut self) {
        while self.counts.len() < self.groups.len() {
            let name = self.groups.name(self.counts.len());
            let (share, threshold) = match self.rules.goal_of(&name) {
                None => (None, None),
                Some(Goal::Share(share)) => (Some(share), self.policy.threshold),
                Some(Goal::Threshold(threshold)) => (None, Some(threshold)),
            };
            let (pairs, scored, kept, kept_scored) = (0, 0, 0, 0);
            let count = GroupCount { name, pairs, scored, kept, kept_scored, threshold, share };
            self.counts.push(count);
        }
    }
}

impl GroupCount {
    fn add(&mut self, decision: &Decision) {
        let is_kept = decision.verdict == Verdict::Kept;
        let is_scored = pooled_score(decision.reason, &decision.facts).is_some();
        self.pairs += 1;
        self.scored += u64::from(is_scored);
        self.kept += u64::from(is_kept);
        self.kept_scored += u64::from(is_kept && is_scored);
    }

    /// The share of the scored pairs that was kept; `None` without scores.
    pub fn kept_share(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.kept_scored as f64 / self.scored as f64)
    }
}

/// Decides by the thresholds of groups on what gates find.
#[derive(Debug)]
pub struct ByGroup(pub GroupBar);

impl Decider for ByGroup {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        Ok(self.0.decide(&pair.sample, pair.evidence.found, pair.evidence.facts))
    }

    fn noted(&mut self) -> Noted {
        self.0.noted()
    }

    fn overruled(&mut self) {
        self.0.overruled();
    }

    fn groups(&self) -> Option<&GroupBar> {
        Some(&self.0)
    }
}
