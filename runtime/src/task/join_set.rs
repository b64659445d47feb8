//! Tasks whose ends are awaited in whatever order they come.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::join::Joiner;
use super::{AbortHandle, JoinError, Op, Task, register};
use crate::backend;
use crate::sync::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::sync::{OwnedPermit, Semaphore};
use crate::wait::{Outcome, WaitQueue, Wakers};

/// A set of tasks with results of one type, which are joined in the order in which they end.
///
/// A task that ends enters itself among the ended, so that joining one costs the same in a set of three and of ten thousand.
/// Every method takes `&self`: one task may spawn and another join. Dropping the set aborts its tasks.
///
/// ```
/// use windtunnel::task::JoinSet;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let squares = JoinSet::with_limit(4);
/// for n in 1..=10 {
///     squares.spawn(async move { n * n }).await;
/// }
/// let mut sum = 0;
/// while let Some(square) = squares.join_next().await {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 385);
/// # });
/// ```
pub struct JoinSet<T> {
    members: Arc<Gate<Members<T>>>,
    /// Places for running tasks, if they are limited.
    places: Option<Arc<Semaphore>>,
}

/// The members of a set, under its lock.
pub(crate) struct Members<T> {
    /// Those that have not ended, by number.
    running: BTreeMap<u64, AbortHandle>,
    /// The results of the others, in order of completion.
    ended: VecDeque<Result<T, JoinError>>,
    /// How many of these a join has been let through for and has yet to take.
    promised: usize,
    joining: WaitQueue<()>,
}

impl<T> Members<T> {
    fn is_empty(&self) -> bool {
        self.running.is_empty() && self.ended.is_empty()
    }

    fn promise(&mut self) -> Option<()> {
        let more = self.promised < self.ended.len();
        more.then(|| self.promised += 1)
    }

    /// Lets joins through for what has ended, or all of them if nothing is left.
    fn admit_joining(&mut self, wakers: &mut Wakers) {
        let Self { ended, promised, joining, .. } = self;
        admit(joining, wakers, |()| (*promised < ended.len()).then(|| *promised += 1));
        if self.is_empty() {
            self.joining.close(wakers);
        }
    }

    /// What a join was let through for.
    fn take(&mut self, wakers: &mut Wakers) -> Option<Result<T, JoinError>> {
        self.promised -= 1;
        let result = self.ended.pop_front();
        self.admit_joining(wakers);
        result
    }
}

impl<T> Rules for Members<T> {
    type Ask = ();

    fn waiting(&mut self) -> &mut WaitQueue<()> {
        &mut self.joining
    }

    fn enter(&mut self, (): &mut (), _wakers: &mut Wakers) -> Option<Outcome> {
        if self.is_empty() { Some(Outcome::Closed) } else { self.promise().map(|()| Outcome::Done) }
    }

    fn left(&mut self, (): (), _wakers: &mut Wakers) {}

    fn release(&mut self, (): (), wakers: &mut Wakers) {
        self.promised -= 1;
        self.admit_joining(wakers);
    }
}

/// Member number `id` has ended. In `Drop` as well.
pub(super) fn member_ended<T>(members: &Gate<Members<T>>, id: u64, result: Result<T, JoinError>) {
    // Dropped here, after the lock was released, if the task is a member no longer.
    let mut result = Some(result);
    members.change_in_drop(|members, wakers| {
        if members.running.remove(&id).is_some() {
            members.ended.extend(result.take());
            members.admit_joining(wakers);
        }
    });
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> JoinSet<T> {
    /// An empty set, of any number of tasks.
    pub fn new() -> Self {
        Self::with_places(None)
    }

    fn with_places(places: Option<Semaphore>) -> Self {
        let members =
            Members { running: BTreeMap::new(), ended: VecDeque::new(), promised: 0, joining: WaitQueue::new() };
        Self { members: Arc::new(Gate::new(None, members)), places: places.map(Arc::new) }
    }

    /// An empty set of which at most `limit` tasks run at once.
    ///
    /// # Panics
    /// If `limit` is zero, or more than [`Semaphore::MAX_PERMITS`].
    pub fn with_limit(limit: usize) -> Self {
        assert!(limit > 0, "a JoinSet's limit must be at least one: no task would ever run");
        Self::with_places(Some(Semaphore::new(limit)))
    }

    /// The number of members: tasks that run, and results that have not been joined.
    pub fn len(&self) -> usize {
        self.members.look(|members| members.running.len() + members.ended.len())
    }

    /// Whether there are no members: a [`join_next`](Self::join_next) would give `None`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the next task to end and gives its result; `None` once there is no member, also if another join took the
    /// last one. Results come in the order in which the tasks ended. The set may be used again afterwards.
    ///
    /// # Errors
    /// [`JoinError`] if the task panicked or was aborted.
    ///
    /// # Cancel safety
    /// A dropped wait loses no result.
    ///
    /// # Panics
    /// When awaited outside the run that created the set, or polled again after it was ready.
    #[track_caller]
    pub fn join_next(&self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        Acquire::new(self, ())
    }

    /// Aborts every task of the set, as [`AbortHandle::abort`] does. They stay members until they are joined.
    pub fn abort_all(&self) {
        let running: Vec<_> = self.members.look(|members| members.running.values().cloned().collect());
        running.iter().for_each(AbortHandle::abort);
    }

    /// Aborts every task and waits until each has ended. Their results are dropped.
    ///
    /// # Cancel safety
    /// Every task has been aborted at the first poll; a dropped wait does not wait for the rest.
    #[track_caller]
    pub fn shutdown(&self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            self.abort_all();
            while Acquire::at(at, self, ()).await.is_some() {}
        }
    }

    /// Lets every running task go on outside the set: nobody joins it, and dropping the set does not abort it.
    pub fn detach_all(&self) {
        let running = self.members.change(|members, wakers| {
            let running = std::mem::take(&mut members.running);
            members.admit_joining(wakers);
            running
        });
        drop(running);
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// Starts `future` as a task of the set, once there is a place for it: at once in a set without limit. It does nothing
    /// unless awaited. A task's place is free again when it ends, whether or not it has been joined.
    ///
    /// # Cancel safety
    /// A dropped wait starts nothing, and drops `future`. Those who wait are served in order of arrival.
    ///
    /// # Panics
    /// As [`spawn`](super::spawn), and when awaited outside the run that created the set.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> impl Future<Output = AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let at = Location::caller();
        let waits = self.places.clone().map(Semaphore::acquire_owned);
        async move {
            let place = match waits {
                Some(place) => Some(place.await.expect("the places of a set are never closed")),
                None => None,
            };
            self.start(at, place, future)
        }
    }

    /// Starts `future` as a task of the set if there is a place for it and nobody waits for one.
    ///
    /// # Errors
    /// `future` itself, if there is none.
    ///
    /// # Panics
    /// As [`spawn`](super::spawn).
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<AbortHandle, F>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let place = match &self.places {
            None => None,
            Some(places) => match Arc::clone(places).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return Err(future),
            },
        };
        Ok(self.start(Location::caller(), place, future))
    }

    fn start<F>(&self, at: &'static Location<'static>, place: Option<OwnedPermit>, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        let entry = register(None, at, false);
        let abort = AbortHandle::new(&entry);
        self.members.change(|members, _| members.running.insert(entry.id, abort.clone()));
        let placed = async move {
            let _place = place;
            future.await
        };
        backend::spawn(Task::new(entry, placed, Joiner::Set(Arc::clone(&self.members))));
        abort
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        let mut rest = None;
        self.members.change_in_drop(|members, _| {
            rest = Some((std::mem::take(&mut members.running), std::mem::take(&mut members.ended)));
        });
        if let Some((running, _results)) = rest {
            running.values().for_each(AbortHandle::abort);
        }
    }
}

impl<T> Request for &JoinSet<T> {
    type Rules = Members<T>;
    type Output = Option<Result<T, JoinError>>;
    const OP: Op = Op::JoinNext;

    fn gate(&self) -> &Gate<Members<T>> {
        &self.members
    }

    fn output(self, (): (), outcome: Outcome) -> Self::Output {
        match outcome {
            Outcome::Done => self.members.change(Members::take),
            Outcome::Closed => None,
        }
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinSet({})", self.members.label())
    }
}
