//! Independent jobs side by side, at most so many at a time; their results in the order in which they were started.
//!
//! The `par` object that Russ Cox's "Go, for Distributed Systems" wishes for on two slides (`par.Limit(10)`, `par.Do(f)`,
//! `par.Wait()`; census A2.4 and A2.7), made real.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use windtunnel_patterns::par::Par;
//!
//! const TEN: NonZeroUsize = NonZeroUsize::new(10).unwrap();
//!
//! async fn squares(numbers: Vec<u64>) -> Vec<u64> {
//!     let mut par = Par::limit(TEN);
//!     for n in numbers {
//!         par.run(async move { n * n }).await;
//!     }
//!     par.wait().await.into_iter().map(|square| square.expect("no job panics")).collect()
//! }
//! ```
//!
//! # Contract
//!
//! - *Back-pressure.* [`run`](Par::run) waits for a free place *before* it starts a task, so there are never more tasks than
//!   the limit, however long the list, and who hands out work faster than it is done is held back. (The slides leave open
//!   whether `Do` blocks or queues; this is their "bounded parallelism, 2", A2.6.)
//! - *When each task exits.* A task waits for nothing but its job. Its place is free again when the job is gone: it ended,
//!   panicked or was cancelled.
//! - *Panics.* The result of a job that panics is [`JoinError::Panicked`]; the other jobs go on. (In a simulation or a model a
//!   panic ends the run.)
//! - *Cancellation.* After [`cancel`](Par::cancel) the result of every job that had not ended is [`JoinError::Cancelled`].
//!   Dropping a `Par` cancels as well, and nobody gets a result.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;

use windtunnel::sync::{OwnedPermit, Semaphore};
use windtunnel::task::{self, JoinError, JoinHandle};

/// Jobs that run side by side. See the [module](self).
pub struct Par<T> {
    /// Places for running tasks, if they are limited.
    places: Option<Arc<Semaphore>>,
    /// The tasks that have not been joined, in order of start.
    tasks: VecDeque<JoinHandle<T>>,
    /// The results of those before.
    results: Vec<Result<T, JoinError>>,
}

impl<T: Send + 'static> Default for Par<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static> Par<T> {
    /// Any number of jobs at once: a task for each.
    pub fn new() -> Self {
        Self::with_places(None)
    }

    /// At most `most` jobs at once.
    pub fn limit(most: NonZeroUsize) -> Self {
        let places = Semaphore::named("par", most.get().min(Semaphore::MAX_PERMITS));
        Self::with_places(Some(Arc::new(places)))
    }

    fn with_places(places: Option<Arc<Semaphore>>) -> Self {
        Self { places, tasks: VecDeque::new(), results: Vec::new() }
    }

    /// Waits for a place and starts `job` as a task.
    ///
    /// # Cancel safety
    /// A dropped wait starts nothing, and drops `job`.
    ///
    /// # Panics
    /// As [`task::spawn`].
    pub async fn run(&mut self, job: impl Future<Output = T> + Send + 'static) {
        let place = self.place().await;
        let name = format!("par {}", self.results.len() + self.tasks.len() + 1);
        self.tasks.push_back(task::spawn_named(name, async move {
            let _place = place;
            job.await
        }));
    }

    async fn place(&self) -> Option<OwnedPermit> {
        match &self.places {
            Some(places) => Some(Arc::clone(places).acquire_owned().await.expect("the places are never closed")),
            None => None,
        }
    }

    /// Waits until every job has ended; the results in the order of the [`run`](Self::run)s. It may be used again afterwards,
    /// as it was at first.
    ///
    /// # Cancel safety
    /// A dropped wait loses no result and stops no job: wait again for all of them.
    pub async fn wait(&mut self) -> Vec<Result<T, JoinError>> {
        while let Some(task) = self.tasks.front_mut() {
            let result = task.await;
            self.tasks.pop_front();
            self.results.push(result);
        }
        mem::take(&mut self.results)
    }
}

impl<T> Par<T> {
    /// Has every job that has not ended dropped where it waits next. [`wait`](Self::wait) tells when they are gone.
    pub fn cancel(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl<T> Drop for Par<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T> fmt::Debug for Par<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Par").field("places", &self.places).field("tasks", &self.tasks).finish_non_exhaustive()
    }
}
