//! Fork-join: a list of jobs, a few workers, and the results as they come.
//!
//! After the `ForkJoin` of "Go forth and Multiply" (001:13-58, census A4.1), which leaves two things open that are settled here:
//! what becomes of the workers when the reader of the results stops early, and what a job that panics does to the others.
//!
//! ```
//! use windtunnel_patterns::fork_join::{Done, fork_join};
//!
//! async fn sum_of_squares(numbers: Vec<u64>) -> u64 {
//!     let workers = std::thread::available_parallelism().expect("the system knows");
//!     let mut squares = fork_join(numbers, workers, |n| async move { n * n });
//!     let mut sum = 0;
//!     while let Some(Done { result, .. }) = squares.next().await {
//!         sum += result.expect("no job panics");
//!     }
//!     sum
//! }
//! ```
//!
//! # Contract
//!
//! - *Delivery.* Each job is processed once, by one worker; jobs are taken in the order of the list, and results come in the
//!   order in which the jobs end, with their numbers. Dropping [`Results`] early cuts off the jobs under way.
//! - *When each communication proceeds.* Handing the jobs out never waits: the queue has room for all of them, and it is closed
//!   at once, so that an empty queue means the end. A result waits until it is taken, and its worker with it: that is the
//!   *back-pressure*, at most one result a worker.
//! - *When each task exits.* A worker ends when no job is left and its last result was taken; or at once, where it waits, when
//!   [`Results`] is dropped.
//! - *Panics.* A job that panics has [`JoinError::Panicked`] for a result, and its worker goes on with the next. (In a simulation
//!   or a model a panic ends the run.)

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;

use windtunnel::go::{self, Channel};
use windtunnel::task::JoinError;

use crate::call::caught;
use crate::owned::OwnedTasks;

/// A job that was processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done<R> {
    /// Its number in the list, from zero.
    pub job: usize,
    /// What `process` gave, or how it panicked.
    pub result: Result<R, JoinError>,
}

/// The results of a [`fork_join`]. Dropping it stops the workers.
#[must_use = "the workers stop when this is dropped"]
pub struct Results<R> {
    ended: Channel<Done<R>>,
    /// Jobs whose results have not been taken.
    left: usize,
    workers: OwnedTasks,
}

/// Processes `jobs` on `workers` tasks, fewer if there are fewer jobs; the results are read from what it returns.
///
/// # Panics
/// As [`spawn`](windtunnel::spawn).
pub fn fork_join<J, R, P, F>(jobs: impl IntoIterator<Item = J>, workers: NonZeroUsize, process: P) -> Results<R>
where
    J: Send + 'static,
    R: Send + 'static,
    P: Fn(J) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let jobs: Vec<_> = jobs.into_iter().enumerate().collect();
    let left = jobs.len();
    let (queue, ended) = (go::named("jobs", left), go::named("results", 0));
    for job in jobs {
        assert!(queue.try_send(job).is_ok(), "`jobs` has room for every job");
    }
    queue.close().expect("nobody else closes it");
    let mut tasks = OwnedTasks::default();
    for _ in 0..workers.get().min(left) {
        tasks.spawn("worker", work(queue.clone(), ended.clone(), process.clone()));
    }
    Results { ended, left, workers: tasks }
}

async fn work<J, R, P, F>(jobs: Channel<(usize, J)>, results: Channel<Done<R>>, process: P)
where
    P: Fn(J) -> F,
    F: Future<Output = R>,
{
    while let Some((job, work)) = jobs.recv().await {
        let result = caught(async { process(work).await }).await;
        results.send(Done { job, result }).await.expect("`results` is never closed");
    }
}

impl<R> Results<R> {
    /// The next result; `None` after the last.
    ///
    /// # Cancel safety
    /// A dropped wait loses no result.
    pub async fn next(&mut self) -> Option<Done<R>> {
        if self.left == 0 {
            return None;
        }
        let done = self.ended.recv().await;
        self.left -= 1;
        if self.left == 0 {
            self.workers.detach();
        }
        done
    }
}

impl<R> fmt::Debug for Results<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Results").field(&self.ended).finish()
    }
}
