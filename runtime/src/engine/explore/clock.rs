//! The clock of an execution, and the timers that it fires.

use std::task::{Poll, Waker};
use std::time::Duration;

use super::footprint::{CLOCK_OBJECT, HOLD_OBJECT, Mode, ObjectId};
use super::world::{ClockUse, World};

impl World {
    pub(crate) fn now(&self) -> Duration {
        self.point(CLOCK_OBJECT, Mode::Read);
        self.touch(CLOCK_OBJECT, Mode::Read);
        self.now.get()
    }

    /// What the clock shows.
    pub(crate) fn time(&self) -> Duration {
        self.now.get()
    }

    /// Arms the timer, unless its time has come. Arming commutes with arming: timers fire by their deadlines. It commutes with
    /// the firing of earlier ones, too.
    pub(crate) fn poll_timer(&self, deadline: Duration, timer: &mut Option<ObjectId>, waker: &Waker) -> Poll<()> {
        self.point(CLOCK_OBJECT, Mode::Read);
        self.footprint.borrow_mut().looks_out_for(deadline);
        if self.now.get() >= deadline {
            if let Some(timer) = timer.take() {
                self.timers.borrow_mut().remove(&(deadline, timer));
            }
            return Poll::Ready(());
        }
        let timer = *timer.get_or_insert_with(|| self.object());
        let before = self.timers.borrow_mut().insert((deadline, timer), waker.clone());
        drop(before);
        self.touch(HOLD_OBJECT, Mode::Read);
        self.clock.set(ClockUse { arms: true, ..self.clock.get() });
        Poll::Pending
    }

    pub(crate) fn disarm(&self, deadline: Duration, timer: ObjectId) {
        self.point(CLOCK_OBJECT, Mode::Read);
        self.footprint.borrow_mut().looks_out_for(deadline);
        self.touch(HOLD_OBJECT, Mode::Read);
        let waker = self.timers.borrow_mut().remove(&(deadline, timer));
        let used = self.clock.get();
        self.clock.set(ClockUse { disarms: used.disarms || waker.is_some(), ..used });
        drop(waker);
    }

    /// The clock's step: the timers with the earliest deadline fire.
    pub(super) fn fire(&self) {
        self.touch(CLOCK_OBJECT, Mode::Write);
        let Some(deadline) = self.timers.borrow().keys().next().map(|(deadline, _)| *deadline) else { return };
        self.now.set(deadline);
        self.footprint.borrow_mut().fires(deadline);
        let due = |world: &Self| {
            let mut timers = world.timers.borrow_mut();
            let (key, _) = timers.first_key_value().filter(|((first, _), _)| *first <= deadline)?;
            let key = *key;
            timers.remove(&key)
        };
        while let Some(waker) = due(self) {
            waker.wake();
        }
    }
}
