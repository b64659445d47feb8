//! What a failing seed has to say, for a person to read.

use std::fmt;
use std::sync::OnceLock;

use windtunnel::task::Dump;

use crate::{Cause, Outcome, Scenario, timeline};

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
    /// Whether to print real time: it differs from run to run.
    pub show_real_time: bool,
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
    /// Runs a failed seed again and compares; `None` if it did not fail.
    pub fn examine(scenario: &Scenario, outcome: Outcome) -> Option<Self> {
        outcome.cause.as_ref()?;
        let again = scenario.run_traced(outcome.seed);
        let divergence = Divergence::between(&outcome, &again);
        let timeline = timeline::save(&scenario.name(), &again);
        Some(Self {
            name: scenario.name(),
            package: scenario.package,
            outcome,
            position: None,
            divergence,
            timeline,
            show_real_time: true,
        })
    }

    /// The command that replays the seed.
    pub fn replay_command(&self) -> String {
        let (name, seed) = (&self.name, self.outcome.seed);
        match REPLAY_COMMAND.get() {
            Some(command) => format!("{command} replay {name} {seed}"),
            None => {
                let function = name.rsplit("::").next().unwrap_or(name);
                let package = &self.package;
                format!("WINDTUNNEL_SEED={seed} cargo test -p {package} {function} -- --nocapture")
            }
        }
    }

    /// The failure in one line.
    pub fn symptom(&self) -> String {
        let cause = self.outcome.cause.as_ref().expect("a failure has a cause").to_string();
        cause.lines().next().unwrap_or_default().to_owned()
    }
}

impl Divergence {
    /// Where the traces of two runs of one seed differ; `second` has kept its lines.
    pub(crate) fn between(first: &Outcome, second: &Outcome) -> Option<Self> {
        if first.trace == second.trace {
            return None;
        }
        let common = first.prefixes.iter().zip(&second.prefixes).take_while(|(a, b)| a == b).count();
        let line = second.lines.get(common).map_or("the end".into(), ToString::to_string);
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
        if !faults.is_empty() {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            section(f, "faults", &faults.join("; "))?;
        }
        section(f, "blocked", &Dump::new(tasks.clone()).to_string())?;
        match &self.divergence {
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
