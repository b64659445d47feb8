//! tokio: the runtime of production. Its lock, atomic and slot serve the single-threaded simulation as well.

use std::cell::UnsafeCell;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::task::Entry;

pub(crate) use tokio::net::{TcpListener, TcpStream};
pub(crate) use tokio::time::Sleep;

pub(crate) fn spawn(_entry: &Arc<Entry>, future: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(future));
}

pub(crate) fn now() -> Duration {
    static BASE: OnceLock<tokio::time::Instant> = OnceLock::new();
    let now = tokio::time::Instant::now();
    now.saturating_duration_since(*BASE.get_or_init(|| now))
}

pub(crate) fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

pub struct RawLock(parking_lot::Mutex<()>);
pub(crate) type RawGuard<'a> = parking_lot::MutexGuard<'a, ()>;

impl RawLock {
    pub(crate) fn new() -> Self {
        Self(parking_lot::Mutex::new(()))
    }

    #[inline]
    pub(crate) fn lock(&self) -> RawGuard<'_> {
        self.0.lock()
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
