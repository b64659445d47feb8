//! The command line.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use windtunnel_sim::faults::FaultPlan;
use windtunnel_sim::{Patience, Sweep};

use crate::catalogue::{self, UsageError};
use crate::history::HistoryArgs;
use crate::job::Job;
use crate::replay::ReplayArgs;
use crate::terms::Terms;

/// Tests concurrent and distributed code before it flies: simulated clusters, exhaustive models, known bugs.
#[derive(Debug, Parser)]
#[command(name = "windtunnel", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Prints one JSON object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sweeps every scenario, checks every model, finds every known bug (the default).
    Check,
    /// Lists every scenario, model and known bug.
    List,
    /// Runs scenarios over seeds.
    Sweep(SweepArgs),
    /// Runs one seed of a scenario again, and prints its trace.
    Replay(ReplayArgs),
    /// Checks models exhaustively.
    Model {
        /// The models; all of them if none is named.
        names: Vec<String>,
        #[command(flatten)]
        terms: Terms,
        /// Runs just this execution of one model again: the word after `--schedule` in its report.
        #[arg(long)]
        schedule: Option<String>,
        /// Explores one model from where the search that the file keeps was stopped, and keeps it there when it is stopped again.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["schedule", "sample"])]
        resume: Option<PathBuf>,
    },
    /// Checks that each known bug is found.
    Bugs {
        /// The bugs; all of them if none is named.
        ids: Vec<String>,
    },
    /// Says whether a history in a file is linearizable.
    History(HistoryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The scenarios; all of them if none is named.
    names: Vec<String>,
    /// N for the seeds 0 to N - 1, or A..B for A to B - 1; each scenario's own number by default.
    #[arg(long, value_name = "N|A..B")]
    seeds: Option<Seeds>,
    /// Threads; one for each core by default.
    #[arg(long, value_name = "J", value_parser = jobs)]
    jobs: Option<usize>,
    /// Only part k of n of the seeds.
    #[arg(long, value_name = "k/n")]
    shard: Option<Shard>,
    /// Runs each seed twice and compares the traces.
    #[arg(long)]
    verify: bool,
    /// A fault plan, in the place of what each seed draws.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Gives a run up that takes this much real time and names the task that spins; 60 by default, 0 for no limit.
    #[arg(long, value_name = "SECS")]
    patience: Option<Patience>,
}

impl SweepArgs {
    pub(crate) fn jobs(self) -> Result<Vec<Job>, UsageError> {
        let patience = self.patience.unwrap_or(Patience::from_env()?);
        let scenarios = catalogue::scenarios(&self.names)?;
        let plan = self.faults.as_ref().map(FaultPlan::read).transpose()?.map(Arc::new);
        let first = self.seeds.as_ref().map_or(0, |seeds| seeds.0.start);
        for (scenario, plan) in scenarios.iter().flat_map(|scenario| plan.iter().map(move |plan| (scenario, plan))) {
            scenario.accepts(first, plan, patience)?;
        }
        let sweep = |seeds: u64| {
            let mut sweep = Sweep::new(self.seeds.clone().map_or(0..seeds, |seeds| seeds.0));
            sweep.jobs = self.jobs.unwrap_or(sweep.jobs);
            sweep.shard = self.shard.map_or((1, 1), |shard| (shard.0, shard.1));
            sweep.verify = self.verify;
            sweep.plan.clone_from(&plan);
            sweep.patience = patience;
            sweep
        };
        Ok(scenarios.into_iter().map(|scenario| Job::Scenario(scenario, sweep(scenario.seeds))).collect())
    }
}

const SEED_RANGE: &str = "a seed is a number from 0 to 18446744073709551615";

pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| SEED_RANGE.into())
}

pub(crate) fn jobs(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|jobs| (1..=1024).contains(jobs)).ok_or_else(|| "write a number from 1 to 1024".into())
}

/// Half-open, never empty.
#[derive(Debug, Clone)]
struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = match text.split_once("..") {
            Some((from, to)) => seed(from)?..seed(to)?,
            None => 0..seed(text).map_err(|error| format!("write N or A..B: {error}"))?,
        };
        if range.is_empty() {
            Err("no seed lies in it: write the smaller number first".into())
        } else {
            Ok(Self(range))
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Shard(u64, u64);

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((k, n)) if 1 <= k && k <= n => Ok(Self(k, n)),
            _ => Err("write k/n with k from 1 to n, for example 2/4".into()),
        }
    }
}

/// clap's message without its usage text: what is wrong and, where clap knows, how to mend it.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let wanted = |line: &&&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let message = lines.iter().filter(wanted).copied().collect::<Vec<_>>().join("; ");
    format!("{} (see windtunnel --help)", message.trim_start_matches("error: "))
}
