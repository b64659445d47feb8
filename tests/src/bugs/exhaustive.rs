//! Bugs that are found by trying every interleaving: by loom, and by explore, which must find the same.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use windtunnel_model::{Body, Builder, Engine, FailureKind, Report, Schedule, ScheduleError};

use super::Verdict;

/// A program, its mended twin, and the failure that the first must end in.
#[derive(Debug)]
pub struct Exhaustive {
    /// The limits of the check.
    pub builder: fn() -> Builder,
    /// The program as printed, as close as Rust allows.
    pub buggy: fn() -> Body,
    /// The program, mended.
    pub mended: fn() -> Body,
    /// The failure that must be found.
    pub expected: Expected,
}

/// A failure, and the tasks that must be seen in it.
#[derive(Debug)]
pub struct Expected {
    /// [`FailureKind::word`].
    pub word: &'static str,
    /// Beginnings of task names, and the operation each must be in.
    pub tasks: &'static [(&'static str, &'static str)],
    /// What a panic or a data race must say; empty for other failures.
    pub message: &'static str,
}

/// What became of the two programs in the search by one engine.
pub(super) struct Searched {
    engine: Engine,
    buggy: Report,
    mended: Report,
}

impl Exhaustive {
    /// Searches both programs by both engines. What is shown, and replayed, is loom's.
    pub(super) fn verdict(&self, id: &str, stop: &'static AtomicBool) -> Verdict {
        let [loom, explore] = [Engine::Loom, Engine::Explore].map(|engine| self.search(id, engine, stop));
        let Searched { buggy, mended, .. } = &loom;
        Verdict {
            runs: buggy.executions,
            explored: None,
            complete: mended.is_complete(),
            symptom: buggy.failure.as_ref().map(|it| it.kind.word().to_lowercase()).unwrap_or_default(),
            replay: buggy.replay_command(),
            report: buggy.to_string(),
            mended: mended.to_string(),
            missed: self.missed(&loom),
            elapsed: loom.elapsed(),
        }
        .explored_too(self, &explore)
    }

    /// Searches both programs.
    pub(super) fn search(&self, id: &str, engine: Engine, stop: &'static AtomicBool) -> Searched {
        let builder = (self.builder)().engine(engine).stop_when(stop);
        let buggy = builder.check(id, self.buggy).replayed_by(replay_template(id));
        let mended = builder.check(&format!("{id}-mended"), self.mended);
        Searched { engine, buggy, mended }
    }

    /// Why the engine does not count as having found the bug; `None` if it does.
    fn missed(&self, Searched { engine, buggy, mended }: &Searched) -> Option<String> {
        let astray = || buggy.failure.as_ref().filter(|it| !it.replays).map(|_| "it does not replay".to_owned());
        let fails = || mended.failure.as_ref().map(|it| format!("the mended program fails: {}", it.kind.word()));
        let missed = self.expected.missing(buggy).or_else(astray).or_else(fails);
        missed.map(|why| if *engine == Engine::Loom { why } else { format!("{engine}: {why}") })
    }

    pub(super) fn replay(&self, id: &str, schedule: &Schedule) -> Result<Report, ScheduleError> {
        let report = (self.builder)().replay(id, self.buggy, schedule)?;
        Ok(report.replayed_by(replay_template(id)))
    }
}

impl Searched {
    fn elapsed(&self) -> Duration {
        self.buggy.elapsed + self.mended.elapsed
    }

    /// The report on the program as printed.
    pub(super) fn report(&self) -> String {
        self.buggy.to_string()
    }
}

impl Verdict {
    /// With what explore found in addition.
    pub(super) fn explored_too(mut self, check: &Exhaustive, explore: &Searched) -> Self {
        self.explored = Some(explore.buggy.executions);
        self.complete &= explore.mended.is_complete();
        self.mended = format!("{}\n{}", self.mended, explore.mended);
        let missed = check.missed(explore);
        if missed.is_some() {
            self.report = format!("{}\n\n{}", self.report, explore.buggy);
        }
        self.missed = self.missed.or(missed);
        self.elapsed += explore.elapsed();
        self
    }
}

fn replay_template(id: &str) -> String {
    format!("cargo windtunnel model {id} --schedule {{}}")
}

impl Expected {
    /// What the report lacks.
    fn missing(&self, report: &Report) -> Option<String> {
        let Some(failure) = &report.failure else {
            return Some(format!("expected {}, found nothing in {} executions", self.word, report.executions));
        };
        if failure.kind.word() != self.word {
            return Some(format!("expected {}, found {}", self.word, failure.kind.word()));
        }
        if let FailureKind::Panic { message, .. } | FailureKind::DataRace { race: message } = &failure.kind
            && !message.contains(self.message)
        {
            return Some(format!("expected {} with `{}`, found `{message}`", self.word, self.message));
        }
        let absent = self.tasks.iter().find(|(name, wait)| {
            !failure.tasks.iter().any(|task| task.label().starts_with(name) && task.wait == *wait)
        });
        absent.map(|(name, wait)| format!("expected task `{name}` in `{wait}`"))
    }
}
