//! loom: every interleaving of a small program. A task is a loom thread that polls one future and parks in between.
//!
//! All threads of an execution share one operating-system thread, so plain cells need no synchronisation here; but only
//! what goes through loom's own lock, atomic and cell is explored. Time has no clock: see [`Sleep`].

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::engine;
use crate::run;
use crate::task::{self, Entry};

/// Stack of a loom thread in machine words. loom's default of 32 KiB is small for a debug build that formats a panic.
const STACK_WORDS: usize = 128 * 1024 / size_of::<usize>();

/// Performs an operation at which loom may run other tasks, and makes this task current again afterwards.
fn switching<R>(operation: impl FnOnce() -> R) -> R {
    /// Also when loom panics in the operation: the task's own guards expect to find it current while they unwind.
    struct Again(Option<Arc<Entry>>);

    impl Drop for Again {
        fn drop(&mut self) {
            task::replace_current(self.0.take());
        }
    }

    engine::count_step();
    let _again = Again(task::replace_current(None));
    operation()
}

/// Whether loom's objects may be touched: inside an execution that has not failed.
pub(crate) fn alive() -> bool {
    !std::thread::panicking() && run::kind() == super::Kind::Loom
}

pub(crate) fn spawn(entry: &Arc<Entry>, future: impl Future<Output = ()> + Send + 'static) {
    engine::count_task();
    let entry = Arc::clone(entry);
    let builder = loom::thread::Builder::new().stack_size(STACK_WORDS);
    switching(|| builder.spawn(move || block_on(&entry, future)).expect("loom threads always start"));
}

/// Drives `future` on the current loom thread.
pub(crate) fn block_on<F: Future>(entry: &Entry, future: F) -> F::Output {
    let parker = entry.parker.get_or_init(|| Arc::new(Parker::new()));
    let waker = Waker::from(Arc::clone(parker));
    // Until the task stores one by which it is aborted, when it first waits: `ONLY_WAKER` counts it from the start.
    let mut stand_in = Some(waker.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        stand_in.take();
        parker.park();
    }
}

/// Blocks and wakes one loom thread.
///
/// loom's own park token is lost when a thread that holds it blocks on a mutex, and waking a thread that is blocked on a
/// mutex trips an assertion in loom; so the token is kept here, and a thread in the middle of taking a lock is woken
/// through `late` and not by loom.
#[derive(Debug)]
pub(crate) struct Parker {
    thread: loom::thread::Thread,
    token: AtomicBool,
    locking: AtomicBool,
    has_late: AtomicBool,
    late: loom::sync::atomic::AtomicU32,
    yields: AtomicBool,
    /// Woken by the only waker there was: see [`Atomic::load`].
    by_only_waker: AtomicBool,
}

/// References to a parker while its task has given away one waker and that waker is waking it: the task's entry, the
/// waker in `block_on`, the one by which it is aborted, and the one at work.
const ONLY_WAKER: usize = 4;

impl Parker {
    fn new() -> Self {
        Self {
            thread: loom::thread::current(),
            token: AtomicBool::new(false),
            locking: AtomicBool::new(false),
            has_late: AtomicBool::new(false),
            late: loom::sync::atomic::AtomicU32::new(0),
            yields: AtomicBool::new(false),
            by_only_waker: AtomicBool::new(false),
        }
    }

    fn park(&self) {
        if !self.token.load(Ordering::Relaxed) {
            self.by_only_waker.store(false, Ordering::Relaxed);
        }
        if self.yields.swap(false, Ordering::Relaxed) {
            switching(loom::thread::yield_now);
            return;
        }
        while !self.token.swap(false, Ordering::Relaxed) {
            switching(loom::thread::park);
        }
        if self.has_late.swap(false, Ordering::Relaxed) {
            // A read-modify-write reads the latest value, which orders us after the late waker.
            switching(|| self.late.fetch_add(0, Ordering::AcqRel));
        }
    }

    fn unpark(&self, by_only_waker: bool) {
        if !alive() {
            return;
        }
        if self.locking.load(Ordering::Relaxed) {
            switching(|| self.late.fetch_add(1, Ordering::AcqRel));
        }
        // One that was woken already runs on without this wake: nothing says that it comes after it.
        let is_first = !self.token.swap(true, Ordering::Relaxed);
        self.by_only_waker.store(by_only_waker && is_first, Ordering::Relaxed);
        if self.locking.load(Ordering::Relaxed) {
            self.has_late.store(true, Ordering::Relaxed);
        } else {
            self.thread.unpark();
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        // A task that wakes itself goes on with other work first, whose order is not known.
        let by_another = loom::thread::current().id() != self.thread.id();
        self.unpark(by_another && Arc::strong_count(&self) == ONLY_WAKER);
    }

    /// Whoever wakes by reference keeps a waker: not the only one.
    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark(false);
    }
}

pub struct RawLock(loom::sync::Mutex<()>);
pub(crate) type RawGuard<'a> = loom::sync::MutexGuard<'a, ()>;

impl RawLock {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Mutex::new(()))
    }

    pub(crate) fn lock(&self) -> RawGuard<'_> {
        let parker = task::current().and_then(|entry| entry.parker.get().cloned());
        let locking = |on| {
            if let Some(parker) = &parker {
                parker.locking.store(on, Ordering::Relaxed);
            }
        };
        locking(true);
        let guard = switching(|| self.0.lock().expect("loom's lock is not poisoned"));
        locking(false);
        guard
    }
}

pub(crate) struct Atomic {
    atomic: loom::sync::atomic::AtomicU32,
    latest: AtomicU32,
}

impl Atomic {
    pub(crate) fn new(value: u32) -> Self {
        Self { atomic: loom::sync::atomic::AtomicU32::new(value), latest: AtomicU32::new(value) }
    }

    /// A task that had given away one waker and was woken by it reads what its waker wrote: it had no other way to run on,
    /// so no other order exists and none is to be explored. (loom orders memory at an unpark, but its reduction does not
    /// see that: it would take the load and the partner's store for a race, and explore every thread instead of the
    /// blocked one.) Any other load is an operation of loom's.
    pub(crate) fn load(&self) -> u32 {
        let determined = task::current()
            .and_then(|entry| entry.parker.get().map(|parker| parker.by_only_waker.swap(false, Ordering::Relaxed)));
        if determined == Some(true) {
            return self.latest.load(Ordering::Relaxed);
        }
        self.watch()
    }

    /// A load that says nothing of who woke the task.
    pub(crate) fn watch(&self) -> u32 {
        switching(|| self.atomic.load(Ordering::Acquire))
    }

    pub(crate) fn store(&self, value: u32) {
        switching(|| self.atomic.store(value, Ordering::Release));
        self.latest.store(value, Ordering::Relaxed);
    }

    pub(crate) fn fetch_add(&self, delta: u32) -> u32 {
        let before = switching(|| self.atomic.fetch_add(delta, Ordering::AcqRel));
        self.latest.store(before.wrapping_add(delta), Ordering::Relaxed);
        before
    }

    pub(crate) fn compare_exchange(&self, current: u32, new: u32) -> Result<(), u32> {
        switching(|| self.atomic.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire))?;
        self.latest.store(new, Ordering::Relaxed);
        Ok(())
    }
}

pub(crate) struct Slot<T>(loom::cell::UnsafeCell<T>);

impl<T> Slot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(f)
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.0.with(f)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

/// When a task did something, as loom knows it: a cell written then. Who reads it now races, unless that is ordered before.
pub(crate) struct Moment(loom::cell::UnsafeCell<()>);

impl Moment {
    /// `None` in an execution that has failed: see [`alive`].
    pub(crate) fn now() -> Option<Self> {
        alive().then(|| {
            let cell = loom::cell::UnsafeCell::new(());
            cell.with_mut(|_| ());
            Self(cell)
        })
    }

    pub(crate) fn is_past(&self) -> bool {
        engine::unnoticed(|| catch_unwind(AssertUnwindSafe(|| self.0.with(|_| ()))).is_ok())
    }
}

/// The current task, which returns `Pending` next, is polled again after another task has run.
pub(crate) fn yield_now() {
    if let Some(parker) = task::current().as_ref().and_then(|entry| entry.parker.get()) {
        parker.yields.store(true, Ordering::Relaxed);
    }
}

/// A model has no clock: `now` is the start.
pub(crate) fn now() -> Duration {
    Duration::ZERO
}

/// A sleep in a model ends at once, or as late as the other tasks allow: an explored choice. loom explores the moments in
/// between, since a task that yields may be resumed at any later operation of another.
pub(crate) struct Sleep {
    late: Option<bool>,
}

pub(crate) fn sleep_until(_deadline: Duration) -> Sleep {
    Sleep { late: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if self.late.is_none() {
            let late = run::choose(2) == 1;
            self.late = Some(late);
            if late {
                yield_now();
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

/// The sockets that a model does not have.
pub(crate) enum NoNetwork {}

pub(crate) fn no_network(operation: &str) -> io::Error {
    let message = format!("cannot {operation} in a model: loom has no network; use a simulation, or pass in a channel");
    io::Error::new(io::ErrorKind::Unsupported, message)
}
