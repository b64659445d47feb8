//! One execution along a plan, for a replay, for a shorter schedule, and for the steps of a report.

use windtunnel::engine::explore::{CLOCK, Choices, Execution, MAIN, Names, begin_search};
use windtunnel::engine::traced;

use super::nearby::nearby;
use super::shorten::shorten;
use super::tree::{Tasks, has};
use super::{Explorer, Failed, failed, verdict};
use crate::builder::Engine;
use crate::plan::{Block, Plan, Who, word};
use crate::report::{Bound, Failure, Report, Steps};
use crate::{Schedule, ScheduleError};

/// What makes one schedule shorter than another: fewer switches, then fewer of them away from a task that could have gone on, then
/// fewer steps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Cost {
    pub(super) switches: usize,
    pub(super) preemptions: usize,
    pub(super) steps: usize,
}

impl Cost {
    pub(super) const UNLIMITED: Self = Self { switches: usize::MAX, preemptions: usize::MAX, steps: usize::MAX };
}

/// An execution that followed a plan to its end.
pub(super) struct Followed {
    /// What it did, as a plan.
    pub(super) blocks: Vec<Block>,
    pub(super) cost: Cost,
    pub(super) failed: Option<Failed>,
}

/// Who runs by preference: who ran last, the main task after others, since it mostly waits for them, and the clock last.
pub(super) fn preferred(tasks: Tasks, previous: Option<usize>) -> Option<usize> {
    let others = tasks & !(1 << CLOCK | 1 << MAIN);
    match previous {
        _ if tasks == 0 => None,
        Some(task) if has(others, task) => Some(task),
        _ if others != 0 => Some(others.trailing_zeros() as usize),
        _ => Some(if has(tasks, MAIN) { MAIN } else { CLOCK }),
    }
}

/// Steps of the present search, as a plan.
pub(super) fn blocks<'a>(steps: impl Iterator<Item = (usize, &'a Choices)>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut last = None;
    for (task, choices) in steps {
        if last.replace(task) != Some(task) {
            blocks.push(Block { who: Who::of(task), steps: Some(0), choices: Vec::new() });
        }
        let block = blocks.last_mut().expect("just added, if there was none");
        block.steps = block.steps.map(|steps| steps + 1);
        block.choices.extend(choices.iter().map(|(taken, _)| *taken));
    }
    blocks
}

/// Why an execution does not go on.
enum Halt {
    /// It ran to its end.
    Over(Option<Failed>),
    /// It costs no less than it was to.
    Dear,
    /// Checked cells are in use, and their order is not kept.
    WantsOrder,
}

/// An execution under way.
struct Walk {
    execution: Execution,
    ordered: bool,
    limit: Cost,
    cost: Cost,
    /// The task and the blocks of the steps that were made.
    last: Option<usize>,
    blocks: Vec<Block>,
}

impl Walk {
    /// Has `task`, which can run, make a step; how many of `choices` it used.
    fn step(&mut self, task: usize, choices: &[usize]) -> Result<usize, Halt> {
        if self.last.replace(task) != Some(task) {
            let before = self.blocks.last();
            self.cost.switches += usize::from(before.is_some());
            self.cost.preemptions += usize::from(before.is_some_and(|it| it.steps.is_some() && it.who != Who::Clock));
            self.blocks.push(Block { who: Who::of(task), steps: Some(0), choices: Vec::new() });
        }
        self.cost.steps += 1;
        if self.cost >= self.limit || self.cost.steps > self.limit.steps.saturating_mul(4) {
            return Err(Halt::Dear);
        }
        // What no choice is made of keeps no alternatives.
        let choices = choices.iter().map(|taken| (*taken, 0)).collect();
        let Some(step) = self.execution.step(task, &choices) else { return Err(Halt::Over(None)) };
        let made: Vec<_> =
            step.choices.iter().filter(|(_, most)| *most > 0).map(|(taken, most)| taken % most).collect();
        let block = self.blocks.last_mut().expect("one was begun");
        block.choices.extend(&made);
        // The clock's are counted: there may be more timers than are to fire.
        let goes_on = has(self.execution.enabled(), task) || task == CLOCK;
        block.steps = if goes_on { Some(block.steps.unwrap_or(0) + 1) } else { None };
        if self.execution.wants_order() && !self.ordered {
            return Err(Halt::WantsOrder);
        }
        if step.panicked {
            return Err(Halt::Over(Some(failed(self.execution.run()))));
        }
        Ok(made.len())
    }

    /// Follows `block` as far as it can be.
    fn block(&mut self, block: &Block) -> Result<(), Halt> {
        let (mut used, mut made) = (0, 0);
        while block.steps.is_none_or(|steps| made < steps) {
            let Some(task) = block.who.number().filter(|task| has(self.execution.enabled(), *task)) else { break };
            used += self.step(task, block.choices.get(used..).unwrap_or_default())?;
            made += 1;
        }
        Ok(())
    }

    /// Follows `blocks`, and goes on to the end.
    fn walk(&mut self, blocks: &[Block]) -> Result<(), Halt> {
        blocks.iter().try_for_each(|block| self.block(block))?;
        while let Some(task) = preferred(self.execution.enabled(), self.last) {
            self.step(task, &[])?;
        }
        Err(Halt::Over(verdict(&self.execution)))
    }

    /// What was done; the last block went as far as it could.
    fn done(mut self, failed: Option<Failed>) -> Followed {
        if let Some(last) = self.blocks.last_mut().filter(|last| last.who != Who::Clock) {
            last.steps = None;
        }
        for block in &mut self.blocks {
            let kept = block.choices.iter().rposition(|taken| *taken > 0).map_or(0, |last| last + 1);
            block.choices.truncate(kept);
        }
        Followed { blocks: self.blocks, cost: self.cost, failed }
    }
}

impl Explorer {
    /// The execution along `blocks`: what cannot run is passed over, and after the last one who ran last goes on. `None` if it costs
    /// `limit` or more.
    pub(super) fn follow(&self, blocks: &[Block], limit: Cost) -> Option<Followed> {
        [false, true].into_iter().find_map(|ordered| match self.follow_once(blocks, limit, ordered) {
            (Halt::Over(failed), walk) => Some(Some(walk.done(failed))),
            (Halt::Dear, _) => Some(None),
            (Halt::WantsOrder, _) => None,
        })?
    }

    fn follow_once(&self, blocks: &[Block], limit: Cost, ordered: bool) -> (Halt, Walk) {
        begin_search(ordered, &Names::default());
        let cost = Cost { switches: 0, preemptions: 0, steps: 0 };
        let mut walk = Walk { execution: self.start(), ordered, limit, cost, last: None, blocks: Vec::new() };
        let halt = walk.walk(blocks).err().unwrap_or(Halt::Over(None));
        (halt, walk)
    }

    /// Runs the execution of `schedule`, or the nearest that fails as it says.
    pub(crate) fn replay(&self, schedule: &Schedule) -> Result<Report, ScheduleError> {
        schedule.check_model(&self.name)?;
        let stale = || ScheduleError::Stale(self.name.clone());
        let plan = schedule.plan().ok_or_else(stale)?;
        let fails = |blocks: &Vec<Block>| {
            let followed = self.follow(blocks, Cost::UNLIMITED);
            followed.and_then(|it| it.failed).is_some_and(|(kind, _)| word(&kind) == plan.fails)
        };
        let blocks = nearby(&plan.blocks).find(fails).ok_or_else(stale)?;
        let (followed, steps) = self.watch(&blocks);
        let (kind, tasks) = followed.and_then(|it| it.failed).ok_or_else(stale)?;
        let mut report = Report::new(&self.name, Engine::Explore);
        report.executions = 1;
        report.bounds = vec![Bound::OneExecution];
        report.elapsed = self.started.elapsed();
        let schedule = Some(Schedule::from_plan(&self.name, Plan { fails: plan.fails, blocks }));
        report.failure = Some(Failure { kind, tasks, execution: 1, steps, schedule, replays: true });
        Ok(report)
    }

    /// Follows `blocks`, and notes what the tasks do.
    fn watch(&self, blocks: &[Block]) -> (Option<Followed>, Steps) {
        // Known beforehand, so that nothing is noted twice.
        let ordered = matches!(self.follow_once(blocks, Cost::UNLIMITED, false), (Halt::WantsOrder, _));
        let steps = Steps::default();
        let (halt, walk) = traced(Box::new(steps.clone()), || self.follow_once(blocks, Cost::UNLIMITED, ordered));
        let followed = if let Halt::Over(failed) = halt { Some(walk.done(failed)) } else { None };
        (followed, steps)
    }

    /// The failure at the end of `blocks`, by the shortest schedule that was found for it.
    pub(super) fn explain(&self, (found, blocks): (Failed, Vec<Block>), execution: u64) -> Failure {
        let blocks = shorten(self, &blocks, &found).unwrap_or(blocks);
        let (followed, steps) = self.watch(&blocks);
        let again = followed.and_then(|it| it.failed);
        let replays = again.as_ref().is_some_and(|(kind, _)| *kind == found.0);
        let (kind, tasks) = again.filter(|_| replays).unwrap_or(found);
        let schedule = Some(Schedule::from_plan(&self.name, Plan { fails: word(&kind), blocks }));
        Failure { kind, tasks, execution, steps, schedule, replays }
    }
}
