//! For the crates that drive runs: `windtunnel-sim` and `windtunnel-model`.
//!
//! A [`Run`] is the runtime's half of one seed of a simulation, or of one execution of a model: its registry of tasks, its
//! generators, and what stopped it. The driver makes one, [`enter`](Run::enter)s it on the thread that carries it, and looks
//! at it afterwards. Users of windtunnel need none of this.

#[cfg(feature = "model")]
pub mod explore;
#[cfg(feature = "sim")]
mod limit;
#[cfg(feature = "model")]
mod model;
#[cfg(feature = "sim")]
pub mod net;
#[cfg(feature = "sim")]
mod node;
#[cfg(feature = "sim")]
pub(crate) mod signal;
#[cfg(feature = "sim")]
mod sim;
mod trace;
#[cfg(feature = "sim")]
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::backend::{self, Kind};
use crate::run;
use crate::task::{self, TaskState};

#[cfg(feature = "sim")]
pub use limit::Measure;
#[cfg(feature = "sim")]
pub(crate) use limit::Pending;
#[cfg(feature = "model")]
pub use model::{Choices, Limits};
#[cfg(feature = "model")]
pub(crate) use model::{Model, count_step, count_task, halt, unnoticed};
#[cfg(feature = "sim")]
pub use node::POLL_COST;
#[cfg(feature = "sim")]
pub use sim::FAULT_STREAM;
pub(crate) use trace::straight;
pub use trace::{Said, Sink, Speaker, traced};
#[cfg(feature = "sim")]
pub use watch::Look;
#[cfg(feature = "sim")]
pub(crate) use watch::{begin_poll, end_poll};

/// What the driver of a run keeps with it.
pub(crate) struct Engine {
    workload: Mutex<ChaCha8Rng>,
    foreign: AtomicBool,
    stop: Mutex<Option<Stopped>>,
    #[cfg(feature = "sim")]
    pub(crate) sim: sim::Sim,
    #[cfg(feature = "model")]
    pub(crate) model: Model,
}

/// The stream of the seed from which the code under test draws.
const WORKLOAD_STREAM: u64 = 1;

/// A generator of the run with `seed`, independent of its other streams: one may draw more without moving another. ChaCha8
/// gives the same values on every platform.
pub fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Why a run was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A panic, with its message and source line.
    Panic {
        /// The message.
        message: String,
        /// `file:line` of the panic.
        at: String,
    },
    /// An execution that went on beyond the limit on steps: a task spins.
    Steps,
    /// A spawn beyond the limit on tasks.
    Tasks,
    /// Two accesses to a cell that nothing orders: which.
    DataRace(String),
    /// Another thread has given the simulation up.
    GivenUp,
}

/// What stopped a run, and what things looked like then.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Why.
    pub stop: Stop,
    /// Where every task was.
    pub tasks: Vec<TaskState>,
    /// The number of the task that was being polled, if one was.
    pub task: Option<u64>,
    /// When, in the run's own time.
    pub at: Duration,
}

impl Engine {
    fn new(seed: u64) -> Self {
        Self {
            workload: Mutex::new(generator(seed, WORKLOAD_STREAM)),
            foreign: AtomicBool::new(false),
            stop: Mutex::new(None),
            #[cfg(feature = "sim")]
            sim: sim::Sim::new(seed),
            #[cfg(feature = "model")]
            model: Model::default(),
        }
    }

    /// See [`run::Run::renew`].
    #[cfg(feature = "model")]
    pub(crate) fn renew(&mut self, model: Model) {
        *self.workload.get_mut() = generator(0, WORKLOAD_STREAM);
        *self.foreign.get_mut() = false;
        *self.stop.get_mut() = None;
        self.model = model;
    }

    pub(crate) fn workload(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.workload.lock()
    }

    /// A task awaits something that is not ours.
    pub(crate) fn note_foreign(&self) {
        self.foreign.store(true, Ordering::Relaxed);
    }

    /// Notes what stops the run, if it is the first thing that does.
    fn record(&self, stop: Stop, registry: &task::Registry) {
        let polled = || task::with_current(|entry| entry.id);
        let stopped = || Stopped { stop, tasks: task::tasks(registry), task: polled(), at: backend::stopped_at() };
        self.stop.lock().get_or_insert_with(stopped);
    }
}

/// One run, as its driver sees it.
#[derive(Clone)]
pub struct Run(Arc<run::Run>);

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

impl Run {
    fn new(kind: Kind, engine: Engine) -> Self {
        install_panic_hook();
        Self(run::Run::new(kind, engine))
    }

    /// Makes this the current run of the thread for as long as the guard lives.
    pub fn enter(&self) -> Entered {
        Entered { previous: run::replace(Some(Arc::clone(&self.0))) }
    }

    /// Whether a task awaited something that is not windtunnel's, which no checker sees.
    pub fn awaited_foreign(&self) -> bool {
        self.0.engine().foreign.load(Ordering::Relaxed)
    }

    /// Every live task.
    pub fn tasks(&self) -> Vec<TaskState> {
        task::tasks(&self.0.registry)
    }

    /// What stopped the run, if something did.
    pub fn stopped(&self) -> Option<Stopped> {
        self.0.engine().stop.lock().clone()
    }
}

/// See [`Run::enter`].
pub struct Entered {
    previous: Option<Arc<run::Run>>,
}

impl std::fmt::Debug for Entered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        run::replace(self.previous.take());
    }
}

/// Time since the current run began.
pub fn now() -> Duration {
    backend::now()
}

/// Calls `f` with the task being polled on this thread, as traces name it.
pub fn with_current_task<R>(f: impl FnOnce(&Speaker) -> R) -> Option<R> {
    task::with_current(|entry| f(entry.speaker()))
}

/// In a run a panic is noted and not printed: the driver reports it. Elsewhere the hook that was there goes on.
fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if run::kind() == Kind::Tokio {
                return previous(panic);
            }
            #[cfg(feature = "model")]
            if run::with(|run| run.engine().model.is_probing()) {
                return;
            }
            let message = panic.payload_as_str().unwrap_or("a value that is not a string").to_owned();
            let at = panic.location().map(task::place).unwrap_or_default();
            run::with(|run| run.engine().record(Stop::Panic { message, at }, &run.registry));
        }));
    });
}
