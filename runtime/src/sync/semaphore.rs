//! A number of permits, and waits for them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::said::say;
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// A number of permits. A task takes some, waiting for them if need be, and gives them back by dropping its [`Permit`].
///
/// It is fair: requests are met in order of arrival, and a large one at the head makes later ones wait, however small, so
/// that it is not starved. [`close`](Self::close) ends every wait.
pub struct Semaphore {
    gate: Gate<Permits>,
}

pub(crate) struct Permits {
    free: usize,
    closed: bool,
    waiting: WaitQueue<usize>,
}

impl Permits {
    fn admit_waiting(&mut self, wakers: &mut Wakers) {
        admit(&mut self.waiting, wakers, |wanted| {
            self.free = self.free.checked_sub(wanted)?;
            Some(wanted)
        });
    }
}

impl Rules for Permits {
    type Ask = usize;

    fn waiting(&mut self) -> &mut WaitQueue<usize> {
        &mut self.waiting
    }

    fn enter(&mut self, wanted: &mut usize, _wakers: &mut Wakers) -> Option<Outcome> {
        if self.closed {
            return Some(Outcome::Closed);
        }
        if !self.waiting.is_empty() {
            return None;
        }
        self.free = self.free.checked_sub(*wanted)?;
        Some(Outcome::Done)
    }

    /// A smaller request behind the one that gave up may be met now.
    fn left(&mut self, _wanted: usize, wakers: &mut Wakers) {
        self.admit_waiting(wakers);
    }

    fn release(&mut self, given: usize, wakers: &mut Wakers) {
        self.free += given;
        self.admit_waiting(wakers);
    }
}

impl Semaphore {
    /// The most permits a semaphore can have.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// A semaphore with `permits` permits.
    ///
    /// # Panics
    /// If that is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub fn new(permits: usize) -> Self {
        Self::labelled(None, permits)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str, permits: usize) -> Self {
        Self::labelled(Some(name), permits)
    }

    fn labelled(name: Option<&'static str>, permits: usize) -> Self {
        assert!(permits <= Self::MAX_PERMITS, "a semaphore has at most {} permits, not {permits}", Self::MAX_PERMITS);
        Self { gate: Gate::new(name, Permits { free: permits, closed: false, waiting: WaitQueue::new() }) }
    }

    /// Waits for one permit.
    ///
    /// # Errors
    /// [`AcquireError`] if the semaphore is closed, before or meanwhile.
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place, and what it had just been given.
    ///
    /// # Panics
    /// When awaited outside the run that created the semaphore, or polled again after it was ready.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Permit<'_>, AcquireError>> {
        Acquire::new(self, 1)
    }

    /// Waits for `permits` permits, all at once: none is taken before all are there. As [`acquire`](Self::acquire)
    /// otherwise. More permits than there will ever be are waited for until the semaphore is closed.
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> impl Future<Output = Result<Permit<'_>, AcquireError>> {
        Acquire::new(self, permits)
    }

    /// [`acquire`](Self::acquire), with a permit that keeps the semaphore alive: it can be stored, or moved into a task.
    #[track_caller]
    pub fn acquire_owned(self: Arc<Self>) -> impl Future<Output = Result<OwnedPermit, AcquireError>> {
        Acquire::new(self, 1)
    }

    /// Takes one permit if there is one and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says whether it is worth trying again.
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        match self.gate.try_enter(Op::Semaphore, 1) {
            Some(Outcome::Done) => Ok(Permit { semaphore: self, permits: 1 }),
            Some(Outcome::Closed) => Err(TryAcquireError::Closed),
            None => Err(TryAcquireError::NoPermits),
        }
    }

    /// [`try_acquire`](Self::try_acquire), with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire()?.forget();
        Ok(OwnedPermit { semaphore: self, permits: 1 })
    }

    /// Adds permits that were not there before.
    ///
    /// # Panics
    /// If more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free.
    pub fn add_permits(&self, permits: usize) {
        let added = self.gate.change(|rules, wakers| {
            let fits = rules.free.checked_add(permits).is_some_and(|free| free <= Self::MAX_PERMITS);
            if fits {
                rules.release(permits, wakers);
            }
            fits
        });
        let label = self.gate.label();
        assert!(added, "semaphore {label} cannot have {permits} permits more: the most is {}", Self::MAX_PERMITS);
        say!("sync", "semaphore ({label}) adds {permits}");
    }

    /// The permits that are free at this moment.
    pub fn available_permits(&self) -> usize {
        self.gate.look(|rules| rules.free)
    }

    /// Ends every wait, present and future, with an error. Permits that are out stay valid. Closing twice does nothing.
    pub fn close(&self) {
        self.gate.change(|rules, wakers| {
            rules.closed = true;
            rules.waiting.close(wakers);
        });
        say!("sync", "semaphore ({}) closes", self.gate.label());
    }

    /// Whether [`close`](Self::close) has been called.
    pub fn is_closed(&self) -> bool {
        self.gate.look(|rules| rules.closed)
    }
}

impl<'a> Request for &'a Semaphore {
    type Rules = Permits;
    type Output = Result<Permit<'a>, AcquireError>;
    const OP: Op = Op::Semaphore;

    fn gate(&self) -> &Gate<Permits> {
        &self.gate
    }

    fn output(self, permits: usize, outcome: Outcome) -> Self::Output {
        match outcome {
            Outcome::Done => Ok(Permit { semaphore: self, permits }),
            Outcome::Closed => Err(AcquireError),
        }
    }
}

impl Request for Arc<Semaphore> {
    type Rules = Permits;
    type Output = Result<OwnedPermit, AcquireError>;
    const OP: Op = Op::Semaphore;

    fn gate(&self) -> &Gate<Permits> {
        &self.gate
    }

    fn output(self, permits: usize, outcome: Outcome) -> Self::Output {
        match outcome {
            Outcome::Done => Ok(OwnedPermit { semaphore: self, permits }),
            Outcome::Closed => Err(AcquireError),
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Semaphore({})", self.gate.label())
    }
}

/// Permits of a [`Semaphore`]; given back when dropped.
#[must_use = "the permits go back when this is dropped"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl Permit<'_> {
    /// Takes the permits out of the semaphore for good.
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.gate.release(self.permits);
    }
}

/// A permit of a [`Semaphore`] that it keeps alive; given back when dropped. See [`Semaphore::acquire_owned`].
#[must_use = "the permit goes back when this is dropped"]
#[derive(Debug)]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
}

impl OwnedPermit {
    /// Takes the permit out of the semaphore for good.
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.gate.release(self.permits);
    }
}

/// The semaphore is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcquireError;

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl std::error::Error for AcquireError {}

/// Why [`Semaphore::try_acquire`] took no permit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryAcquireError {
    /// The semaphore is closed: there will never be one.
    Closed,
    /// No permit is free, or others wait for one.
    NoPermits,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "the semaphore is closed",
            TryAcquireError::NoPermits => "no permit is free",
        })
    }
}

impl std::error::Error for TryAcquireError {}
