//! Answers wait for the disk: the sink between a run and its output, by itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairgate::agent::serve::{
    Acknowledging, ChannelSource, Desk, Names, Present, Queues, Refused, Slot, StoredNow, Window,
};
use pairgate::disk::{Disk, IoError, SystemFiles};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample, Source};
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Uid};
use pairgate_core::policy::Policy;

use crate::status::SetClock;

/// What a sync takes.
const SYNC: Duration = Duration::from_millis(2);

/// A sink that is told what is on its disk.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<State>>, Arc<SetClock>);

#[derive(Default)]
struct State {
    accepted: u64,
    durable: u64,
    syncs: u64,
    fails: bool,
}

impl Told {
    fn sync_all(&self) -> Result<(), IoError> {
        let mut disk = self.0.lock().unwrap();
        if disk.fails {
            let why = std::io::Error::other("the disk is gone");
            return Err(IoError::Write { to: "kept".into(), why });
        }
        (disk.durable, disk.syncs) = (disk.accepted, disk.syncs + 1);
        self.1.pass(SYNC);
        Ok(())
    }
}

impl Sink for Told {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.0.lock().unwrap().accepted = judged.ticket + 1;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), IoError> {
        self.sync_all()
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        self.sync_all()
    }

    fn durable(&self) -> Option<u64> {
        Some(self.0.lock().unwrap().durable)
    }
}

/// A desk, its source and its sink, and the disk behind that.
struct Parts {
    desk: Arc<Desk>,
    source: ChannelSource,
    sink: Acknowledging<Told>,
    told: Told,
    _queues: Queues,
}

fn parts(places: usize, window: Window) -> Parts {
    let names = Arc::new(Names {
        model: "m".into(),
        model_digest: Digest::default(),
        config_digest: Digest::default(),
    });
    let present = Present { policy: Policy::default(), names };
    let (desk, queues) = Desk::new(places, window, present);
    let (told, stop) = (Told::default(), Arc::default());
    let source = ChannelSource::new(desk.clone(), &queues, stop, 0);
    let disk = Disk::new(Arc::new(SystemFiles), told.1.clone());
    let sink = Acknowledging::new(&disk, told.clone(), desk.clone(), StoredNow::default());
    Parts { desk, source, sink, told, _queues: queues }
}

fn uid(number: u8) -> Uid {
    Uid([number; 16])
}

/// A pair that says its uid.
fn sample(number: u8) -> Sample {
    let about = format!("{{\"uid\": \"{}\"}}", uid(number)).into_bytes();
    let members = vec![Member { extension: "json".into(), data: about }];
    Sample { shard: "serve".into(), key: number.to_string(), members, fault: None }
}

fn judged(ticket: u64, sample: Sample) -> Judged {
    let decision =
        Decision { verdict: Verdict::Kept, reason: Reason::Passed, facts: Facts::default() };
    let uid = sample.metadata().uid.unwrap();
    Judged::new(ticket, sample, uid, decision)
}

/// Whether an answer is there: a try, that waits for nothing.
fn has_answer(slot: &mut Slot) -> bool {
    slot.try_recv().is_ok()
}

#[test]
fn nobody_is_answered_before_the_disk_has_the_pair() {
    let Parts { desk, mut source, mut sink, told, .. } = parts(4, Window::new(10));
    let mut slots: Vec<Slot> =
        (0..3).map(|number| desk.offer(sample(number), None).unwrap()).collect();
    for ticket in 0..3 {
        let sample = source.next().unwrap().unwrap();
        assert_eq!(source.position().item, ticket);
        assert!(!slots.iter_mut().any(has_answer));
        // Before the third comes, the disk has passed the first two.
        told.0.lock().unwrap().durable = if ticket == 2 { 2 } else { 0 };
        sink.accept(&judged(ticket, sample)).unwrap();
    }
    let answered: Vec<bool> = slots.iter_mut().map(has_answer).collect();
    assert_eq!(answered, [true, true, false]);
    // Nothing else waits: the last one does not wait for others.
    sink.settled().unwrap();
    assert!(has_answer(&mut slots[2]));
    // Nobody waits: the disk is left alone.
    sink.settled().unwrap();
    assert_eq!(told.0.lock().unwrap().syncs, 1);
}

/// The more are on their way, the longer a sync waits for them, in lengths of a sync.
#[test]
fn syncs_follow_each_other_at_the_pace_of_the_disk() {
    let Parts { desk, mut source, mut sink, told, .. } = parts(4, Window::new(10));
    let mut slots: Vec<Slot> =
        (0..4).map(|number| desk.offer(sample(number), None).unwrap()).collect();
    let mut samples: Vec<Sample> = (0..4).map(|_| source.next().unwrap().unwrap()).collect();
    assert_eq!(sink.due_in(), None, "nobody waits");
    sink.accept(&judged(0, samples.remove(0))).unwrap();
    assert_eq!(sink.due_in(), Some(Duration::ZERO), "nothing is known of the disk");
    sink.idle().unwrap();
    assert!(has_answer(&mut slots[0]));
    sink.accept(&judged(1, samples.remove(0))).unwrap();
    assert_eq!(sink.due_in(), Some(2 * SYNC), "two are on their way");
    sink.idle().unwrap();
    assert!(!has_answer(&mut slots[1]));
    told.1.pass(SYNC);
    sink.accept(&judged(2, samples.remove(0))).unwrap();
    assert_eq!(sink.due_in(), Some(Duration::ZERO), "one is on its way");
    sink.idle().unwrap();
    assert!(has_answer(&mut slots[1]) && has_answer(&mut slots[2]));
    sink.accept(&judged(3, samples.remove(0))).unwrap();
    assert_eq!(sink.due_in(), Some(Duration::ZERO), "nobody is on the way");
}

#[test]
fn a_failed_sync_is_final_and_told_to_all() {
    let Parts { desk, mut source, mut sink, told, .. } = parts(4, Window::new(10));
    let mut first = desk.offer(sample(1), None).unwrap();
    let mut beside = desk.offer(sample(1), None).unwrap();
    let accepted = source.next().unwrap().unwrap();
    sink.accept(&judged(0, accepted)).unwrap();
    told.0.lock().unwrap().fails = true;
    sink.settled().unwrap_err();
    told.0.lock().unwrap().fails = false;
    sink.settled().unwrap();
    assert!(!has_answer(&mut first) && !has_answer(&mut beside));
    let why = desk.offer(sample(2), None).unwrap_err();
    assert!(matches!(&why, Refused::Ending(why) if why.contains("the disk is gone")), "{why}");
    assert_eq!(source.next().unwrap(), None, "nothing that waits is taken any more");
}

#[test]
fn a_full_queue_takes_nothing_and_keeps_nothing() {
    let Parts { desk, mut source, .. } = parts(2, Window::new(10));
    let _slots = [desk.offer(sample(1), None).unwrap(), desk.offer(sample(2), None).unwrap()];
    assert_eq!(desk.offer(sample(3), None).unwrap_err(), Refused::Full);
    // One that waits for another needs no place of its own.
    desk.offer(sample(2), None).unwrap();
    source.next().unwrap().unwrap();
    // What was refused is not waited for: it gets a place of its own.
    desk.offer(sample(3), None).unwrap();
    assert_eq!(source.next().unwrap().unwrap().key, "2");
    assert_eq!(source.next().unwrap().unwrap().key, "3");
}

#[test]
fn what_has_a_place_is_handed_over_also_at_the_end() {
    let Parts { desk, mut source, .. } = parts(4, Window::new(10));
    let _slot = desk.offer(sample(1), None).unwrap();
    desk.close("the service is ending");
    assert!(matches!(desk.offer(sample(2), None), Err(Refused::Ending(_))));
    assert_eq!(source.next().unwrap().unwrap().key, "1");
    assert_eq!(source.next().unwrap(), None);
}

#[test]
fn the_window_forgets_the_oldest_and_is_bounded_in_bytes() {
    let Parts { desk, mut source, mut sink, .. } = parts(64, Window::new(3));
    let mut offer = |number: u8, key: &str| {
        let mut sample = Sample { key: key.to_owned(), ..sample(number) };
        let mut slot = desk.offer(sample.clone(), None).unwrap();
        if has_answer(&mut slot) {
            return true;
        }
        sample = source.next().unwrap().unwrap();
        sink.accept(&judged(source.position().item, sample)).unwrap();
        sink.settled().unwrap();
        false
    };
    for number in 0..4 {
        assert!(!offer(number, "a"));
    }
    assert!(offer(3, "a") && offer(2, "a") && offer(1, "a"));
    assert!(!offer(0, "a"), "it was the oldest");
    // Long keys leave room for fewer.
    assert!(!offer(5, &"k".repeat(1100)));
    assert!(offer(5, "a") && !offer(0, "a"));
}

#[test]
fn who_waits_for_what_never_comes_is_told_at_the_end() {
    let parts = parts(4, Window::new(10));
    let slot = parts.desk.offer(sample(1), None).unwrap();
    let waiting = parts.desk.clone();
    let told = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(waiting.answer(slot))
    });
    std::thread::sleep(Duration::from_millis(50));
    parts.desk.end();
    assert!(matches!(told.join().unwrap(), Err(Refused::Ending(_))));
}
