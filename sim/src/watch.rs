//! The watchdog: what a run may take of real time, and what is said of one that takes more.
//!
//! It looks at a run when the time is up, and not before. A run that goes on polling its tasks is then ended; a poll that does
//! not return cannot be, and its thread is left behind.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use madsim::time::TimeHandle;
use windtunnel::engine::{Look, Run};
use windtunnel::task::TaskState;

use crate::outcome;
use crate::trace::Trace;
use crate::world::Sim;

/// How much real time a run may take before it is given up. By default a minute, or the seconds in `WINDTUNNEL_PATIENCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(Duration);

/// Not a number of seconds. Its text is one line that says what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatienceError(String);

impl fmt::Display for PatienceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatienceError {}

/// The variable that sets the patience of tests.
const VARIABLE: &str = "WINDTUNNEL_PATIENCE";

impl Patience {
    /// As long as it takes: for a debugger.
    pub const ENDLESS: Self = Self(Duration::MAX);

    /// So much real time; zero is no limit.
    pub const fn of(limit: Duration) -> Self {
        if limit.is_zero() { Self::ENDLESS } else { Self(limit) }
    }

    /// The seconds in `WINDTUNNEL_PATIENCE`; a minute if it is not set.
    ///
    /// # Errors
    /// If that is not a number of seconds.
    pub fn from_env() -> Result<Self, PatienceError> {
        let Some(text) = std::env::var_os(VARIABLE) else { return Ok(Self(Duration::from_mins(1))) };
        let text = text.to_string_lossy();
        text.parse().map_err(|error| PatienceError(format!("{VARIABLE} is `{text}`: {error}")))
    }

    /// No more than `limit`, unless there is no limit at all.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        if self == Self::ENDLESS { self } else { Self(self.0.min(limit)) }
    }
}

impl Default for Patience {
    /// # Panics
    /// If `WINDTUNNEL_PATIENCE` is not a number of seconds: with one line that says so.
    fn default() -> Self {
        Self::from_env().unwrap_or_else(|error| panic!("{error}"))
    }
}

impl FromStr for Patience {
    type Err = PatienceError;

    fn from_str(text: &str) -> Result<Self, PatienceError> {
        let seconds: Option<f64> = text.trim().parse().ok();
        let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // What rounds to nothing is not meant to be endless.
        match limit.filter(|limit| !limit.is_zero() || seconds == Some(0.0)) {
            Some(limit) => Ok(Self::of(limit)),
            None => Err(PatienceError("write a number of seconds, for example 60 or 0.5, or 0 for no limit".into())),
        }
    }
}

/// What keeps a run from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// One poll of a task does not return: it loops, or blocks its thread.
    Poll,
    /// Tasks are polled again and again in hardly any simulated time.
    Polls,
    /// Nothing: simulated time passes, and real time as well.
    Long,
    /// What is not a task's poll does not return: a destructor, or the scenario's function.
    Elsewhere,
}

/// A run that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The real time that it was given.
    pub patience: Duration,
    /// What keeps it.
    pub hang: Hang,
    /// The task that was seen being polled most often: the last of those of its name that were spawned at its place.
    pub task: Option<TaskState>,
    /// How often.
    pub seen: usize,
    /// Of how many looks.
    pub looks: usize,
    /// Why the run had failed before it was to end and did not.
    pub after: Option<String>,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no end within {:?} of real time", self.patience)?;
        if let Some(after) = &self.after {
            write!(f, ", after it had failed ({after})")?;
        }
        let task = self.task.as_ref().map_or("a task".into(), |task| format!("`{}`", task.label()));
        match self.hang {
            Hang::Poll => write!(f, ": a poll of {task} does not return: have it await, not loop or block its thread"),
            Hang::Polls => write!(f, ": {task} is polled for ever in hardly any simulated time: have it wait"),
            Hang::Long => write!(f, ", while simulated time passes: have it do less, or more patience"),
            Hang::Elsewhere => {
                write!(f, ": no task is being polled: mend the destructor, or the scenario's function, that hangs")
            }
        }
    }
}

impl Stuck {
    /// Judges what was seen while `real` time passed; the looks at a run that had not begun are missing.
    fn new(Patience(patience): Patience, sightings: &[(Look, Duration)], real: Duration) -> Self {
        let hang = match sightings {
            [(_, began), .., (_, ended)] if ended.saturating_sub(*began) > real => Hang::Long,
            [(first, _), .., (last, _)] if first.polls != last.polls => Hang::Polls,
            [.., (last, _)] if last.polls % 2 == 1 => Hang::Poll,
            _ => Hang::Elsewhere,
        };
        let tasks = sightings.iter().filter(|_| hang != Hang::Elsewhere).filter_map(|(look, _)| look.task.as_ref());
        let kind = |it: &TaskState| (it.node.clone(), it.name.clone(), it.spawned_at);
        let count = |it: &TaskState| tasks.clone().filter(|other| kind(it) == kind(other)).count();
        let task = tasks.clone().max_by_key(|it| count(it));
        let seen = task.map_or(0, count);
        Self { patience, hang, task: task.cloned(), seen, looks: LOOKS, after: None }
    }

    /// Whether its thread does something else from time to time than what keeps it.
    fn moves(&self) -> bool {
        matches!(self.hang, Hang::Polls | Hang::Long)
    }

    /// Which task it is, where it comes from, and how sure that is.
    pub(crate) fn suspect(&self) -> Option<String> {
        let task = self.task.as_ref()?;
        let node = task.node.as_deref().map_or(String::new(), |node| format!(" on {node}"));
        let spawned = task.spawned_at.map_or(String::new(), |at| format!("   spawned at {}:{}", at.file(), at.line()));
        Some(format!("{}{node}, in {} of {} looks{spawned}", task.label(), self.seen, self.looks))
    }
}

/// How often a run is looked at.
const LOOKS: usize = 100;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// The same, where nothing has moved: it may be the thread of the run that had no processor.
const LONG_PAUSE: Duration = Duration::from_millis(5);

/// What a run that has been given up, and is still polling, may take to drop its tasks and end.
const GRACE: Duration = Duration::from_secs(1);

/// Between the thread of a run and the one that waits for it.
#[derive(Default)]
pub(crate) struct Watch {
    live: Mutex<Option<Live>>,
    stuck: OnceLock<Stuck>,
    /// Whether the thread has ended, as good as.
    over: Mutex<bool>,
    end: Condvar,
}

/// A run under way. Its own thread drops it.
pub(crate) struct Live {
    pub(crate) run: Run,
    pub(crate) sim: Sim,
    pub(crate) trace: Trace,
    pub(crate) clock: TimeHandle,
}

impl Watch {
    pub(crate) fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run has begun.
    pub(crate) fn begin(&self, live: Live) {
        let mut slot = self.live();
        if self.stuck.get().is_some() {
            live.run.give_up();
        }
        *slot = Some(live);
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        let live = self.live().take();
        drop(live);
    }

    /// Why the run was given up.
    pub(crate) fn stuck(&self) -> Option<&Stuck> {
        self.stuck.get()
    }

    /// Whether the thread of the run comes to its end within `limit`.
    fn ends_within(&self, limit: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.end.wait_timeout_while(over, limit, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for the end of the run's thread; whether it came, or the thread is to be left behind.
    pub(crate) fn wait(&self, patience: Patience) -> bool {
        if self.ends_within(patience.0) {
            return true;
        }
        let Some(mut stuck) = self.judge(patience, PAUSE) else { return true };
        if !stuck.moves() {
            let Some(again) = self.judge(patience, LONG_PAUSE) else { return true };
            stuck = again;
        }
        let grace = if stuck.moves() { GRACE } else { Duration::ZERO };
        self.give_up(stuck);
        self.ends_within(grace)
    }

    /// Looks what keeps the run; `None` if it ends meanwhile.
    fn judge(&self, patience: Patience, pause: Duration) -> Option<Stuck> {
        let (began, mut sightings) = (Instant::now(), Vec::with_capacity(LOOKS));
        for _ in 0..LOOKS {
            sightings.extend(self.live().as_ref().map(|live| (live.run.look(), live.clock.elapsed())));
            if self.ends_within(pause) {
                return None;
            }
        }
        Some(Stuck::new(patience, &sightings, began.elapsed()))
    }

    fn give_up(&self, stuck: Stuck) {
        let live = self.live();
        let failed = live.as_ref().and_then(|live| live.run.stopped());
        let after = failed.map(|stopped| outcome::cause(stopped.stop, None).first_line());
        self.stuck.set(Stuck { after, ..stuck }).expect("one thread waits for a run");
        if let Some(live) = &*live {
            live.run.give_up();
        }
    }
}

/// Tells of the end of a thread.
struct End(Arc<Watch>);

impl Drop for End {
    fn drop(&mut self) {
        *self.0.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.end.notify_one();
    }
}

thread_local! {
    static END: Cell<Option<End>> = const { Cell::new(None) };
}

/// Has `watch` told when this thread ends. Called first in the thread, it tells last, since thread-locals are dropped from the
/// last one made to the first: who is woken then and joins the thread has hardly anything left to wait for.
pub(crate) fn tell_end(watch: Arc<Watch>) {
    END.set(Some(End(watch)));
}
