//! Work on several threads whose outcome does not depend on how many there are.

use crate::error::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `work` for each job on up to `threads` threads: the results in the order of the jobs, or the first error in that order.
pub fn in_parallel<J: Sync, R: Send>(
    threads: usize,
    jobs: &[J],
    work: impl Fn(&J) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<R>>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(position) else { break };
                    let result = work(job);
                    results.lock().expect("no job panics")[position] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("no job panics");
    results
        .into_iter()
        .map(|result| result.expect("each job is taken once"))
        .collect()
}
