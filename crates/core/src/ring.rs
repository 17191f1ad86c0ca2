//! The capture ring: where a producer that must not wait (a camera callback, an interrupt, a
//! socket reader) hands over what it has.
//!
//! Lock-free, one producer, one consumer, a fixed number of places, no allocation. A push into a
//! full ring gives the item back at once and counts it, so that nothing is lost unseen.

use core::sync::atomic::{AtomicU32, Ordering};

use heapless::spsc::{Consumer, Producer, Queue};

/// A ring with places for `N - 1` items; `N` is at least 2.
#[derive(Debug)]
pub struct Ring<T, const N: usize> {
    queue: Queue<T, N>,
    refused: AtomicU32,
}

/// The producer's end of a [`Ring`].
pub struct Capture<'a, T> {
    producer: Producer<'a, T>,
    refused: &'a AtomicU32,
}

/// The consumer's end of a [`Ring`].
pub struct Intake<'a, T> {
    consumer: Consumer<'a, T>,
    refused: &'a AtomicU32,
}

impl<T, const N: usize> Ring<T, N> {
    /// An empty ring; usable in a `static`.
    pub const fn new() -> Self {
        Self { queue: Queue::new(), refused: AtomicU32::new(0) }
    }

    /// The two ends. They can be moved to different threads or interrupt levels.
    pub fn split(&mut self) -> (Capture<'_, T>, Intake<'_, T>) {
        let (producer, consumer) = self.queue.split();
        let refused = &self.refused;
        (Capture { producer, refused }, Intake { consumer, refused })
    }
}

impl<T, const N: usize> Default for Ring<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Capture<'_, T> {
    /// Adds an item, in constant time and without waiting.
    ///
    /// # Errors
    /// A full ring gives the item back and counts it as refused.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.producer.enqueue(item).inspect_err(|_| {
            // Load and store in place of fetch_add, which the smallest cores do not have; there
            // is one producer, so no count is lost.
            let refused = self.refused.load(Ordering::Relaxed);
            self.refused.store(refused.wrapping_add(1), Ordering::Relaxed);
        })
    }
}

impl<T> Intake<'_, T> {
    /// Takes the oldest item; `None` when there is none at the moment.
    pub fn pop(&mut self) -> Option<T> {
        self.consumer.dequeue()
    }

    /// Items refused since the ring was made; wraps at 2^32.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }
}
