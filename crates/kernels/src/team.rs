//! The threads that one run of a model is split over. Most runs have one: workers are independent,
//! and pairs come faster when each core has its own. More threads to a run give a lower latency.

use std::ops::Range;
use std::sync::Arc;

/// One thread, or a pool of them.
#[derive(Debug, Clone, Default)]
pub struct Team {
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl Team {
    /// The calling thread alone.
    pub const ALONE: Self = Self { pool: None };

    /// A team of `threads`, at least one.
    ///
    /// # Errors
    /// The system's, if it gives no threads.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        if threads <= 1 {
            return Ok(Self::ALONE);
        }
        let name = |place| format!("team-{place}");
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build()?;
        Ok(Self { pool: Some(Arc::new(pool)) })
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs `work` on one of the team's threads, so that the splits inside it start at once.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Calls `work` with parts of `0..count` that cover it, each on a thread. Parts hold at least
    /// `least` and start at multiples of `least`.
    pub fn split(&self, count: usize, least: usize, work: impl Fn(Range<usize>) + Sync) {
        let units = count.div_ceil(least.max(1));
        let parts = self.threads().min(units);
        if parts <= 1 {
            return work(0..count);
        }
        let least = least.max(1);
        let part = |i: usize| (units * i / parts * least).min(count);
        self.run(|| {
            rayon::scope(|scope| {
                for i in 1..parts {
                    let work = &work;
                    scope.spawn(move |_| work(part(i)..part(i + 1)));
                }
                work(0..part(1));
            });
        });
    }
}
