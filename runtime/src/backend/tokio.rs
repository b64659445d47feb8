//! tokio: the runtime of production. Its lock, atomic and slot serve the single-threaded simulation as well.

use std::cell::UnsafeCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{hint, io, thread};

use tokio::time::Instant;

use crate::signal::Signal;

pub(crate) use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
pub(crate) use tokio::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
pub(crate) use tokio::time::Sleep;

pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(future));
}

/// Runs `task`, whose future is ready when it is first polled, on a thread for tasks that block.
pub(crate) fn spawn_blocking(task: impl Future<Output = ()> + Send + 'static) {
    let run = || {
        let polled = pin!(task).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "a blocking task awaits nothing");
    };
    drop(tokio::task::spawn_blocking(run));
}

/// The system's signals.
#[cfg(unix)]
pub(crate) struct Signals(Vec<(Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen(kinds: Vec<Signal>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kind_of = |kind| match kind {
            Signal::Hangup => SignalKind::hangup(),
            Signal::Interrupt => SignalKind::interrupt(),
            Signal::Quit => SignalKind::quit(),
            Signal::Terminate => SignalKind::terminate(),
        };
        kinds.into_iter().map(|kind| Ok((kind, signal(kind_of(kind))?))).collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut ready = self.0.iter_mut().filter_map(|(kind, source)| source.poll_recv(cx).is_ready().then_some(*kind));
        ready.next().map_or(Poll::Pending, Poll::Ready)
    }
}

/// There are none.
#[cfg(not(unix))]
pub(crate) struct Signals(std::convert::Infallible);

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen(_: Vec<Signal>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Signal> {
        match self.0 {}
    }
}

/// The moment from which [`now`] counts: an hour ago, since the clock of another runtime may be behind while it is paused.
fn base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    const BEFORE: Duration = Duration::from_hours(1);
    *BASE.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(BEFORE).unwrap_or(now)
    })
}

pub(crate) fn now() -> Duration {
    Instant::now().saturating_duration_since(base())
}

/// Later deadlines would overflow tokio's clock.
const LAST_DEADLINE: Duration = Duration::from_hours(100 * 365 * 24);

pub(crate) fn sleep_until(deadline: Duration) -> Sleep {
    tokio::time::sleep_until(base() + deadline.min(LAST_DEADLINE))
}

/// A spin lock. What it guards takes tens of nanoseconds, so a waiter that went to sleep would come late, and a lock with
/// sleepers pays for looking after them in every unlock, with a second atomic read-modify-write.
///
/// A holder that the operating system has suspended is waited for with [`Backoff`], which soon gives the processor away.
pub struct RawLock(AtomicBool);

/// Releases its [`RawLock`] when dropped. Not `Send`: a task that held one across an await would not compile.
pub struct RawGuard<'a> {
    lock: &'a RawLock,
    _not_send: PhantomData<*const ()>,
}

impl RawLock {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    #[inline]
    pub(crate) fn lock(&self) -> RawGuard<'_> {
        if !self.try_acquire() {
            self.acquire_slowly();
        }
        RawGuard { lock: self, _not_send: PhantomData }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn acquire_slowly(&self) {
        let mut backoff = Backoff::default();
        loop {
            backoff.wait();
            // Only reading, until it looks free, leaves the cache line with the holder.
            if !self.0.load(Ordering::Relaxed) && self.try_acquire() {
                return;
            }
        }
    }
}

impl Drop for RawGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.0.store(false, Ordering::Release);
    }
}

/// Waits longer each time: spins, yields to other threads, and at last sleeps, so that a suspended holder of lower priority
/// gets the processor as well.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    /// As long as some critical sections: a waiter that tries sooner takes the cache lines of lock and data from a holder who
    /// is about to need them again. A rendezvous with four senders gained an eighth by it.
    const FIRST_SPIN: u32 = 64;
    const SPINS: u32 = 3;
    const YIELDS: u32 = 64;

    fn wait(&mut self) {
        if self.0 < Self::SPINS {
            (0..Self::FIRST_SPIN << self.0).for_each(|_| hint::spin_loop());
        } else if self.0 < Self::SPINS + Self::YIELDS {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_micros(50));
        }
        self.0 = self.0.saturating_add(1);
    }
}

pub(crate) struct Atomic(AtomicU32);

impl Atomic {
    pub(crate) fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn store(&self, value: u32) {
        self.0.store(value, Ordering::Release);
    }

    #[inline]
    pub(crate) fn fetch_add(&self, delta: u32) -> u32 {
        self.0.fetch_add(delta, Ordering::AcqRel)
    }

    #[inline]
    pub(crate) fn compare_exchange(&self, current: u32, new: u32) -> Result<(), u32> {
        self.0.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

pub(crate) struct Slot<T>(UnsafeCell<T>);

impl<T> Slot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
