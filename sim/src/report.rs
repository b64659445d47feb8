//! What a failing seed has to say, for a person to read.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use windtunnel::task::Dump;

use crate::shrink::{self, Budget, Smallest};
use crate::timeline::Timeline;
use crate::{Cause, Outcome, Scenario, artifact};

/// A seed that failed, and whether it does so again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The scenario.
    pub name: String,
    /// The package it is in.
    pub package: &'static str,
    /// The run that failed.
    pub outcome: Outcome,
    /// Position in the sweep, from 1, and the number of seeds in it.
    pub position: Option<(u64, u64)>,
    /// Where a second run went another way, if it did.
    pub divergence: Option<Divergence>,
    /// The picture of the run: its path from the folder of the workspace, or why it was not written.
    pub timeline: Result<String, String>,
    /// What `outcome` was shrunk from, if it was.
    pub smallest: Option<Smallest>,
    /// Whether to print real time: it differs from run to run.
    pub show_real_time: bool,
    /// What the `replay` line begins with; without it the line is for `cargo test`.
    pub command: Option<&'static str>,
}

/// The first event at which two runs of one seed differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Its number in the trace, from 1.
    pub event: usize,
    /// What the second run did there.
    pub line: String,
    /// The hashes of both traces.
    pub traces: (u64, u64),
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.traces.0 >> 32, self.traces.1 >> 32);
        write!(
            f,
            "no (trace {first:08x}, then {second:08x}): the runs differ from event {} on, where the second has: {}",
            self.event,
            self.line.trim_start()
        )
    }
}

impl Failure {
    /// Runs a failed seed again and compares; `None` if it did not fail. One that was given up would be again: it is not run.
    pub fn examine(scenario: &Scenario, outcome: Outcome) -> Option<Self> {
        outcome.cause.as_ref()?;
        let again = (!outcome.is_stuck()).then(|| scenario.again(&outcome));
        Some(Self::compared(scenario, outcome, again.as_ref()))
    }

    /// [`examine`](Self::examine), of the smallest run that fails in the same way, where the seed replays. The search ends when
    /// it has cost `budget`, or when `stop` is set.
    pub fn smallest(scenario: &Scenario, outcome: Outcome, stop: &AtomicBool, budget: &Budget) -> Option<Self> {
        if outcome.cause.is_none() || outcome.is_stuck() {
            return Self::examine(scenario, outcome);
        }
        let again = scenario.again(&outcome);
        let replays = again.trace == outcome.trace;
        match replays.then(|| shrink::smallest(scenario, &outcome, stop, budget)).flatten() {
            Some((outcome, smallest)) => Some(Self { smallest: Some(smallest), ..Self::examine(scenario, outcome)? }),
            None => Some(Self::compared(scenario, outcome, Some(&again))),
        }
    }

    /// `again` is a second run, recorded, if there was one.
    fn compared(scenario: &Scenario, outcome: Outcome, again: Option<&Outcome>) -> Self {
        let (name, divergence) = (scenario.name(), again.and_then(|again| Divergence::between(&outcome, again)));
        let recorded = again.or(outcome.terms.record.then_some(&outcome));
        let timeline = recorded.map_or(Err("drawn by the replay".into()), |recorded| {
            artifact::save(&name, outcome.seed, "html", &Timeline::new(&name, recorded).to_html())
        });
        Self {
            name,
            package: scenario.package,
            outcome,
            position: None,
            divergence,
            timeline,
            smallest: None,
            show_real_time: true,
            command: REPLAY_COMMAND.get().copied(),
        }
    }

    /// The command that replays the seed.
    pub fn replay_command(&self) -> String {
        let (name, seed) = (&self.name, self.outcome.seed);
        let file = self.smallest.as_ref().and_then(|smallest| smallest.file.as_ref().ok());
        match self.command {
            Some(command) => {
                let faults = file.map_or(String::new(), |file| format!(" --faults {file}"));
                format!("{command} replay {name} {seed}{faults}")
            }
            None => {
                let function = name.rsplit("::").next().unwrap_or(name);
                let package = &self.package;
                let faults = file.map_or(String::new(), |file| format!(" WINDTUNNEL_FAULTS={file}"));
                format!("WINDTUNNEL_SEED={seed}{faults} cargo test -p {package} {function} -- --nocapture")
            }
        }
    }

    /// The failure in one line.
    pub fn symptom(&self) -> String {
        self.outcome.cause.as_ref().expect("a failure has a cause").first_line()
    }
}

impl Divergence {
    /// Where the traces of two runs of one seed differ; `second` has kept its lines.
    pub(crate) fn between(first: &Outcome, second: &Outcome) -> Option<Self> {
        if first.trace == second.trace {
            return None;
        }
        let common = first.prefixes.iter().zip(&second.prefixes).take_while(|(a, b)| a == b).count();
        let line = second.line(common).map_or("the end".into(), ToString::to_string);
        Some(Self { event: common + 1, line, traces: (first.trace, second.trace) })
    }
}

static REPLAY_COMMAND: OnceLock<&str> = OnceLock::new();

/// Says what a report's `replay` line begins with; a command line does so once. Without it the line is for `cargo test`.
pub fn set_replay_command(command: &'static str) {
    REPLAY_COMMAND.get_or_init(|| command);
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { seed, cause, simulated, real, faults, tasks, trace, .. } = &self.outcome;
        write!(f, "{}  seed {seed}  FAILED after {:.3} s simulated", self.name, simulated.as_secs_f64())?;
        if self.show_real_time {
            write!(f, ", {:.0} ms real", real.as_secs_f64() * 1000.0)?;
        }
        if let Some((position, of)) = self.position {
            write!(f, " (seed {position} of {of})")?;
        }
        match cause {
            Some(Cause::Panic { message, at }) => {
                for (i, line) in message.lines().enumerate() {
                    write!(f, "\n  {line}")?;
                    if i == 0 {
                        write!(f, "   {at}")?;
                    }
                }
            }
            _ => write!(f, "\n  {}", self.symptom())?,
        }
        let faults: Vec<String> = faults.iter().filter(|it| !it.is_end()).map(ToString::to_string).collect();
        needed(f, "faults", self.smallest.as_ref().map(|it| it.faults), &faults.join("; "))?;
        let operations: Vec<&str> =
            self.outcome.workloads.iter().flat_map(|it| &it.operations).map(String::as_str).collect();
        needed(f, "workload", self.smallest.as_ref().map(|it| it.operations), &operations.join("; "))?;
        if let Some(Smallest { runs, spent: true, .. }) = &self.smallest {
            section(f, "smallest", &format!("so far: the search was stopped after {runs} runs, its budget spent"))?;
        }
        if let Some(Smallest { file: Err(error), .. }) = &self.smallest {
            section(f, "smallest", error)?;
        }
        if let Some(Cause::Stuck(stuck)) = cause {
            section(f, "spins", &stuck.suspect().unwrap_or_default())?;
            section(f, "patience", "more by WINDTUNNEL_PATIENCE=SECS or --patience SECS; 0 is no limit")?;
        }
        section(f, "blocked", &Dump::new(tasks.clone()).to_string())?;
        match &self.divergence {
            None if self.outcome.is_stuck() => section(f, "replays", "not tried: it would not end either")?,
            None => section(f, "replays", &format!("yes (trace {:08x})", trace >> 32))?,
            Some(divergence) => section(f, "replays", &divergence.to_string())?,
        }
        section(f, "replay", &self.replay_command())?;
        let (Ok(timeline) | Err(timeline)) = &self.timeline;
        section(f, "timeline", timeline)
    }
}

/// A titled part of a report; further lines are indented under the first.
fn section(f: &mut fmt::Formatter<'_>, title: &str, text: &str) -> fmt::Result {
    for (i, line) in text.lines().enumerate() {
        let title = if i == 0 { title } else { "" };
        write!(f, "\n  {title:<9} {line}")?;
    }
    Ok(())
}

/// What there was, and how much of it the failure needs.
fn needed(f: &mut fmt::Formatter<'_>, title: &str, counts: Option<(usize, usize)>, what: &str) -> fmt::Result {
    match counts.filter(|(_, of)| *of > 0) {
        Some((needed, of)) if what.is_empty() => section(f, title, &format!("{needed} of {of} needed")),
        Some((needed, of)) => section(f, title, &format!("{needed} of {of} needed: {what}")),
        None if what.is_empty() => Ok(()),
        None => section(f, title, what),
    }
}
