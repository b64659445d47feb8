//! Locks, counters, meeting places and cancellation for tasks, all on the same wait queue as the channels.
//!
//! Each serves its waiters in order of arrival, hands what it has to the first of them directly, and takes it back if that
//! one was dropped meanwhile. None is poisoned by a panic.

pub(crate) mod acquire;
mod barrier;
mod condvar;
mod context;
mod mutex;
mod once;
mod raw_mutex;
mod rw_lock;
mod semaphore;
mod wait_group;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::Condvar;
pub use context::{CancelGuard, Cause, Context};
pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard};
pub use once::Once;
pub use raw_mutex::RawMutex;
pub use rw_lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{AcquireError, OwnedPermit, Permit, Semaphore, TryAcquireError};
pub use wait_group::WaitGroup;
