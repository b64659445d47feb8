//! Tasks: spawning, joining, and knowing where each one is.

mod abort;
mod dump;
mod entry;
mod join;
mod join_set;
mod registry;

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub use abort::AbortHandle;
pub use dump::{Dump, Group, TaskState, dump};
pub(crate) use join::Task;
pub use join::{JoinError, JoinHandle};
pub use join_set::JoinSet;

#[cfg(feature = "model")]
pub(crate) use dump::MAIN;
#[cfg(feature = "sim")]
pub(crate) use dump::find;
pub(crate) use dump::place;
#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) use dump::tasks;
#[cfg(feature = "model")]
pub(crate) use entry::current;
#[cfg(feature = "model")]
pub(crate) use entry::replace_current;
pub(crate) use entry::{Entry, Op, Wait, blocked, blocked_in_select, label, with_current};
#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) use join::pair;
pub(crate) use registry::Registry;

use crate::backend;
use crate::said::say;

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
    start(None, Location::caller(), future)
}

/// [`spawn`], with a name that reports, traces and [`dump`] show.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<String>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    start(Some(name.into()), Location::caller(), future)
}

/// Runs `f`, which may block its thread: reads a file, computes for long.
///
/// On tokio it runs on one of the threads that tokio keeps for such work; while it waits for one, [`dump`] shows it as running.
/// In a simulation or a model there is one thread, which `f` has for itself, in a task of its own: what blocks it blocks the run.
///
/// # Panics
/// As [`spawn`].
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let at = Location::caller();
    let (task, handle) = join::pair(register(None, at, true), at, async move { f() });
    backend::spawn_blocking(task);
    handle
}

fn start<F>(name: Option<String>, at: &'static Location<'static>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (task, handle) = join::pair(register(name, at, false), at, future);
    backend::spawn(task);
    handle
}

/// Enters a task that the current one spawns at `at`, on the same node.
fn register(name: Option<String>, at: &'static Location<'static>, may_block: bool) -> Arc<Entry> {
    let node = with_current(|parent| parent.node.clone()).flatten();
    let entry = Entry::register(name.map(Arc::from), node, at, may_block);
    say!("task", "spawns {entry}");
    entry
}

/// The number of the current task in its run, in order of spawning; the same in two runs of a simulation with the same seed.
/// `None` outside a task of ours, as in the future that is given to tokio itself.
pub fn id() -> Option<u64> {
    with_current(|entry| entry.id)
}

/// The name of the current task, if it was spawned with one.
pub fn name() -> Option<String> {
    with_current(|entry| entry.name.as_deref().map(str::to_owned)).flatten()
}

/// Blocks the current thread until `future` is ready.
///
/// # Panics
/// In a task, unless it is one of [`spawn_blocking`]; and in a simulation, which has one thread only.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let allowed = with_current(|entry| entry.may_block).unwrap_or(true);
    assert!(allowed, "a blocking operation in a task holds up the thread of others: await it, or use `spawn_blocking`");
    backend::block_on(future)
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
