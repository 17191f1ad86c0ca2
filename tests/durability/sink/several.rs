//! Several sinks at once.

use std::io;
use std::sync::{Arc, Mutex};

use pairgate::disk::IoError;
use pairgate::sink::{Judged, RunEnd, Sink};

use super::{accept_all, kept, rejected, to};

/// Notes what it is asked, and fails where it is told to.
struct Noting {
    name: &'static str,
    notes: Arc<Mutex<Vec<String>>>,
    fails_at: Option<usize>,
    fails_to_finish: bool,
    accepted: usize,
}

impl Noting {
    fn new(name: &'static str, notes: &Arc<Mutex<Vec<String>>>) -> Self {
        Self { name, notes: notes.clone(), fails_at: None, fails_to_finish: false, accepted: 0 }
    }

    fn note(&self, text: &str, fails: bool) -> Result<(), IoError> {
        self.notes.lock().unwrap().push(format!("{}:{text}", self.name));
        let why = io::Error::other("told to fail");
        if fails { Err(IoError::Write { to: self.name.into(), why }) } else { Ok(()) }
    }
}

impl Sink for Noting {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let fails = self.fails_at == Some(self.accepted);
        self.accepted += 1;
        self.note(&judged.sample.key, fails)
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        self.note("finish", self.fails_to_finish)
    }
}

#[test]
fn each_sink_gets_every_pair_in_order() {
    let notes = Arc::default();
    let mut sinks: Vec<Box<dyn Sink>> =
        vec![Box::new(Noting::new("x", &notes)), Box::new(Noting::new("y", &notes))];
    accept_all(&mut sinks, &[kept("a"), rejected("b")]);
    let expected = ["x:a", "y:a", "x:b", "y:b", "x:finish", "y:finish"];
    assert_eq!(*notes.lock().unwrap(), expected);
    let mut none: Vec<Box<dyn Sink>> = Vec::new();
    accept_all(&mut none, &[kept("a")]);
}

#[test]
fn failing_sink_ends_the_round_but_all_are_finished() {
    let notes = Arc::default();
    let mut sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(Noting { fails_at: Some(1), fails_to_finish: true, ..Noting::new("x", &notes) }),
        Box::new(Noting { fails_to_finish: true, ..Noting::new("y", &notes) }),
    ];
    sinks.accept(&kept("a")).unwrap();
    assert_eq!(to(&sinks.accept(&kept("b")).unwrap_err()), "x");
    assert_eq!(to(&sinks.finish(RunEnd::Failed).unwrap_err()), "x", "the first error is given");
    assert_eq!(*notes.lock().unwrap(), ["x:a", "y:a", "x:b", "x:finish", "y:finish"]);
}
