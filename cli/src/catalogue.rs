//! What there is to run, by name.

use std::path::PathBuf;

use thiserror::Error;
use windtunnel_model::{Engine, Model, Report, SavedError, Schedule, ScheduleError};
use windtunnel_sim::faults::PlanError;
use windtunnel_sim::{LogFilterError, PatienceError, Scenario, text};
use windtunnel_suite::bugs::{self, Bug};

/// A command line that cannot be carried out. Its text is one line that says what to do.
#[derive(Debug, Error)]
pub(crate) enum UsageError {
    #[error("there is no {kind} `{name}`{}; `windtunnel list` shows them all", .nearest.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    Unknown { kind: &'static str, name: String, nearest: Option<String> },
    #[error("{option} is about one model: name just that model")]
    OneModel { option: &'static str },
    #[error("the schedule is one of {of}, not of {engine}: leave --engine out, the schedule names its own")]
    OtherEngine { of: Engine, engine: Engine },
    #[error("{option} is of the engine explore: leave --engine loom out")]
    OfExplore { option: &'static str },
    #[error("{place}: {problem}")]
    File { place: String, problem: String },
    #[error("--html and --trace name the same file: give each one of its own")]
    OneFile,
    #[error("{} cannot be written: {error}", .path.display())]
    Unwritable { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Saved(#[from] SavedError),
    #[error(transparent)]
    Faults(#[from] PlanError),
    #[error(transparent)]
    Patience(#[from] PatienceError),
    #[error(transparent)]
    Log(#[from] LogFilterError),
}

/// A line of `windtunnel list`.
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) summary: &'static str,
}

pub(crate) fn entries() -> Vec<Entry> {
    let scenarios = windtunnel_sim::scenarios();
    let scenarios = scenarios.iter().map(|it| Entry { kind: "scenario", name: it.name(), summary: it.summary });
    let models = windtunnel_model::models();
    let models = models.iter().map(|it| Entry { kind: "model", name: it.name(), summary: it.summary });
    let bugs = bugs::all();
    let bugs = bugs.iter().map(|it| Entry { kind: "bug", name: it.id.into(), summary: it.summary });
    scenarios.chain(models).chain(bugs).collect()
}

pub(crate) fn scenarios(names: &[String]) -> Result<Vec<&'static Scenario>, UsageError> {
    select("scenario", names, windtunnel_sim::scenarios(), |it| it.name())
}

pub(crate) fn models(names: &[String]) -> Result<Vec<&'static Model>, UsageError> {
    select("model", names, windtunnel_model::models(), |it| it.name())
}

pub(crate) fn bugs(ids: &[String]) -> Result<Vec<&'static Bug>, UsageError> {
    select("bug", ids, bugs::all(), |it| it.id.to_owned())
}

pub(crate) fn scenario(name: &str) -> Result<&'static Scenario, UsageError> {
    let of_bug = bugs::scenarios().into_iter().find(|it| it.name() == name);
    of_bug.map_or_else(|| find("scenario", name, &windtunnel_sim::scenarios(), |it| it.name()).copied(), Ok)
}

/// Runs one execution of a model, or of a known bug, again.
pub(crate) fn model(name: &str) -> Result<&'static Model, UsageError> {
    let models = windtunnel_model::models();
    find("model", name, &models, |it| it.name()).copied()
}

pub(crate) fn replay(name: &str, schedule: &Schedule) -> Result<Report, UsageError> {
    if let Some(replayed) = bugs::all().iter().find(|bug| bug.id == name).and_then(|bug| bug.replay(schedule)) {
        return Ok(replayed?);
    }
    Ok(model(name)?.replay(schedule)?)
}

/// The named ones; all if none is named.
fn select<T: Copy>(
    kind: &'static str,
    names: &[String],
    all: Vec<T>,
    name_of: impl Fn(&T) -> String,
) -> Result<Vec<T>, UsageError> {
    if names.is_empty() {
        return Ok(all);
    }
    names.iter().map(|name| find(kind, name, &all, &name_of).copied()).collect()
}

/// By full name, or by its last part where that is unique.
fn find<'a, T>(
    kind: &'static str,
    name: &str,
    all: &'a [T],
    name_of: impl Fn(&T) -> String,
) -> Result<&'a T, UsageError> {
    if let Some(exact) = all.iter().find(|it| name_of(it) == name) {
        return Ok(exact);
    }
    let short = format!("::{name}");
    let mut ending = all.iter().filter(|it| name_of(it).ends_with(&short));
    if let (Some(only), None) = (ending.next(), ending.next()) {
        return Ok(only);
    }
    let names: Vec<String> = all.iter().map(name_of).collect();
    let nearest = text::nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
    let name = name.chars().take(80).collect();
    Err(UsageError::Unknown { kind, name, nearest })
}
