//! Locks and counters for tasks, all on the same wait queue as the channels.

mod mutex;
mod wait_group;

pub use mutex::{Locking, Mutex, MutexGuard};
pub use wait_group::{WaitGroup, Waiting};
