//! A function over the positions 0, 1, 2, ... on several threads, its results handed out in order, a bounded number ahead.

use cpu_time::ThreadTime;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// Time between two looks whether the one who waits should stop.
const LOOK: Duration = Duration::from_millis(50);

/// Results of `work(position)` in the order of the positions, whatever the number of threads.
///
/// At most `ahead` positions are in work or wait to be taken. When it is dropped, what is in work is finished, the rest is
/// left, and the threads have ended. A panic of `work` comes out of [`Iterator::next`]. Once [`Ordered::stopper`] is set there are
/// no more results. libtorch works for each thread on that thread alone, so that they do not take the cores from one another.
pub struct Ordered<T> {
    jobs: Option<Sender<u64>>,
    results: Receiver<(u64, Outcome<T>)>,
    waiting: BTreeMap<u64, Outcome<T>>,
    /// Positions that are not yet handed out, and the first that no thread has been given.
    open: Range<u64>,
    issued: u64,
    ahead: u64,
    stop: Arc<AtomicBool>,
    gauge: Arc<Gauge>,
    threads: Vec<JoinHandle<()>>,
}

/// How the threads keep up.
#[derive(Debug, Default)]
pub struct Gauge {
    threads: u64,
    /// Results that are made and not yet handed out.
    ready: AtomicU64,
    /// Results made, and the time that all threads together took for them.
    made: AtomicU64,
    nanoseconds: AtomicU64,
    /// Processor time of the threads for them.
    cpu: AtomicU64,
}

impl Gauge {
    /// Results that are made and not yet handed out.
    pub fn ready(&self) -> u64 {
        self.ready.load(Ordering::Relaxed)
    }

    /// Results per second that the threads make where nothing holds them up; none before the first.
    pub fn pace(&self) -> Option<f64> {
        let seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        let made = self.made.load(Ordering::Relaxed);
        (made > 0 && seconds > 0.0).then(|| (made * self.threads) as f64 / seconds)
    }

    /// Processor time that the threads took for what is made.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu.load(Ordering::Relaxed))
    }
}

impl<T: Send + 'static> Ordered<T> {
    /// Starts `threads` threads, at least one, on the `positions`.
    pub fn new(
        positions: Range<u64>,
        threads: usize,
        ahead: usize,
        work: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> Self {
        let (jobs, inbox) = unbounded::<u64>();
        let (outbox, results) = unbounded();
        let (work, stop) = (Arc::new(work), Arc::new(AtomicBool::new(false)));
        let gauge = Arc::new(Gauge {
            threads: threads.max(1) as u64,
            ..Gauge::default()
        });
        let worker = |_| {
            let (inbox, outbox, work, stop, gauge) = (
                inbox.clone(),
                outbox.clone(),
                Arc::clone(&work),
                Arc::clone(&stop),
                Arc::clone(&gauge),
            );
            std::thread::spawn(move || {
                // Where it cannot be set, the threads are slower and nothing else.
                let _ = crate::ffi::one_thread();
                for position in inbox {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (start, cpu) = (Instant::now(), ThreadTime::now());
                    let outcome = catch_unwind(AssertUnwindSafe(|| work(position)));
                    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    gauge.nanoseconds.fetch_add(took, Ordering::Relaxed);
                    let cpu = u64::try_from(cpu.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    gauge.cpu.fetch_add(cpu, Ordering::Relaxed);
                    gauge.made.fetch_add(1, Ordering::Relaxed);
                    gauge.ready.fetch_add(1, Ordering::Relaxed);
                    if outbox.send((position, outcome)).is_err() {
                        break;
                    }
                }
            })
        };
        let threads = (0..threads.max(1)).map(worker).collect();
        let issued = positions.start;
        let mut ordered = Self {
            jobs: Some(jobs),
            results,
            waiting: BTreeMap::new(),
            open: positions,
            issued,
            ahead: ahead.max(1) as u64,
            stop,
            gauge,
            threads,
        };
        ordered.issue();
        ordered
    }

    /// Bounds what is made ahead from now on; what is in work already is not taken back.
    pub fn set_ahead(&mut self, ahead: usize) {
        self.ahead = ahead.max(1) as u64;
        self.issue();
    }

    /// Set it to end the waiting in [`Iterator::next`].
    pub fn stopper(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// How the threads keep up.
    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    /// Gives the threads as many positions as the bound allows.
    fn issue(&mut self) {
        let until = self
            .open
            .end
            .min(self.open.start.saturating_add(self.ahead));
        for position in self.issued..until {
            // Threads that have been stopped take no more.
            if self
                .jobs
                .as_ref()
                .is_none_or(|jobs| jobs.send(position).is_err())
            {
                return;
            }
            self.issued = position + 1;
        }
    }
}

impl<T: Send + 'static> Iterator for Ordered<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.open.is_empty() {
            return None;
        }
        let position = self.open.start;
        let outcome = loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(outcome) = self.waiting.remove(&position) {
                break outcome;
            }
            match self.results.recv_timeout(LOOK) {
                Ok((at, outcome)) => drop(self.waiting.insert(at, outcome)),
                Err(RecvTimeoutError::Timeout) => {}
                // The threads have been stopped since.
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        };
        self.gauge.ready.fetch_sub(1, Ordering::Relaxed);
        self.open.start += 1;
        self.issue();
        match outcome {
            Ok(result) => Some(result),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic in a thread was caught and sent; there is nothing left to learn from the join.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for threads in [0, 1, 3, 8] {
            let slow_first = |position: u64| {
                std::thread::sleep(Duration::from_micros(200 * (7 - position % 7)));
                position * position
            };
            let got: Vec<u64> = Ordered::new(3..40, threads, 5, slow_first).collect();
            assert_eq!(got, (3..40).map(|p| p * p).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_more_than_the_bound_is_made_ahead() {
        let started = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&started);
        let mut ordered = Ordered::new(0..1000, 2, 4, move |p| {
            count.fetch_add(1, Ordering::SeqCst);
            p
        });
        assert_eq!(ordered.next(), Some(0));
        std::thread::sleep(Duration::from_millis(50));
        assert!(started.load(Ordering::SeqCst) <= 5);
        drop(ordered);
        assert!(started.load(Ordering::SeqCst) <= 5);
    }

    #[test]
    fn the_bound_moves_and_the_gauge_counts_what_waits() {
        let mut ordered = Ordered::new(0..100, 2, 8, |p| p);
        ordered.set_ahead(3);
        assert!((0..20).all(|p| ordered.next() == Some(p)));
        let start = Instant::now();
        let gauge = ordered.gauge();
        while gauge.ready() < 3 {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(gauge.ready(), 3);
        assert!(gauge.pace().unwrap() > 0.0);
    }

    #[test]
    fn the_one_who_waits_can_be_stopped() {
        let (go, gate) = unbounded::<()>();
        let mut ordered = Ordered::new(0..10, 1, 4, move |p| gate.recv().map(|()| p));
        let stopper = ordered.stopper();
        let waits = std::thread::spawn(move || {
            let got = ordered.next();
            (got, ordered)
        });
        stopper.store(true, Ordering::Relaxed);
        let (got, ordered) = waits.join().unwrap();
        assert_eq!(got, None);
        drop(go);
        drop(ordered);
    }

    #[test]
    fn threads_that_have_ended_are_given_nothing() {
        let mut ordered = Ordered::new(0..100, 2, 1, |p| p);
        let gauge = ordered.gauge();
        while gauge.ready() < 1 {
            std::thread::yield_now();
        }
        ordered.stopper().store(true, Ordering::Relaxed);
        // Each thread wakes for one of these and ends; what is ready waits.
        ordered.set_ahead(3);
        while !ordered.threads.iter().all(JoinHandle::is_finished) {
            std::thread::yield_now();
        }
        ordered.set_ahead(10);
        assert_eq!(ordered.next(), None);
    }

    #[test]
    fn a_panic_reaches_the_one_who_asks() {
        let mut ordered = Ordered::new(0..10, 2, 4, |p| assert_ne!(p, 2, "two"));
        assert_eq!((ordered.next(), ordered.next()), (Some(()), Some(())));
        assert!(catch_unwind(AssertUnwindSafe(|| ordered.next())).is_err());
        assert_eq!(ordered.next(), Some(()));
    }
}
