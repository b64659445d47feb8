//! A task's future as its runtime sees it, and the handle that waits for its end.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
#[cfg(feature = "sim")]
use std::time::Duration;

use pin_project::pin_project;

use super::entry::swap_current;
use super::join_set::{self, Members};
use super::{AbortHandle, Entry, Op, blocked, with_current};
use crate::backend::{self, Effect, Kind};
#[cfg(feature = "sim")]
use crate::engine;
use crate::lock::Lock;
use crate::run;
use crate::sync::acquire::Gate;

/// Why a task gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The task panicked, with this message. In a simulation or a model the run ends there, as a Go program would.
    Panicked(String),
    /// The task was dropped before its end: it was aborted, its runtime shut down, or its node was killed.
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
pub(super) struct Join<T> {
    result: Option<Result<T, JoinError>>,
    finished: bool,
    waker: Option<Waker>,
}

/// Waits for a task to end. As a future it gives the task's result, once.
///
/// Dropping it detaches the task. Cancel safe: a dropped `&mut JoinHandle` await loses nothing.
pub struct JoinHandle<T> {
    join: Arc<Lock<Join<T>>>,
    abort: AbortHandle,
    at: &'static Location<'static>,
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.abort).finish()
    }
}

impl<T> JoinHandle<T> {
    /// Has the task dropped at its next scheduling point: see [`AbortHandle::abort`].
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// A handle that only aborts: it can be cloned, and kept by another task than the joiner.
    pub fn abort_handle(&self) -> AbortHandle {
        self.abort.clone()
    }

    /// The task's number in its run, in order of spawning.
    pub fn id(&self) -> u64 {
        self.abort.id()
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        backend::observe_waits(Op::Join);
        let join = self.join.lock();
        self.join.raw().effect(|| Effect::Looked);
        join.finished
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
pub(crate) fn pair<F: Future>(
    entry: Arc<Entry>,
    at: &'static Location<'static>,
    future: F,
) -> (Task<F>, JoinHandle<F::Output>) {
    let join = Arc::new(Lock::new(Join { result: None, finished: false, waker: None }));
    let handle = JoinHandle { join: Arc::clone(&join), abort: AbortHandle::new(&entry), at };
    (Task::new(entry, future, Joiner::Handle(join)), handle)
}

/// Drives a task's future: makes it the current task, notes where it blocks, and reports its end.
#[pin_project]
pub(crate) struct Task<F: Future> {
    #[pin]
    future: Option<F>,
    // Dropped after the future: who joins the task sees everything its destructors did.
    end: End<F::Output>,
    /// When its turn comes on a slow node, while it waits for it.
    #[cfg(feature = "sim")]
    turn: Option<Duration>,
}

impl<F: Future> Task<F> {
    pub(super) fn new(entry: Arc<Entry>, future: F, joiner: Joiner<F::Output>) -> Self {
        let end = End { entry: Some(entry), joiner: Some(joiner) };
        Self {
            future: Some(future),
            end,
            #[cfg(feature = "sim")]
            turn: None,
        }
    }

    /// The task's entry, before its first poll.
    #[cfg(feature = "model")]
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        self.end.entry.as_ref().expect("in its place between polls")
    }
}

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        #[cfg(feature = "sim")]
        if !has_turn(this.end.entry(), this.turn, cx) {
            return Poll::Pending;
        }
        this.end.entry().begin_poll();
        let seen = this.end.entry().abort.look();
        let current = Current::enter(&mut this.end.entry);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let result = if seen.is_aborted() {
                Err(JoinError::Cancelled)
            } else {
                let future = this.future.as_mut().as_pin_mut().expect("a finished task is not polled");
                Ok(ready!(future.poll(cx)))
            };
            // Here, so that a panic of its destructors is the task's.
            this.future.set(None);
            Poll::Ready(result)
        }));
        #[cfg(feature = "sim")]
        if run::kind() == Kind::Madsim {
            engine::end_poll();
        }
        let result = match polled {
            Ok(Poll::Pending) => {
                drop(current);
                let entry = this.end.entry();
                entry.end_pending_poll();
                if !seen.has_paused() {
                    entry.abort.pause(cx.waker());
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(result)) => result,
            Err(panic) => match panicked(panic) {
                Some(error) => {
                    this.future.set(None);
                    Err(error)
                }
                None => return Poll::Pending,
            },
        };
        // While it is current, as for everything that the task says.
        with_current(Entry::unregister);
        drop(current);
        this.end.finish(result);
        Poll::Ready(())
    }
}

/// Whether the task may be polled: on a slow node of a simulation it takes turns with the others.
#[cfg(feature = "sim")]
fn has_turn(entry: &Entry, turn: &mut Option<Duration>, cx: &Context<'_>) -> bool {
    run::kind() != Kind::Madsim || engine::begin_poll(entry, turn, cx.waker())
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
        Kind::Loom | Kind::Explore => std::panic::resume_unwind(panic),
    }
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    Some(JoinError::Panicked(text.unwrap_or_else(|| "a value that is not a string".into())))
}

/// Who is told how a task ended.
pub(super) enum Joiner<T> {
    /// Its [`JoinHandle`].
    Handle(Arc<Lock<Join<T>>>),
    /// The [`JoinSet`](super::JoinSet) it is a member of.
    Set(Arc<Gate<Members<T>>>),
}

impl<T> Joiner<T> {
    fn tell(self, id: u64, result: Result<T, JoinError>) {
        match self {
            Joiner::Handle(join) => {
                let Some(mut join) = join.lock_in_drop() else { return };
                join.result = Some(result);
                join.finished = true;
                let waker = join.waker.take();
                drop(join);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Joiner::Set(members) => join_set::member_ended(&members, id, result),
        }
    }
}

/// Reports the end of a task, by its result or by being dropped.
struct End<T> {
    /// The task's entry. While the task is polled, the entry of the task that was current before.
    entry: Option<Arc<Entry>>,
    /// Gone once it was told.
    joiner: Option<Joiner<T>>,
}

impl<T> End<T> {
    /// The entry, between polls.
    fn entry(&self) -> &Entry {
        self.entry.as_ref().expect("in its place between polls")
    }

    fn finish(&mut self, result: Result<T, JoinError>) {
        let joiner = self.joiner.take().expect("a task ends once");
        let entry = self.entry();
        // First: who was told sees that the task has ended.
        entry.abort.end();
        joiner.tell(entry.id, result);
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        if self.joiner.is_some() {
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
