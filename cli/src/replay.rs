//! One seed again, and the files that show it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use windtunnel_sim::faults::FaultPlan;
use windtunnel_sim::{Outcome, Patience, Scenario, Terms, Timeline};

use crate::args;
use crate::catalogue::UsageError;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The scenario.
    pub(crate) name: String,
    /// The seed.
    #[arg(value_parser = args::seed)]
    pub(crate) seed: u64,
    /// A fault plan, in the place of what the seed draws.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Gives the run up after this much real time and names the task that spins; 60 by default, 0 for no limit.
    #[arg(long, value_name = "SECS")]
    patience: Option<Patience>,
    /// Writes the run as a page for a browser: who sent what to whom and when.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the run in Chrome's trace event format, for Perfetto.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// The files that a replay writes, open before it begins: a path that cannot be written is known at once.
pub(crate) struct Exports(Vec<Export>);

struct Export {
    path: PathBuf,
    file: File,
    text: fn(&Timeline) -> String,
}

impl ReplayArgs {
    /// How the seed is run, recorded: with the plan that is named, which must be one for `scenario`.
    pub(crate) fn terms(&self, scenario: &Scenario) -> Result<Terms, UsageError> {
        let plan = self.faults.as_ref().map(FaultPlan::read).transpose()?;
        plan.iter().try_for_each(|plan| plan.is_for(&scenario.name(), Some(self.seed)))?;
        let patience = self.patience.unwrap_or(Patience::from_env()?);
        Ok(Terms { record: true, plan: plan.map(Arc::new), patience })
    }

    pub(crate) fn exports(&self) -> Result<Exports, UsageError> {
        if self.html.is_some() && self.html == self.trace {
            return Err(UsageError::OneFile);
        }
        let html = self.html.iter().map(|path| Export::open(path, Timeline::to_html));
        let trace = self.trace.iter().map(|path| Export::open(path, Timeline::to_chrome_trace));
        html.chain(trace).collect::<Result<_, _>>().map(Exports)
    }
}

impl Exports {
    /// Writes what `outcome` of the scenario called `name` looks like.
    pub(crate) fn write(self, name: &str, outcome: &Outcome) -> Result<(), UsageError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let timeline = Timeline::new(name, outcome);
        self.0.into_iter().try_for_each(|export| export.write(&timeline))
    }
}

impl Export {
    fn open(path: &Path, text: fn(&Timeline) -> String) -> Result<Self, UsageError> {
        let file = File::create(path).map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), file, text })
    }

    fn write(mut self, timeline: &Timeline) -> Result<(), UsageError> {
        self.file.write_all((self.text)(timeline).as_bytes()).map_err(|error| unwritable(&self.path, error))
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> UsageError {
    UsageError::Unwritable { path: path.to_owned(), error }
}
