//! One thing to run, and what came of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use windtunnel_model::{Model, Report};
use windtunnel_sim::{Patience, Scenario, Sweep, SweepReport};
use windtunnel_suite::bugs::{self, Bug};

use crate::STOP;
use crate::catalogue::{self, UsageError};
use crate::output;
use crate::terms::Terms;

/// One thing to run.
pub(crate) enum Job {
    Scenario(&'static Scenario, Sweep),
    /// And how it is checked, if not as it says itself.
    Model(&'static Model, Terms),
    Bug(&'static Bug),
}

/// What came of a job: a row of the table, an object of the JSON output.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) verdict: &'static str,
    pub(crate) runs: u64,
    pub(crate) complete: bool,
    pub(crate) elapsed_ms: u128,
    pub(crate) symptom: Option<String>,
    pub(crate) replay: Option<String>,
    /// Executions of explore until it saw a known bug that it looks for as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) explored: Option<u64>,
    /// What found a known bug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checker: Option<&'static str>,
    /// A hash over the traces of a sweep: equal between two sweeps that did the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// The whole report, if something is not as it should be.
    #[serde(skip)]
    pub(crate) report: Option<String>,
}

impl Row {
    /// Whether all was as it should be.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.verdict, "ok" | "found" | "excluded")
    }
}

impl Job {
    /// The main job.
    pub(crate) fn everything() -> Result<Vec<Self>, UsageError> {
        // What a sweep asks for as well, and could not say so well if it is wrong.
        Patience::from_env()?;
        let models = windtunnel_model::models().into_iter().map(|it| Self::Model(it, Terms::default()));
        let bugs = bugs::all().into_iter().map(Self::Bug);
        let scenarios = windtunnel_sim::scenarios().into_iter().map(|it| Self::Scenario(it, Sweep::new(0..it.seeds)));
        Ok(scenarios.chain(models).chain(bugs).collect())
    }

    pub(crate) fn models(names: &[String], terms: Terms) -> Result<Vec<Self>, UsageError> {
        terms.check()?;
        Ok(catalogue::models(names)?.into_iter().map(|it| Self::Model(it, terms)).collect())
    }

    pub(crate) fn bugs(ids: &[String]) -> Result<Vec<Self>, UsageError> {
        Ok(catalogue::bugs(ids)?.into_iter().map(Self::Bug).collect())
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Scenario(scenario, _) => scenario.name(),
            Self::Model(model, _) => model.name(),
            Self::Bug(bug) => bug.id.into(),
        }
    }

    /// Progress steps: one for each run of a sweep, one for anything else.
    pub(crate) fn steps(&self) -> u64 {
        match self {
            Self::Scenario(_, sweep) => sweep.runs(),
            Self::Model(..) | Self::Bug(_) => 1,
        }
    }

    pub(crate) fn run(&self, tick: &(dyn Fn() + Sync)) -> Row {
        match self {
            Self::Scenario(scenario, sweep) => Row::of_sweep(&sweep.run(scenario, &STOP, tick)),
            Self::Model(model, terms) => {
                let builder = terms.apply((model.builder)()).stop_when(&STOP).on_progress(output::show);
                let row = Row::of_model(&model.check_with(builder));
                tick();
                row
            }
            Self::Bug(bug) => {
                let row = Row::of_bug(bug);
                tick();
                row
            }
        }
    }
}

impl Row {
    pub(crate) fn of_sweep(sweep: &SweepReport) -> Self {
        let mut row = Self::new("scenario", &sweep.name, sweep.runs, sweep.elapsed);
        row.complete = !sweep.interrupted;
        row.trace = Some(format!("{:016x}", sweep.trace));
        if let Some(failure) = &sweep.failure {
            row.fail(failure.symptom(), Some(failure.replay_command()), failure.to_string());
        } else if let Some((seed, divergence)) = &sweep.diverged {
            let symptom = format!("seed {seed} does not replay");
            let report = format!("{}  seed {seed}  DIVERGED\n  replays   {divergence}", sweep.name);
            row.fail(symptom, None, report);
        } else if sweep.interrupted {
            row.interrupt();
        } else if let Some(weakness) = sweep.weakness() {
            let symptom = weakness.lines().next().unwrap_or_default().to_owned();
            row.fail(symptom, None, format!("{}  {weakness}", sweep.name));
        }
        row
    }

    pub(crate) fn of_model(report: &Report) -> Self {
        let mut row = Self::new("model", &report.name, report.executions, report.elapsed);
        row.complete = report.is_complete();
        row.symptom = report.remarks();
        if let Some(failure) = &report.failure {
            row.fail(failure.kind.word().to_lowercase(), report.replay_command(), report.to_string());
        } else if report.was_interrupted() {
            row.interrupt();
        }
        row
    }

    fn of_bug(bug: &Bug) -> Self {
        let found = bug.check(&STOP);
        let mut row = Self::new("bug", bug.id, found.runs, found.elapsed);
        row.complete = found.complete;
        row.explored = found.explored;
        row.checker = Some(bug.checker());
        row.replay = found.replay;
        row.verdict = if bug.is_excluded() { "excluded" } else { "found" };
        row.symptom = Some(found.symptom);
        if let Some(missed) = found.missed {
            row.fail(missed, None, format!("{}\n{}", found.report, found.mended));
            row.verdict = "missed";
        }
        if STOP.load(Ordering::Relaxed) && !row.is_good() {
            row.interrupt();
        }
        row
    }

    fn new(kind: &'static str, name: &str, runs: u64, elapsed: Duration) -> Self {
        Self {
            kind,
            name: name.into(),
            verdict: "ok",
            runs,
            complete: true,
            elapsed_ms: elapsed.as_millis(),
            symptom: None,
            replay: None,
            explored: None,
            checker: None,
            trace: None,
            report: None,
        }
    }

    fn interrupt(&mut self) {
        self.verdict = "error";
        self.symptom = Some("interrupted".into());
    }

    fn fail(&mut self, symptom: String, replay: Option<String>, report: String) {
        self.verdict = "failed";
        self.symptom = Some(symptom);
        self.replay = replay;
        self.report = Some(report);
    }
}
