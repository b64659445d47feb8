//! What a run of a simulation keeps: the generator of its choices, its network, and what ails its nodes, and who listens for signals.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::{Mutex, MutexGuard};
use rand_chacha::ChaCha8Rng;

use super::limit::Limits;
use super::net::{Control, Shared};
use super::node::Ailments;
use super::signal::Listeners;
use super::watch::Watch;
use super::{Engine, Run, Stop, generator};
use crate::backend::Kind;
use crate::task::{self, Entry, JoinHandle};

/// The stream of the seed from which `select!` and the like draw.
const CHOICE_STREAM: u64 = 2;

/// The stream of the seed from which a driver draws its faults.
pub const FAULT_STREAM: u64 = 3;

/// See the module.
pub(crate) struct Sim {
    choices: Mutex<ChaCha8Rng>,
    pub(super) network: Shared,
    ailments: Mutex<Ailments>,
    listeners: Mutex<Listeners>,
    /// Woken when something has stopped the run.
    driver: Mutex<Option<Waker>>,
    pub(super) watch: Watch,
    pub(super) limits: Limits,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            choices: Mutex::new(generator(seed, CHOICE_STREAM)),
            network: Shared::new(seed),
            ailments: Mutex::default(),
            listeners: Mutex::default(),
            driver: Mutex::new(None),
            watch: Watch::default(),
            limits: Limits::default(),
        }
    }

    pub(crate) fn choices(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.choices.lock()
    }

    pub(crate) fn ailments(&self) -> MutexGuard<'_, Ailments> {
        self.ailments.lock()
    }

    pub(crate) fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock()
    }

    /// Something has stopped the run: the driver ends it.
    pub(crate) fn wake_driver(&self) {
        if let Some(waker) = self.driver.lock().take() {
            waker.wake();
        }
    }
}

impl Run {
    /// The run of one seed.
    pub fn simulation(seed: u64) -> Self {
        Self::new(Kind::Madsim, Engine::new(seed))
    }

    /// A task for the driver to start by the means of its runtime, registered under `name` on `node` as spawned at `at`, and
    /// the handle that joins it. Called inside the run.
    pub fn task<F>(
        name: &str,
        node: &str,
        at: &'static Location<'static>,
        future: F,
    ) -> (impl Future<Output = ()> + use<F>, JoinHandle<F::Output>)
    where
        F: Future,
    {
        let entry = Entry::register(Some(name.into()), Some(Arc::from(node)), at, false);
        task::pair(entry, at, future)
    }

    /// Carries what goes over the network, and completes when something has stopped a simulation: see
    /// [`stopped`](Self::stopped).
    pub fn carry(&self) -> impl Future<Output = ()> + '_ {
        std::future::poll_fn(|cx| {
            let engine = self.0.engine();
            match &mut *engine.sim.driver.lock() {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            engine.sim.network.drive(cx.waker());
            if engine.stop.lock().is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Ends a simulation as a panic with `message` at `at` would, unless something has stopped it before.
    pub fn fail(&self, message: String, at: &Location<'_>) {
        let engine = self.0.engine();
        engine.record(Stop::Panic { message, at: task::place(at) }, &self.0.registry);
        engine.sim.wake_driver();
    }

    /// The network of a simulation.
    pub fn network(&self) -> Control<'_> {
        Control(&self.0.engine().sim.network)
    }
}
