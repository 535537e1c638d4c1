//! Work on several threads whose outcome does not depend on how many there are.

use crate::error::Result;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// `work` for each job on up to `threads` threads: the results in the order of the jobs, or the first error in that order.
/// `progress` is called on this thread with the number of jobs done.
pub fn in_parallel<J: Sync, R: Send>(
    threads: usize,
    jobs: &[J],
    work: impl Fn(&J) -> Result<R> + Sync,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<Result<R>>> = jobs.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        let (out, done) = mpsc::channel();
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let (out, next, work) = (out.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(position) else { break };
                    // The receiver lives until all senders are gone.
                    let _ = out.send((position, work(job)));
                }
            });
        }
        drop(out);
        for (count, (position, result)) in (1..).zip(done) {
            results[position] = Some(result);
            progress(count);
        }
    });
    results
        .into_iter()
        .map(|result| result.expect("each job is taken once"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn results_and_errors_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..20).collect();
        let slow_first = |job: &u64| {
            std::thread::sleep(std::time::Duration::from_micros(500 * (20 - job)));
            Ok(job * job)
        };
        for threads in [0, 1, 3, 50] {
            let mut counts = vec![];
            let found = in_parallel(threads, &jobs, slow_first, &mut |count| counts.push(count));
            assert_eq!(
                found.unwrap(),
                jobs.iter().map(|j| j * j).collect::<Vec<_>>()
            );
            assert_eq!(counts, (1..=20).collect::<Vec<_>>());
        }
        let odd_fail = |job: &u64| match job % 2 {
            0 => Ok(()),
            _ => Err(Error::NotFinite {
                step: *job,
                value: 0.0,
                term: None,
                group: None,
                replay: None,
            }),
        };
        let error = in_parallel(3, &jobs, odd_fail, &mut |_| ()).unwrap_err();
        assert!(matches!(error, Error::NotFinite { step: 1, .. }));
        assert!(
            in_parallel(2, &[], slow_first, &mut |_| ())
                .unwrap()
                .is_empty()
        );
    }
}
