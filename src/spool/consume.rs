//! The end of a spool that pairs come out of: reading, acknowledging, removing.

use super::segment::{Item, SegmentReader};
use super::{Ledger, Spool};
use crate::disk::{IoError, set_aside};

impl Spool {
    /// The next pair that was not read: its sequence number and its bytes. `None` where there is none
    /// yet. A pair may be given before it is durable.
    ///
    /// # Errors
    /// [`IoError::Read`] if the system refuses. Damage is none.
    pub fn next_pair(&mut self) -> Result<Option<(u64, Vec<u8>)>, IoError> {
        while self.read < self.next {
            let Some(at) = self.segments.iter().position(|s| s.next > self.read) else {
                self.lose(self.next);
                return Ok(None);
            };
            let Some(reader) =
                self.reader.as_mut().filter(|r| r.first() == self.segments[at].first)
            else {
                self.reader = Some(SegmentReader::open(&self.segments[at], self.id)?);
                continue;
            };
            let (read, end) = (self.read, self.segments[at].bytes);
            match reader.next(read, end)? {
                Item::Frame { sequence, payload } => {
                    self.lose(sequence);
                    self.read = sequence + 1;
                    self.is_again = self.read <= self.seen;
                    self.seen = self.seen.max(self.read);
                    return Ok(Some((sequence, payload)));
                }
                Item::Damage => self.segments[at].is_damaged = true,
                Item::End => {
                    let next = self.segments[at].next;
                    self.lose(next);
                }
            }
        }
        Ok(None)
    }

    /// Counts the pairs below `sequence` that were not read: they are not there.
    fn lose(&mut self, sequence: u64) {
        let missing = sequence.saturating_sub(self.read.max(self.seen));
        if missing > 0 {
            log::warn!("{}: {missing} pairs are damaged and lost", self.folder.display());
        }
        self.lost.damaged += missing;
        self.read = self.read.max(sequence);
        self.seen = self.seen.max(self.read);
    }

    /// Counts a pair whose frame is whole and whose bytes are none, and keeps its segment.
    pub(super) fn spoil(&mut self, sequence: u64) {
        log::warn!("{}: pair {sequence} cannot be read and is lost", self.folder.display());
        self.lost.damaged += u64::from(!self.is_again);
        let holder = self.segments.iter_mut().find(|segment| segment.next > sequence);
        if let Some(segment) = holder {
            segment.is_damaged = true;
        }
    }

    /// Says that all pairs below `next` are done with. Segments that hold no others go.
    pub fn acknowledge(&mut self, next: u64) {
        if next > self.acknowledged {
            self.acknowledged = next.min(self.next);
            self.remove_done();
        }
    }

    /// Removes segments in which nothing waits. What cannot be removed now is tried again later.
    pub(super) fn remove_done(&mut self) {
        let before = self.segments.len();
        while let Some(first) = self.segments.front() {
            let is_open = self.segments.len() == 1 && self.writer.is_some();
            if first.next > self.acknowledged || is_open {
                break;
            }
            let gone = match first.is_damaged {
                true => set_aside(&self.disk, &first.path).map(|aside| {
                    log::warn!("what is damaged is kept as {}", aside.display());
                }),
                false => self.disk.remove_file(&first.path),
            };
            if let Err(error) = gone {
                // Names that come behind a sync that failed may never reach the disk.
                self.failed |= first.is_damaged;
                log::warn!("{error}");
                break;
            }
            self.segments.pop_front();
        }
        if self.segments.len() < before {
            self.write_ledger();
        }
    }

    /// Drops the oldest segment's pairs to make room; gives how many were not read.
    ///
    /// # Errors
    /// [`IoError::Write`] if the disk does not work.
    pub fn drop_oldest(&mut self) -> Result<u64, IoError> {
        self.refuse_failed()?;
        if self.segments.len() == 1 && self.writer.is_some() {
            let closed = self.close_segment();
            self.failed |= closed.is_err();
            closed?;
        }
        let Some(next) = self.segments.front().map(|first| first.next) else { return Ok(0) };
        let dropped = next.saturating_sub(self.read);
        self.lost.dropped += dropped;
        self.read = self.read.max(next);
        self.acknowledge(next);
        Ok(dropped)
    }

    /// A hint: nothing rests on it.
    fn write_ledger(&self) {
        let ledger = Ledger { id: self.id, next: self.next, acknowledged: self.acknowledged };
        if let Err(error) = ledger.write(&self.disk, &self.folder) {
            log::warn!("{error}");
        }
    }
}
