//! The task that keeps the air cold.

use windtunnel::channel::{self, Receiver, Sender};
use windtunnel::select;
use windtunnel::time::{self, Duration, MissedTickBehavior};

use crate::ask::{Reply, ask};
use crate::owned::OwnedTasks;

/// The air in a machine, and what cools it.
pub trait Fridge: Send + 'static {
    /// Measures the temperature of the air.
    fn temperature(&mut self) -> f64;

    /// Switches the compressor on or off, which may be what it is already.
    fn cool(&mut self, on: bool);
}

/// What the temperature is to be, in the unit of the [`Fridge`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thermostat {
    /// The temperature to keep.
    pub target: f64,
    /// The compressor is switched on when the air is warmer by more than this, and off when it is colder by more.
    pub tolerance: f64,
    /// How often the air is looked at; a millisecond at least.
    pub period: Duration,
}

/// A fridge at work. Dropping it switches the compressor off.
#[derive(Debug)]
pub(super) struct Cooling {
    questions: Sender<Reply<f64>>,
    _task: OwnedTasks,
}

impl Cooling {
    pub(super) fn start(thermostat: Thermostat, fridge: impl Fridge) -> Self {
        let (questions, asked) = channel::named("thermometer", 0);
        let mut task = OwnedTasks::default();
        task.spawn("cooling", Compressor(fridge).keep(thermostat, asked));
        Self { questions, _task: task }
    }

    /// The temperature; `None` if the task is gone.
    pub(super) async fn temperature(&self) -> Option<f64> {
        ask(&self.questions, |reply| reply).await
    }
}

/// Is off when it is dropped.
struct Compressor<F: Fridge>(F);

impl<F: Fridge> Compressor<F> {
    /// Keeps the temperature until nobody can ask for it.
    async fn keep(mut self, thermostat: Thermostat, asked: Receiver<Reply<f64>>) {
        let mut ticks = time::interval(thermostat.period.max(time::millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            select! {
                _ = ticks.tick() => self.adjust(&thermostat),
                reply = asked.recv() => match reply {
                    Some(reply) => reply.send(self.0.temperature()),
                    None => return,
                },
            }
        }
    }

    fn adjust(&mut self, Thermostat { target, tolerance, .. }: &Thermostat) {
        let too_warm = self.0.temperature() - target;
        if too_warm.abs() > *tolerance {
            self.0.cool(too_warm > 0.0);
        }
    }
}

impl<F: Fridge> Drop for Compressor<F> {
    fn drop(&mut self) {
        self.0.cool(false);
    }
}
