//! The one place that chooses a runtime.
//!
//! One file per runtime, all of the same shape: `RawLock`, `Atomic`, `Slot`, `spawn`, `now`, `Sleep` and the sockets, which are
//! the engine's in a simulation. The enums and functions here pick one of them when an object is created or a call is made; with the
//! features off there is one variant, and the choice costs nothing.

#[cfg(feature = "model")]
pub(crate) mod explore;
#[cfg(feature = "model")]
pub(crate) mod loom;
#[cfg(feature = "sim")]
pub(crate) mod madsim;
pub(crate) mod tokio;

mod net;
mod signal;
mod time;

#[cfg(feature = "sim")]
pub(crate) use madsim::wake_at;
pub(crate) use net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpListener, TcpStream, UdpSocket, WriteHalf, lookup};
pub(crate) use signal::Signals;
pub(crate) use time::{Assumption, Sleep};

use std::future::Future;
#[cfg(feature = "model")]
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, SystemTime};

use crate::run;
#[cfg(feature = "sim")]
use crate::task;
use crate::task::Task;

/// The runtime that carries a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Tokio,
    #[cfg(feature = "sim")]
    Madsim,
    #[cfg(feature = "model")]
    Loom,
    #[cfg(feature = "model")]
    Explore,
}

impl Kind {
    #[cfg(any(feature = "sim", feature = "model"))]
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Kind::Tokio => "tokio",
            #[cfg(feature = "sim")]
            Kind::Madsim => "simulation run",
            #[cfg(feature = "model")]
            Kind::Loom | Kind::Explore => "model execution",
        }
    }
}

/// Starts a task.
pub(crate) fn spawn<F>(task: Task<F>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match run::kind() {
        Kind::Tokio => tokio::spawn(task),
        #[cfg(feature = "sim")]
        Kind::Madsim => madsim::spawn(task),
        #[cfg(feature = "model")]
        Kind::Loom => loom::spawn(&Arc::clone(task.entry()), task),
        #[cfg(feature = "model")]
        Kind::Explore => explore::spawn(task),
    }
}

/// Starts a task that blocks its thread: on tokio on a thread for such tasks, elsewhere as any other.
pub(crate) fn spawn_blocking<F>(task: Task<F>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match run::kind() {
        Kind::Tokio => tokio::spawn_blocking(task),
        #[cfg(any(feature = "sim", feature = "model"))]
        _ => spawn(task),
    }
}

/// Blocks the current thread, which is no task's or a blocking task's, until `future` is ready.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    match run::kind() {
        Kind::Tokio => pollster::block_on(future),
        #[cfg(feature = "sim")]
        Kind::Madsim => {
            panic!("a blocking operation would stop the simulation, which has one thread: await it instead")
        }
        #[cfg(feature = "model")]
        Kind::Loom => loom::block_on(&crate::task::current().expect("a model consists of tasks"), future),
        #[cfg(feature = "model")]
        Kind::Explore => explore::block_on(future),
    }
}

/// Has the current task, which returns `Pending` next, polled again once others have had a chance to run.
pub(crate) fn yield_now(cx: &Context<'_>) {
    match run::kind() {
        #[cfg(feature = "model")]
        Kind::Loom => loom::yield_now(),
        #[cfg(feature = "model")]
        Kind::Explore => explore::yield_now(),
        _ => cx.waker().wake_by_ref(),
    }
}

/// Time since the run began (on tokio: since an hour before the process first asked).
pub(crate) fn now() -> Duration {
    match run::kind() {
        Kind::Tokio => tokio::now(),
        #[cfg(feature = "sim")]
        Kind::Madsim => madsim::now(),
        #[cfg(feature = "model")]
        Kind::Loom => loom::now(),
        #[cfg(feature = "model")]
        Kind::Explore => explore::now(),
    }
}

/// [`now`], for the note of why a run was stopped: no operation of its.
#[cfg(any(feature = "sim", feature = "model"))]
pub(crate) fn stopped_at() -> Duration {
    match run::kind() {
        #[cfg(feature = "model")]
        Kind::Explore => explore::stopped_at(),
        _ => now(),
    }
}

/// The wall clock.
pub(crate) fn system_now() -> SystemTime {
    match run::kind() {
        Kind::Tokio => SystemTime::now(),
        // Within a run madsim answers what asks the operating system for the time.
        #[cfg(feature = "sim")]
        Kind::Madsim => {
            let node = task::with_current(|entry| entry.node.clone()).flatten();
            run::with(|run| run.engine().sim.ailments().wall_clock(node.as_deref(), SystemTime::now()))
        }
        #[cfg(feature = "model")]
        Kind::Loom => SystemTime::UNIX_EPOCH,
        #[cfg(feature = "model")]
        Kind::Explore => SystemTime::UNIX_EPOCH + explore::now(),
    }
}

/// Whether the moment `deadline`, as [`now`] counts, has come. A model explores both.
pub(crate) fn has_come(deadline: Duration) -> bool {
    match run::kind() {
        #[cfg(feature = "model")]
        Kind::Loom => run::choose(2) == 1,
        _ => now() >= deadline,
    }
}

/// A mutual exclusion lock that guards no data by itself.
pub enum RawLock {
    Native(tokio::RawLock),
    #[cfg(feature = "model")]
    Loom(loom::RawLock),
    #[cfg(feature = "model")]
    Explore(explore::RawLock),
}

/// Releases its [`RawLock`] when dropped.
#[expect(dead_code, reason = "held for their Drop")]
pub(crate) enum RawGuard<'a> {
    Native(tokio::RawGuard<'a>),
    #[cfg(feature = "model")]
    Loom(loom::RawGuard<'a>),
    #[cfg(feature = "model")]
    Explore(explore::RawGuard<'a>),
}

impl RawLock {
    pub(crate) fn new() -> Self {
        match run::kind() {
            #[cfg(feature = "model")]
            Kind::Loom => Self::Loom(loom::RawLock::new()),
            #[cfg(feature = "model")]
            Kind::Explore => Self::Explore(explore::RawLock::new()),
            _ => Self::Native(tokio::RawLock::new()),
        }
    }

    pub(crate) const fn outside_models() -> Self {
        Self::Native(tokio::RawLock::new())
    }

    #[inline]
    pub(crate) fn lock(&self) -> RawGuard<'_> {
        match self {
            Self::Native(lock) => RawGuard::Native(lock.lock()),
            #[cfg(feature = "model")]
            Self::Loom(lock) => RawGuard::Loom(lock.lock()),
            #[cfg(feature = "model")]
            Self::Explore(lock) => RawGuard::Explore(lock.lock()),
        }
    }

    /// Says what the critical section that the caller is in, or has just left, did, in the place of what was said before.
    #[inline]
    pub(crate) fn effect(&self, effect: impl FnOnce() -> Effect) {
        #[cfg(feature = "model")]
        if let Self::Explore(lock) = self {
            lock.effect(effect());
        }
        #[cfg(not(feature = "model"))]
        drop(effect);
    }

    /// What the lock guards depends on `word` from now on: whoever changes that is seen to have been at the lock.
    #[inline]
    pub(crate) fn depends_on(&self, word: &Atomic) {
        #[cfg(feature = "model")]
        if let (Self::Explore(lock), Atomic::Explore(word)) = (self, word) {
            word.add_lock(lock);
        }
        #[cfg(not(feature = "model"))]
        let _ = word;
    }

    /// As `lock`, for use in `Drop`: `None` where the run has failed or is over and the lock must not be touched again.
    #[inline]
    pub(crate) fn lock_in_drop(&self) -> Option<RawGuard<'_>> {
        match self {
            Self::Native(lock) => Some(RawGuard::Native(lock.lock())),
            #[cfg(feature = "model")]
            Self::Loom(lock) => loom::alive().then(|| RawGuard::Loom(lock.lock())),
            #[cfg(feature = "model")]
            Self::Explore(lock) => Some(RawGuard::Explore(lock.lock())),
        }
    }
}

/// What a critical section did to what its lock guards, where that is less than to change it: operations that commute need not be
/// tried in both orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing that another section can see.
    Unseen,
    /// It only looked.
    Looked,
    /// Its change commutes with those of other sections that say so.
    Shared,
    /// The same, unless both name one part.
    SharedBut([u64; 3]),
    Changed,
}

/// A word that decides who completes an operation: loads acquire, stores release.
pub(crate) enum Atomic {
    Native(tokio::Atomic),
    #[cfg(feature = "model")]
    Loom(loom::Atomic),
    #[cfg(feature = "model")]
    Explore(explore::Atomic),
}

impl Atomic {
    pub(crate) fn new(value: u32) -> Self {
        match run::kind() {
            #[cfg(feature = "model")]
            Kind::Loom => Self::Loom(loom::Atomic::new(value)),
            #[cfg(feature = "model")]
            Kind::Explore => Self::Explore(explore::Atomic::new(value)),
            _ => Self::Native(tokio::Atomic::new(value)),
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> u32 {
        match self {
            Self::Native(atomic) => atomic.load(),
            #[cfg(feature = "model")]
            Self::Loom(atomic) => atomic.load(),
            #[cfg(feature = "model")]
            Self::Explore(atomic) => atomic.load(),
        }
    }

    /// As [`load`](Self::load), for a word that no partner of a blocked operation writes.
    #[inline]
    pub(crate) fn watch(&self) -> u32 {
        match self {
            Self::Native(atomic) => atomic.load(),
            #[cfg(feature = "model")]
            Self::Loom(atomic) => atomic.watch(),
            #[cfg(feature = "model")]
            Self::Explore(atomic) => atomic.load(),
        }
    }

    #[inline]
    pub(crate) fn store(&self, value: u32) {
        match self {
            Self::Native(atomic) => atomic.store(value),
            #[cfg(feature = "model")]
            Self::Loom(atomic) => atomic.store(value),
            #[cfg(feature = "model")]
            Self::Explore(atomic) => atomic.store(value),
        }
    }

    /// Whether the word may be touched in `Drop`: see [`RawLock::lock_in_drop`].
    pub(crate) fn alive_in_drop(&self) -> bool {
        match self {
            Self::Native(_) => true,
            #[cfg(feature = "model")]
            Self::Loom(_) => loom::alive(),
            #[cfg(feature = "model")]
            Self::Explore(_) => true,
        }
    }

    /// Adds `delta`, wrapping, and returns the value before.
    #[inline]
    pub(crate) fn fetch_add(&self, delta: u32) -> u32 {
        match self {
            Self::Native(atomic) => atomic.fetch_add(delta),
            #[cfg(feature = "model")]
            Self::Loom(atomic) => atomic.fetch_add(delta),
            #[cfg(feature = "model")]
            Self::Explore(atomic) => atomic.fetch_add(delta),
        }
    }

    /// Stores `new` if the value is `current`; otherwise returns the value found.
    #[inline]
    pub(crate) fn compare_exchange(&self, current: u32, new: u32) -> Result<(), u32> {
        match self {
            Self::Native(atomic) => atomic.compare_exchange(current, new),
            #[cfg(feature = "model")]
            Self::Loom(atomic) => atomic.compare_exchange(current, new),
            #[cfg(feature = "model")]
            Self::Explore(atomic) => atomic.compare_exchange(current, new),
        }
    }

    /// The next operation of the task is part of the same step: nobody can tell whether others come between the two.
    #[inline]
    pub(crate) fn leads_on(&self) {
        #[cfg(feature = "model")]
        if let Self::Explore(_) = self {
            explore::lead_on();
        }
    }

    /// Says what the operation that was made last on the word did: see [`RawLock::effect`].
    #[inline]
    pub(crate) fn effect(&self, effect: impl FnOnce() -> Effect) {
        #[cfg(feature = "model")]
        if let Self::Explore(atomic) = self {
            atomic.effect(effect());
        }
        #[cfg(not(feature = "model"))]
        drop(effect);
    }
}

/// A cell whose accesses the backend can check for data races.
pub(crate) enum Slot<T> {
    Native(tokio::Slot<T>),
    #[cfg(feature = "model")]
    Loom(loom::Slot<T>),
}

impl<T> Slot<T> {
    pub(crate) fn new(value: T) -> Self {
        match run::kind() {
            #[cfg(feature = "model")]
            Kind::Loom => Self::Loom(loom::Slot::new(value)),
            _ => Self::Native(tokio::Slot::new(value)),
        }
    }

    /// Calls `f` with a pointer to the value. The pointer is valid for reads and writes within `f`; it is the caller's part
    /// that no other access overlaps.
    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        match self {
            Self::Native(slot) => slot.with_mut(f),
            #[cfg(feature = "model")]
            Self::Loom(slot) => slot.with_mut(f),
        }
    }

    /// As [`with_mut`](Self::with_mut), for reading: such accesses may overlap each other.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        match self {
            Self::Native(slot) => slot.with(f),
            #[cfg(feature = "model")]
            Self::Loom(slot) => slot.with(f),
        }
    }

    /// The value, out of the cell.
    pub(crate) fn into_inner(self) -> T {
        match self {
            Self::Native(slot) => slot.into_inner(),
            #[cfg(feature = "model")]
            Self::Loom(slot) => slot.into_inner(),
        }
    }
}

/// When something happened, where the backend knows which events are ordered: [`now`](Self::now) is `None` elsewhere.
pub(crate) enum Moment {
    #[cfg(feature = "model")]
    Loom(loom::Moment),
    #[cfg(feature = "model")]
    Explore(explore::Moment),
}

impl Moment {
    pub(crate) fn now() -> Option<Self> {
        match run::kind() {
            #[cfg(feature = "model")]
            Kind::Loom => loom::Moment::now().map(Self::Loom),
            #[cfg(feature = "model")]
            Kind::Explore => explore::Moment::now().map(Self::Explore),
            _ => None,
        }
    }

    /// Whether it is ordered before what the current task does now.
    pub(crate) fn is_past(&self) -> bool {
        match *self {
            #[cfg(feature = "model")]
            Self::Loom(ref moment) => moment.is_past(),
            #[cfg(feature = "model")]
            Self::Explore(ref moment) => moment.is_past(),
        }
    }
}

/// Ends the task, and in a model the execution, with a data race of this description.
#[track_caller]
pub(crate) fn data_race(race: String) -> ! {
    match run::kind() {
        #[cfg(feature = "model")]
        Kind::Loom | Kind::Explore => crate::engine::halt(crate::engine::Stop::DataRace(race)),
        _ => panic!("data race: {race}"),
    }
}

/// Whether an interval that has ticked `ticks` times may tick again. Models bound it.
pub(crate) fn may_tick(ticks: u64) -> bool {
    match run::kind() {
        #[cfg(feature = "model")]
        Kind::Loom | Kind::Explore => run::with(|run| run.engine().model.may_tick(ticks)),
        _ => {
            let _ = ticks;
            true
        }
    }
}

/// An operation of the current task is pending.
#[inline]
pub(crate) fn note_pending(op: crate::task::Op) {
    #[cfg(feature = "model")]
    crate::engine::explore::note_pending(op);
    #[cfg(not(feature = "model"))]
    let _ = op;
}

/// Something else than waiting for it tells who waits in such operations.
#[inline]
pub(crate) fn observe_waits(op: crate::task::Op) {
    #[cfg(feature = "model")]
    crate::engine::explore::observe_waits(op);
    #[cfg(not(feature = "model"))]
    let _ = op;
}
