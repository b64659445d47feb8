//! A task's future as its runtime sees it, and the handle that waits for its end.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project::pin_project;

use super::entry::{label, swap_current};
use super::{Entry, Op, blocked, with_current};
use crate::backend::Kind;
use crate::lock::Lock;
use crate::run;

/// Why a task gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The task panicked, with this message. In a simulation or a model the run ends there, as a Go program would.
    Panicked(String),
    /// The task was dropped before its end: its runtime shut down, or its node was killed.
    Cancelled,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(message) => write!(f, "the task panicked: {message}"),
            JoinError::Cancelled => f.write_str("the task was cancelled before its end"),
        }
    }
}

impl std::error::Error for JoinError {}

/// The result of a task on its way to the handle. One handle, hence one waiter: its waker is all the queue there is.
struct Join<T> {
    result: Option<Result<T, JoinError>>,
    finished: bool,
    waker: Option<Waker>,
}

/// Waits for a task to end. As a future it gives the task's result, once.
///
/// Dropping it detaches the task. Cancel safe: a dropped `&mut JoinHandle` await loses nothing.
pub struct JoinHandle<T> {
    join: Arc<Lock<Join<T>>>,
    id: u64,
    name: Option<Arc<str>>,
    at: &'static Location<'static>,
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&label(self.name.as_deref(), self.id)).finish()
    }
}

impl<T> JoinHandle<T> {
    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.join.lock().finished
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut join = self.join.lock();
        if join.finished {
            return Poll::Ready(join.result.take().expect("a JoinHandle gives its result once"));
        }
        join.waker = Some(cx.waker().clone());
        drop(join);
        blocked(Op::Join, None, self.at);
        Poll::Pending
    }
}

/// A task for the runtime and the handle for its result.
#[track_caller]
pub(crate) fn pair<F: Future>(entry: Arc<Entry>, future: F) -> (Task<F>, JoinHandle<F::Output>) {
    let join = Arc::new(Lock::new(Join { result: None, finished: false, waker: None }));
    let handle = JoinHandle { join: Arc::clone(&join), id: entry.id, name: entry.name.clone(), at: Location::caller() };
    let end = End { entry: Some(entry), join, reported: false };
    (Task { future: Some(future), end }, handle)
}

impl<F: Future> Task<F> {
    /// The task's entry, before its first poll.
    #[cfg(feature = "model")]
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        self.end.entry.as_ref().expect("in its place between polls")
    }
}

/// Drives a task's future: makes it the current task, notes where it blocks, and reports its end.
#[pin_project]
pub(crate) struct Task<F: Future> {
    #[pin]
    future: Option<F>,
    // Dropped after the future: who joins the task sees everything its destructors did.
    end: End<F::Output>,
}

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.end.entry().begin_poll();
        let current = Current::enter(&mut this.end.entry);
        let future = this.future.as_mut().as_pin_mut().expect("a finished task is not polled");
        let result = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => {
                drop(current);
                this.end.entry().end_pending_poll();
                return Poll::Pending;
            }
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => match panicked(panic) {
                Some(error) => Err(error),
                None => return Poll::Pending,
            },
        };
        this.future.set(None);
        // While it is current, as for everything that the task says.
        with_current(Entry::unregister);
        drop(current);
        this.end.finish(result);
        Poll::Ready(())
    }
}

/// On tokio a panic ends its task and is the joiner's to handle. In a simulation or a model it ends the run: a model's engine
/// unwinds; a simulation's driver is woken, and the task stays as it is until the driver drops it.
fn panicked(panic: Box<dyn Any + Send>) -> Option<JoinError> {
    match run::kind() {
        Kind::Tokio => {}
        #[cfg(feature = "sim")]
        Kind::Madsim => {
            run::with(|run| run.engine().sim.wake_driver());
            return None;
        }
        #[cfg(feature = "model")]
        Kind::Loom => std::panic::resume_unwind(panic),
    }
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    Some(JoinError::Panicked(text.unwrap_or_else(|| "a value that is not a string".into())))
}

/// Reports the end of a task, by its result or by being dropped.
struct End<T> {
    /// The task's entry. While the task is polled, the entry of the task that was current before.
    entry: Option<Arc<Entry>>,
    join: Arc<Lock<Join<T>>>,
    reported: bool,
}

impl<T> End<T> {
    /// The entry, between polls.
    fn entry(&self) -> &Entry {
        self.entry.as_ref().expect("in its place between polls")
    }

    fn finish(&mut self, result: Result<T, JoinError>) {
        self.reported = true;
        let Some(mut join) = self.join.lock_in_drop() else { return };
        join.result = Some(result);
        join.finished = true;
        let waker = join.waker.take();
        drop(join);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        if !self.reported {
            self.entry().unregister();
            self.finish(Err(JoinError::Cancelled));
        }
    }
}

/// Makes a task current for as long as it lives.
struct Current<'a>(&'a mut Option<Arc<Entry>>);

impl<'a> Current<'a> {
    fn enter(entry: &'a mut Option<Arc<Entry>>) -> Self {
        swap_current(entry);
        Self(entry)
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        swap_current(self.0);
    }
}
