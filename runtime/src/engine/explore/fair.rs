//! Fair scheduling of yields, so that a task that waits by yielding does not spin while who could end that waits for its turn.
//!
//! A task that yielded runs again only once another has made a step. At each further yield it lets those run first that could run
//! all the time since its last one and did not (Musuvathi and Qadeer, "Fair stateless model checking", PLDI 2008). So tasks that
//! only yield to each other do not keep a third from running, and no state is lost that can be reached without spinning.

use smallvec::SmallVec;

/// The tasks that have yielded, and whom they let run first.
#[derive(Default)]
pub(super) struct Fairness {
    /// The task of this step yields.
    yields: bool,
    windows: SmallVec<[Window; 4]>,
}

/// A task since its last yield.
#[derive(Clone, Copy)]
struct Window {
    task: usize,
    /// It lets anybody run first, and nobody has.
    lets_any: bool,
    /// It lets these run first.
    lets: u64,
    /// Who could run at its last yield.
    could: u64,
    /// Who has run since.
    ran: u64,
}

impl Fairness {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn yields(&mut self) {
        self.yields = true;
    }

    /// Notes a step of `task`, after which those of `runnable` can run; whether it ended somebody's waiting for others.
    pub(super) fn stepped(&mut self, task: usize, runnable: u64) -> bool {
        let (own, mut ends) = (1 << task, false);
        for window in self.windows.iter_mut().filter(|window| window.task != task) {
            ends |= window.lets_any || window.lets & own != 0;
            window.lets_any = false;
            window.lets &= !own;
            window.ran |= own;
        }
        let yields = std::mem::take(&mut self.yields);
        match self.windows.iter_mut().find(|window| window.task == task) {
            Some(window) if yields => {
                let lets = window.could & runnable & !window.ran & !own;
                *window = Window { task, lets_any: true, lets, could: runnable, ran: 0 };
            }
            Some(window) => (window.lets_any, window.lets) = (false, 0),
            None if yields => {
                self.windows.push(Window { task, lets_any: true, lets: 0, could: runnable, ran: 0 });
            }
            None => {}
        }
        ends
    }

    /// Those of `runnable` whose turn it may be: all of them, if each lets others run first.
    pub(super) fn allowed(&self, runnable: u64) -> u64 {
        let (mut lets_any, mut lets) = (0, 0);
        for window in &self.windows {
            lets_any |= u64::from(window.lets_any) << window.task;
            lets |= u64::from(window.lets & runnable != 0) << window.task;
        }
        let turns = [runnable & !lets_any & !lets, runnable & !lets];
        turns.into_iter().find(|turn| *turn != 0).unwrap_or(runnable)
    }
}
