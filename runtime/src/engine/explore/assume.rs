//! What a model assumes of time: until when the clock does not go on while something is pending.

use std::time::Duration;

use super::Execution;
use super::footprint::{CLOCK_OBJECT, HOLD_OBJECT, Mode, ObjectId};
use super::world::{ClockUse, World};

impl World {
    /// From now on the clock does not reach the moment that is `limit` away. That can take a step of the clock away, as disarming
    /// a timer can.
    pub(crate) fn begin_assumption(&self, limit: Duration, what: &'static str) -> (Duration, ObjectId) {
        self.point(HOLD_OBJECT, Mode::Write);
        self.touch(HOLD_OBJECT, Mode::Write);
        self.touch(CLOCK_OBJECT, Mode::Read);
        let assumption = (self.time().saturating_add(limit), self.object());
        self.assumptions.borrow_mut().insert(assumption);
        self.assumed.borrow_mut().insert(what);
        self.clock.set(ClockUse { disarms: true, ..self.clock.get() });
        assumption
    }

    /// It does not have to be so any more. That can give the clock a step, as arming a timer can.
    pub(crate) fn end_assumption(&self, assumption: (Duration, ObjectId)) {
        self.point(HOLD_OBJECT, Mode::Write);
        self.touch(HOLD_OBJECT, Mode::Write);
        self.touch(CLOCK_OBJECT, Mode::Read);
        self.assumptions.borrow_mut().remove(&assumption);
        self.clock.set(ClockUse { arms: true, ..self.clock.get() });
    }

    /// Whether a timer may fire.
    pub(super) fn clock_can_run(&self) -> bool {
        let timers = self.timers.borrow();
        let Some(((next, _), _)) = timers.first_key_value() else { return false };
        self.assumptions.borrow().first().is_none_or(|(end, _)| next < end)
    }
}

impl Execution {
    /// Whether timers are armed, and what is assumed keeps all of them from firing. If nothing else can run either, the execution
    /// is none of those that the assumptions speak of.
    pub fn holds_the_clock(&self) -> bool {
        World::with(|world| !world.timers.borrow().is_empty() && !world.clock_can_run())
    }

    /// What has been assumed, in the words of the model.
    pub fn assumptions(&self) -> Vec<&'static str> {
        World::with(|world| world.assumed.borrow().iter().copied().collect())
    }
}
