//! Executions drawn at random, where there are too many to try them all.
//!
//! Each is drawn from a generator of its own, seeded by the seed of the search and its number: the same seed gives the same report.
//!
//! - *PCT* (Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding bugs",
//!   ASPLOS 2010): each task has a random priority, the highest runs, and at d - 1 random steps who runs is put below all others. With n
//!   tasks and k steps an execution shows a bug of depth d, one that needs d steps to be in a certain order, with probability
//!   1 / (n k^(d - 1)) or more. Where the bug needs certain choices as well, these are drawn by themselves: that probability is divided
//!   by the number of ways to make them. n, k and that number are the most that were met; executions before the one that showed
//!   that there are more do not count for the probability.
//! - *Partial-order sampling* (Yuan, Yang and Gu, "Partial order aware concurrency sampling", CAV 2018): each step that is to come has
//!   a random priority, drawn anew if it races with the step that was just made. That has no guarantee by depth, and neither have
//!   *random* walks, in which each of the tasks that can run is as likely: the verdict says how often a bug would have to show.

use std::collections::BTreeSet;

use windtunnel::engine::explore::{Choices, Execution, MOST_TASKS, Names, Step, begin_search};

use super::tree::{Tasks, has};
use super::{Explorer, Failed, failed, is_left_out, replay, verdict};
use crate::builder::{Engine, Sampling};
use crate::report::{Bound, Report};

/// Executions of a search that was not told how many.
const EXECUTIONS: u64 = 10_000;

/// The most that was met.
#[derive(Clone, Copy)]
struct Met {
    tasks: u32,
    steps: usize,
    /// Ways to make the choices of one execution.
    ways: f64,
}

impl Met {
    fn is_covered_by(&self, other: &Self) -> bool {
        self.tasks <= other.tasks && self.steps <= other.steps && self.ways <= other.ways
    }

    fn and(self, other: &Self) -> Self {
        let (tasks, steps) = (self.tasks.max(other.tasks), self.steps.max(other.steps));
        Self { tasks, steps, ways: self.ways.max(other.ways) }
    }
}

/// An execution that was drawn.
struct Drawn {
    steps: Vec<(usize, Choices)>,
    met: Met,
    assumptions: Vec<&'static str>,
    end: End,
}

enum End {
    Over(Option<Failed>),
    LeftOut,
    WantsOrder,
}

/// Who runs next, by chance.
struct Draw {
    sampling: Sampling,
    luck: fastrand::Rng,
    /// The higher, the sooner; 0 for a task that was not met yet.
    priorities: [u64; MOST_TASKS],
    /// Steps at which who runs is put below all others, each with the priority that it gets there.
    changes: Vec<(usize, u64)>,
}

impl Draw {
    fn new(sampling: Sampling, mut luck: fastrand::Rng, steps: usize) -> Self {
        let depth = if let Sampling::Pct { depth } = sampling { depth } else { 1 };
        let changes = (1..depth).map(|low| (luck.usize(0..steps.max(1)), low as u64)).collect();
        Self { sampling, luck, priorities: [0; MOST_TASKS], changes }
    }

    /// Above those that were lowered.
    fn priority(&mut self) -> u64 {
        self.luck.u64(..) | 1 << 63
    }

    fn highest(&self, enabled: Tasks) -> usize {
        let tasks = (0..MOST_TASKS).filter(|task| has(enabled, *task));
        tasks.max_by_key(|task| self.priorities[*task]).expect("somebody can run")
    }

    /// Who makes step number `step`.
    fn next(&mut self, enabled: Tasks, step: usize) -> usize {
        if self.sampling == Sampling::Random {
            let turn = self.luck.usize(0..enabled.count_ones() as usize);
            return (0..MOST_TASKS).filter(|task| has(enabled, *task)).nth(turn).expect("as many can run");
        }
        for task in (0..MOST_TASKS).filter(|task| has(enabled, *task)) {
            if self.priorities[task] == 0 {
                self.priorities[task] = self.priority();
            }
        }
        while let Some(at) = self.changes.iter().position(|(change, _)| *change == step) {
            let (_, low) = self.changes.swap_remove(at);
            let highest = self.highest(enabled);
            self.priorities[highest] = low;
        }
        self.highest(enabled)
    }

    /// Has the steps that race with `step` of `task`, which was just made, be drawn anew.
    fn made(&mut self, execution: &Execution, task: usize, step: &Step) {
        if self.sampling == Sampling::Pos {
            for other in 0..MOST_TASKS {
                if other == task || has(step.enables, other) || execution.races(other, &step.footprint) {
                    self.priorities[other] = 0;
                }
            }
        }
    }
}

impl Explorer {
    /// Runs executions at random until one fails.
    pub(super) fn sample(&self, sampling: Sampling) -> Report {
        let mut report = Report::new(&self.name, Engine::Explore);
        report.sampled = Some(format!("{sampling}, seed {}", self.builder.seed));
        let most = self.builder.max_executions.unwrap_or(EXECUTIONS);
        let mut met = Met { tasks: 0, steps: 0, ways: 1.0 };
        let (mut ordered, mut counted, mut number) = (false, 0_u64, 0_u64);
        let (mut assumptions, mut left_out) = (BTreeSet::new(), 0);
        while number < most {
            if let Some(bound) = self.builder.bound_hit(number, self.started) {
                report.add_bound(bound);
                break;
            }
            let drawn = self.draw(sampling, number, met.steps, ordered);
            if let End::WantsOrder = drawn.end {
                ordered = true;
                continue;
            }
            counted = if drawn.met.is_covered_by(&met) { counted + 1 } else { 0 };
            met = met.and(&drawn.met);
            number += 1;
            assumptions.extend(drawn.assumptions.into_iter().map(String::from));
            *if let End::LeftOut = drawn.end { &mut left_out } else { &mut report.executions } += 1;
            if let End::Over(Some(failed)) = drawn.end {
                let blocks = replay::blocks(drawn.steps.iter().map(|(task, choices)| (*task, choices)));
                report.failure = Some(self.explain((failed, blocks), number));
                break;
            }
        }
        let missed = sampling.missed(&met, counted, number);
        report.add_bound(Bound::Sampled { sampling, executions: number, seed: self.builder.seed, missed });
        report.add_assumptions(assumptions, left_out);
        report.longest = met.steps;
        report.elapsed = self.started.elapsed();
        report
    }

    /// Draws execution `number`, which has about so many steps.
    fn draw(&self, sampling: Sampling, number: u64, steps: usize, ordered: bool) -> Drawn {
        begin_search(ordered, &Names::default());
        let mut luck = fastrand::Rng::with_seed(self.builder.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut execution = self.start();
        execution.choose_by_chance(luck.u64(..));
        let mut draw = Draw::new(sampling, luck, steps);
        let met = Met { tasks: 0, steps: 0, ways: 1.0 };
        let mut drawn = Drawn { steps: Vec::new(), met, assumptions: Vec::new(), end: End::Over(None) };
        let mut tasks: Tasks = 0;
        loop {
            let enabled = execution.enabled();
            if enabled == 0 {
                drawn.end = if is_left_out(&execution) { End::LeftOut } else { End::Over(verdict(&execution)) };
                break;
            }
            tasks |= enabled;
            let task = draw.next(enabled, drawn.steps.len());
            let step = execution.step(task, &Choices::new()).expect("it can run");
            draw.made(&execution, task, &step);
            drawn.met.ways *= step.choices.iter().map(|(_, ways)| real(*ways as u64)).product::<f64>();
            drawn.steps.push((task, step.choices));
            if execution.wants_order() && !ordered {
                drawn.end = End::WantsOrder;
                break;
            }
            if step.panicked {
                drawn.end = End::Over(Some(failed(execution.run())));
                break;
            }
        }
        drawn.assumptions = execution.assumptions();
        drawn.met = Met { tasks: tasks.count_ones(), steps: drawn.steps.len(), ways: drawn.met.ways };
        drawn
    }
}

/// The chance of missing that is thought small enough to name what is missed with it.
const SMALL: f64 = 0.05;

impl Sampling {
    /// What is missed with what probability, in words.
    fn missed(self, met: &Met, counted: u64, executions: u64) -> String {
        let Self::Pct { depth } = self else {
            let often = 1.0 / (1.0 - SMALL.powf(1.0 / real(executions.max(1))));
            return format!("a bug that one execution in {often:.0} shows is missed with probability ≤ {SMALL}");
        };
        let changes = i32::try_from(depth - 1).unwrap_or(i32::MAX);
        let finds = 1.0 / (f64::from(met.tasks.max(1)) * real(met.steps.max(1) as u64).powi(changes) * met.ways);
        let missed = (1.0 - finds).powf(real(counted));
        format!("a bug of depth {depth} is missed with probability ≤ {}", rounded_up(missed))
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

/// With three decimals, or two digits.
fn rounded_up(probability: f64) -> String {
    if probability >= 0.001 {
        return format!("{:.3}", (probability * 1000.0).ceil() / 1000.0);
    }
    format!("{:.1e}", probability * 1.05)
}
