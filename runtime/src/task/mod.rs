//! Tasks: spawning, joining, and knowing where each one is.

mod dump;
mod entry;
mod join;
mod registry;

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub use dump::{Dump, Group, TaskState, dump};
pub(crate) use join::Task;
pub use join::{JoinError, JoinHandle};

#[cfg(feature = "model")]
pub(crate) use dump::MAIN;
pub(crate) use dump::place;
#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) use dump::tasks;
#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) use entry::current;
#[cfg(feature = "model")]
pub(crate) use entry::replace_current;
pub(crate) use entry::{Entry, Op, Wait, blocked, blocked_in_select, label, with_current};
#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) use join::pair;
pub(crate) use registry::Registry;

use crate::backend;

/// Starts a task on the current runtime.
///
/// The task runs until its future ends, whether or not the handle is kept: dropping the [`JoinHandle`] detaches it. Its
/// spawn site is noted for [`dump`] and for reports; use [`spawn_named`] to give it a name as well.
///
/// # Panics
/// Outside a runtime. In a model, beyond the limit on tasks, the check ends with a report that says so.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    start(None, future)
}

/// [`spawn`], with a name that reports, traces and [`dump`] show.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<String>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    start(Some(name.into()), future)
}

#[track_caller]
fn start<F>(name: Option<String>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let node = with_current(|parent| parent.node.clone()).flatten();
    let entry = Entry::register(name.map(Arc::from), node, Location::caller());
    tracing::trace!(target: "windtunnel::task", "spawns {entry}");
    let (task, handle) = join::pair(entry, future);
    backend::spawn(task);
    handle
}

/// Lets other tasks run. Completes when this task is scheduled again.
///
/// In a model it is a point at which every other task may run first.
#[track_caller]
pub fn yield_now() -> impl Future<Output = ()> {
    struct Yield {
        yielded: bool,
        at: &'static Location<'static>,
    }

    impl Future for Yield {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.yielded, true) {
                return Poll::Ready(());
            }
            blocked(Op::Yield, None, self.at);
            backend::yield_now(cx);
            Poll::Pending
        }
    }

    Yield { yielded: false, at: Location::caller() }
}
