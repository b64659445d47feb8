//! How models are checked, if not each as it says itself.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use windtunnel_model::{Builder, Sampling};

use crate::args::{jobs, seed};
use crate::catalogue::UsageError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Every interleaving of operations, under the memory model: five tasks, no time.
    Loom,
    /// Every order of critical sections: any number of tasks, and time.
    Explore,
}

impl From<Engine> for windtunnel_model::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Loom => Self::Loom,
            Engine::Explore => Self::Explore,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Terms {
    /// What explores the interleavings; each model's own by default; explore with --sample, --bound delays=N or --threads.
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,
    /// Tries only executions within a bound: with so many switches away from a task that could have gone on, or delays.
    #[arg(long, value_name = "preemptions=N|delays=N", conflicts_with_all = ["sample", "schedule"])]
    bound: Option<Bound>,
    /// Draws executions at random, where there are too many to try them all.
    #[arg(long, value_name = "pct:depth=D|pos|random", conflicts_with = "schedule")]
    sample: Option<Sample>,
    /// Stops after so many executions; those that are drawn are 10,000 by default.
    #[arg(long, value_name = "N", value_parser = executions, conflicts_with = "schedule")]
    executions: Option<u64>,
    /// Threads of an exploration, 1 by default: with more, another execution may be the first that fails each time.
    #[arg(long, value_name = "J", value_parser = jobs, conflicts_with_all = ["schedule", "sample"])]
    threads: Option<usize>,
    /// The seed of the executions that are drawn; 0 by default.
    #[arg(long, value_name = "S", value_parser = seed, requires = "sample")]
    seed: Option<u64>,
}

impl Terms {
    /// Whether they go together.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        let of_explore = match (self.bound, self.sample) {
            (_, Some(_)) => "--sample",
            (Some(Bound::Delays(_)), _) => "--bound delays=N",
            _ if self.threads.is_some() => "--threads",
            _ => return Ok(()),
        };
        match self.engine {
            Some(Engine::Loom) => Err(UsageError::OfExplore { option: of_explore }),
            _ => Ok(()),
        }
    }

    /// A model's own limits, changed by these.
    pub(crate) fn apply(&self, own: Builder) -> Builder {
        let builder = self.engine.map_or(own, |engine| own.engine(engine.into()));
        let builder = match self.bound {
            Some(Bound::Preemptions(most)) => builder.preemptions(most),
            Some(Bound::Delays(most)) => builder.delays(most),
            None => builder,
        };
        let builder = self.sample.map_or(builder, |sample| builder.sample(sample.0));
        let builder = self.threads.map_or(builder, |threads| {
            // To loom's models, which would take no notice of it, it is said which engine is meant.
            builder.threads(threads).engine(windtunnel_model::Engine::Explore)
        });
        let builder = self.executions.map_or(builder, |most| builder.max_executions(most));
        self.seed.map_or(builder, |seed| builder.seed(seed))
    }
}

fn executions(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|most| *most > 0).ok_or_else(|| "write a number from 1 on".into())
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Preemptions(usize),
    Delays(usize),
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').and_then(|(what, most)| Some((what, most.parse().ok()?))) {
            Some(("preemptions", most)) => Ok(Self::Preemptions(most)),
            Some(("delays", most)) => Ok(Self::Delays(most)),
            _ => Err("write preemptions=N or delays=N, for example preemptions=2".into()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample(Sampling);

/// A bug that needs more steps in a certain order is not to be found by chance.
const DEEPEST: usize = 100;

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let depth = text.strip_prefix("pct:depth=").and_then(|depth| depth.parse().ok());
        match (text, depth.filter(|depth| (1..=DEEPEST).contains(depth))) {
            (_, Some(depth)) => Ok(Self(Sampling::Pct { depth })),
            ("pos", _) => Ok(Self(Sampling::Pos)),
            ("random", _) => Ok(Self(Sampling::Random)),
            _ => Err(format!("write pct:depth=D with D from 1 to {DEEPEST}, pos or random, for example pct:depth=3")),
        }
    }
}
