//! What a person, or a program, sees.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use windtunnel_model::{Engine, Model, Progress, Report};
use windtunnel_sim::{Failure, LogFilter, Scenario};

use crate::STOP;
use crate::catalogue::{self, Entry, UsageError};
use crate::job::{Job, Row};
use crate::replay::ReplayArgs;
use crate::terms::Terms;

/// The bar that is shown now, if one is.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows how far the exploration is that is under way.
pub(crate) fn show(progress: &Progress) {
    if let Some(bar) = &*BAR.lock().unwrap_or_else(PoisonError::into_inner) {
        bar.set_message(progress.to_string());
    }
}

/// Where results go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn list(&self, entries: &[Entry]) {
        if self.json {
            for Entry { kind, name, summary } in entries {
                println!("{}", json!({ "kind": kind, "name": name, "summary": summary }));
            }
            return;
        }
        let rows = entries.iter().map(|entry| vec![entry.kind.into(), entry.name.clone(), entry.summary.into()]);
        println!("{}", table(rows));
    }

    /// Runs `jobs` and shows what came of them; whether all was as it should be.
    ///
    /// One after the other: a sweep uses every core by itself, and two loom searches in one process take longer side by side
    /// than in turn, since both map and unmap stacks all the time.
    pub(crate) fn run_all(&self, jobs: &[Job]) -> bool {
        let bar = self.progress(jobs.iter().map(Job::steps).sum());
        let mut rows = Vec::new();
        for job in jobs.iter().take_while(|_| !STOP.load(Ordering::Relaxed)) {
            bar.set_message(job.name());
            let row = job.run(&|| bar.inc(1));
            self.progress_line(&bar, &row);
            rows.push(row);
        }
        bar.finish_and_clear();
        self.results(&rows);
        let all_ran = rows.len() == jobs.len();
        if !all_ran {
            eprintln!("windtunnel: interrupted after {} of {} jobs", rows.len(), jobs.len());
        }
        all_ran && rows.iter().all(Row::is_good)
    }

    /// Goes on with the search that `file` keeps; whether it did not fail.
    pub(crate) fn resume(&self, model: &Model, terms: &Terms, file: &Path) -> Result<bool, UsageError> {
        terms.check()?;
        let builder = terms.apply((model.builder)().engine(Engine::Explore)).stop_when(&STOP).on_progress(show);
        let bar = self.progress(1);
        bar.set_message(model.name());
        let report = model.check_from(builder, file);
        bar.finish_and_clear();
        let good = self.replay_model(&report?);
        if file.exists() {
            eprintln!("windtunnel: the search is kept in {}: the same command goes on from there", file.display());
        }
        Ok(good)
    }

    fn progress(&self, steps: u64) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed} (about {eta} left)  {msg}");
        let bar = ProgressBar::new(steps).with_style(style.expect("a valid template"));
        BAR.lock().unwrap_or_else(PoisonError::into_inner).replace(bar.clone());
        bar
    }

    /// Where there is no bar: a line as each job ends, on stderr, so that a log shows how far it is.
    fn progress_line(&self, bar: &ProgressBar, row: &Row) {
        if self.json {
            println!("{}", serde_json::to_string(row).expect("a row is plain data"));
        } else if bar.is_hidden() {
            eprintln!("{} {}: {}", row.kind, row.name, row.verdict);
        }
    }

    fn results(&self, rows: &[Row]) {
        if self.json {
            return;
        }
        println!("{}", table(rows.iter().map(Row::cells)));
        for report in rows.iter().filter_map(|row| row.report.as_ref()) {
            println!("\n{report}");
        }
        let bad = rows.iter().filter(|row| !row.is_good()).count();
        let (count, runs) = (rows.len(), rows.iter().map(|row| row.runs).sum::<u64>());
        println!("\n{} of {count} as they should be, {runs} runs and executions", count - bad);
    }

    /// Runs one seed again, with the plan that is named if there is one; whether it did not fail.
    pub(crate) fn replay(&self, replay: &ReplayArgs) -> Result<bool, UsageError> {
        let (scenario, seed) = (catalogue::scenario(&replay.name)?, replay.seed);
        let terms = replay.terms(scenario)?;
        let filter = LogFilter::from_env()?;
        let exports = replay.exports()?;
        let outcome = scenario.start(seed, terms);
        if let Some(refused) = outcome.refused {
            return Err(refused.into());
        }
        exports.write(&scenario.name(), &outcome)?;
        if !self.json {
            outcome.lines.iter().filter(|line| filter.shows(line)).for_each(|line| println!("{line}"));
        }
        let (trace, simulated, real) = (outcome.trace, outcome.simulated, outcome.real);
        let failure = Failure::examine(scenario, outcome);
        if self.json {
            let row = Row::of_replay(scenario, trace, real, failure.as_ref());
            println!("{}", serde_json::to_string(&row).expect("a row is plain data"));
        } else if let Some(failure) = &failure {
            println!("\n{failure}");
        } else {
            let simulated = simulated.as_secs_f64();
            println!(
                "\n{}  seed {seed}  ok after {simulated:.3} s simulated (trace {:08x})",
                scenario.name(),
                trace >> 32
            );
        }
        Ok(failure.is_none())
    }

    /// Shows an execution of a model that was run again; whether it did not fail.
    pub(crate) fn replay_model(&self, report: &Report) -> bool {
        if self.json {
            println!("{}", serde_json::to_string(&Row::of_model(report)).expect("a row is plain data"));
        } else {
            println!("{report}");
        }
        report.failure.is_none()
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let extent = match (self.kind, self.complete) {
            ("scenario", _) => format!("{} runs", self.runs),
            ("bug", _) => self.extent_of_bug(),
            (_, true) => format!("{} executions, complete{}", self.runs, self.rate()),
            (_, false) => format!("{} executions{}", self.runs, self.rate()),
        };
        let seconds = format!("{}.{:03} s", self.elapsed_ms / 1000, self.elapsed_ms % 1000);
        let symptom = self.symptom.clone().unwrap_or_default();
        vec![self.kind.into(), self.name.clone(), self.verdict.into(), extent, seconds, symptom]
    }

    /// Executions a second, where there were enough to tell.
    fn rate(&self) -> String {
        let rate = u128::from(self.runs) * 1000 / self.elapsed_ms.max(1);
        if self.elapsed_ms < 100 { String::new() } else { format!(", {rate} a second") }
    }

    /// The checker, and what it took to see the bug.
    fn extent_of_bug(&self) -> String {
        let plural = if self.runs == 1 { "" } else { "s" };
        let took = match self.checker.unwrap_or_default() {
            checker @ ("" | "compiler") => checker.into(),
            checker @ ("exhaustive" | "race") => format!("{checker}, {} execution{plural}", self.runs),
            checker => format!("{checker}, {} seed{plural}", self.runs),
        };
        took + &self.explored.map(|executions| format!("; explore {executions}")).unwrap_or_default()
    }

    fn of_replay(scenario: &Scenario, trace: u64, real: std::time::Duration, failure: Option<&Failure>) -> Self {
        Self {
            kind: "scenario",
            name: scenario.name(),
            verdict: if failure.is_some() { "failed" } else { "ok" },
            runs: 1,
            complete: true,
            elapsed_ms: real.as_millis(),
            symptom: failure.map(Failure::symptom),
            replay: failure.map(Failure::replay_command),
            explored: None,
            checker: None,
            trace: Some(format!("{trace:016x}")),
            report: None,
        }
    }
}

fn table(rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.add_rows(rows);
    table
}
