//! The pipeline's part: pairs beside a run leave no trace in it, and the sink hears when nothing waits.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use pairgate::decide::Fixed;
use pairgate::disk::IoError;
use pairgate::gate::{Evidence, Examine, ExamineError};
use pairgate::pipeline::{Aside, Reloads, Run, Signals};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate_core::config::PipelineConfig;
use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::PairRef;
use pairgate_core::policy::Policy;

use super::PATIENCE;

/// The score is the caption's first byte, in hundredths.
struct FirstByte;

impl Examine for FirstByte {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        let score = |pair: &PairRef<'_>| f32::from(pair.caption.unwrap()[0]) / 100.0;
        let facts = |pair| Facts { score: Some(score(pair)), ..Facts::default() };
        Ok(pairs.iter().map(|pair| Evidence::new(Reason::Passed, facts(pair))).collect())
    }
}

/// Gives a pair for each number that is sent, and ends with the sender.
struct Sent(Receiver<u8>);

impl Source for Sent {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        Ok(self.0.recv().ok().map(sample))
    }
}

fn sample(number: u8) -> Sample {
    let members = vec![Member { extension: "txt".into(), data: vec![number] }];
    Sample { shard: "sent".into(), key: number.to_string(), members, fault: None }
}

/// What the sink is told, in its order.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Pair(u64, String),
    Settled,
    Idle,
}

struct Tell {
    told: Sender<Told>,
    /// What it says of when something is due.
    due_in: Option<Duration>,
}

impl Sink for Tell {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.told.send(Told::Pair(judged.ticket, judged.sample.key.clone())).unwrap();
        Ok(())
    }

    fn settled(&mut self) -> Result<(), IoError> {
        self.told.send(Told::Settled).unwrap();
        Ok(())
    }

    fn due_in(&self) -> Option<Duration> {
        self.due_in
    }

    fn idle(&mut self) -> Result<(), IoError> {
        // What was due is done.
        if self.due_in.take().is_some() {
            self.told.send(Told::Idle).unwrap();
        }
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

#[test]
fn asides_are_answered_and_leave_no_trace() {
    let (send, sent) = channel();
    let (told, hear) = channel();
    let (ask, asides) = crossbeam_channel::bounded(8);
    let run = std::thread::spawn(move || {
        let config = PipelineConfig { batch: 3, ..PipelineConfig::default() };
        let run = Run {
            source: Box::new(Sent(sent)),
            decider: &mut Fixed(Policy::default()),
            sink: &mut Tell { told, due_in: None },
            config: &config,
            signals: &Signals::default(),
            first_ticket: 5,
        };
        let examiners = vec![FirstByte, FirstByte];
        run.through_generations(examiners, &Reloads::new(2), asides, |_| ())
    });
    let (answer, answers) = channel();
    for number in 0..20_u8 {
        let answer = answer.clone();
        let aside = Aside::new(sample(100 + number), move |_, evidence| {
            answer.send(evidence.facts.score.unwrap()).unwrap();
        });
        ask.send(aside).unwrap();
        if number.is_multiple_of(4) {
            send.send(number).unwrap();
        }
    }
    let mut scores: Vec<u32> =
        (0..20).map(|_| (answers.recv_timeout(PATIENCE).unwrap() * 100.0).round() as u32).collect();
    scores.sort_unstable();
    assert_eq!(scores, (100..120).collect::<Vec<_>>());
    // That nobody asks any more ends nothing, and keeps nobody busy.
    drop(ask);
    send.send(99).unwrap();
    drop(send);
    let outcome = run.join().unwrap();
    assert_eq!((outcome.read, outcome.counts.decided()), (6, 6));
    let pairs: Vec<Told> = hear.into_iter().filter(|told| matches!(told, Told::Pair(..))).collect();
    let wanted = [0_u8, 4, 8, 12, 16, 99].into_iter().zip(5..);
    let wanted: Vec<Told> =
        wanted.map(|(key, ticket)| Told::Pair(ticket, key.to_string())).collect();
    assert_eq!(pairs, wanted);
}

#[test]
fn the_sink_hears_when_nothing_waits_and_when_something_is_due() {
    let (send, sent) = channel();
    let (told, hear) = channel();
    let run = std::thread::spawn(move || {
        let run = Run {
            source: Box::new(Sent(sent)),
            decider: &mut Fixed(Policy::default()),
            sink: &mut Tell { told, due_in: Some(Duration::ZERO) },
            config: &PipelineConfig::default(),
            signals: &Signals::default(),
            first_ticket: 0,
        };
        run.through(vec![FirstByte], |_| ())
    });
    // It is due at once: the usual second is not waited for.
    assert_eq!(hear.recv_timeout(PATIENCE).unwrap(), Told::Idle);
    for ticket in 0..3 {
        send.send(1).unwrap();
        assert_eq!(hear.recv_timeout(PATIENCE).unwrap(), Told::Pair(ticket, "1".into()));
        assert_eq!(hear.recv_timeout(PATIENCE).unwrap(), Told::Settled);
    }
    drop(send);
    assert_eq!(run.join().unwrap().read, 3);
}
