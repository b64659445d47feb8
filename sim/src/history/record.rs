//! Recording: what was invoked when, and what came of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windtunnel::engine::now;

/// When something happened: by a clock and, at equal times of the clock, by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// The run's time.
    pub at: Duration,
    /// Decides between events at one time.
    pub order: u64,
}

/// One operation of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<Op, Ret> {
    /// Who did it.
    pub process: String,
    /// What was done.
    pub op: Op,
    /// When it began.
    pub invoke: Moment,
    /// What it returned, and when. `None`: its outcome is unknown. It may take effect at any time after its invocation, even
    /// after everything else, or never.
    pub returned: Option<(Ret, Moment)>,
}

/// Operations, in any order. Two that overlap in time are concurrent; so are two of one process, if they overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<Op, Ret> {
    /// The operations.
    pub operations: Vec<Operation<Op, Ret>>,
}

/// Records a history, on any runtime. Clones record into the same history.
///
/// Events are ordered as they are recorded: invoke just before the call, return just after it. In a model recording is no
/// step that the checker sees, so that two events which nothing else orders may not be tried in both orders.
pub struct Recorder<Op, Ret>(Arc<Mutex<Vec<Event<Op, Ret>>>>);

/// What is recorded, in order.
enum Event<Op, Ret> {
    Invoked { process: String, op: Op, at: Duration },
    Returned { invocation: usize, ret: Ret, at: Duration },
}

/// An operation under way. Dropped without a [return](Self::returned), its outcome is unknown.
#[must_use = "dropped, it says that the outcome is unknown"]
pub struct Pending<Op, Ret> {
    recorder: Recorder<Op, Ret>,
    invocation: usize,
}

impl<Op, Ret> fmt::Debug for Recorder<Op, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({} events)", self.lock().len())
    }
}

impl<Op, Ret> fmt::Debug for Pending<Op, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<Op, Ret> Clone for Recorder<Op, Ret> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Op, Ret> Default for Recorder<Op, Ret> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Op, Ret> Recorder<Op, Ret> {
    /// With nothing recorded.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event<Op, Ret>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `process` begins `op`, now.
    pub fn invoke(&self, process: impl fmt::Display, op: Op) -> Pending<Op, Ret> {
        let (process, at) = (process.to_string(), now());
        let mut events = self.lock();
        events.push(Event::Invoked { process, op, at });
        Pending { recorder: self.clone(), invocation: events.len() - 1 }
    }

    /// What has been recorded so far; operations under way have an unknown outcome.
    pub fn history(&self) -> History<Op, Ret>
    where
        Op: Clone,
        Ret: Clone,
    {
        let events = self.lock();
        let mut operations: Vec<Operation<Op, Ret>> = Vec::new();
        let mut numbers = vec![0; events.len()];
        for (index, event) in events.iter().enumerate() {
            let moment = |at: &Duration| Moment { at: *at, order: index as u64 };
            match event {
                Event::Invoked { process, op, at } => {
                    numbers[index] = operations.len();
                    let (process, op) = (process.clone(), op.clone());
                    operations.push(Operation { process, op, invoke: moment(at), returned: None });
                }
                Event::Returned { invocation, ret, at } => {
                    operations[numbers[*invocation]].returned = Some((ret.clone(), moment(at)));
                }
            }
        }
        History { operations }
    }
}

impl<Op, Ret> Pending<Op, Ret> {
    /// The operation returns `ret`, now.
    pub fn returned(self, ret: Ret) {
        let at = now();
        self.recorder.lock().push(Event::Returned { invocation: self.invocation, ret, at });
    }
}
