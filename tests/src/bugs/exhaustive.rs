//! Bugs that are found by trying every interleaving.

use std::sync::atomic::AtomicBool;

use windtunnel_model::{Body, Builder, FailureKind, Report, Schedule, ScheduleError};

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

impl Exhaustive {
    pub(super) fn verdict(&self, id: &str, stop: &'static AtomicBool) -> Verdict {
        let builder = (self.builder)().stop_when(stop);
        let buggy = builder.check(id, self.buggy).replayed_by(replay_template(id));
        let mended = builder.check(&format!("{id}-mended"), self.mended);
        let missed = self.expected.missing(&buggy).or_else(|| {
            mended.failure.as_ref().map(|failure| format!("the mended program fails: {}", failure.kind.word()))
        });
        Verdict {
            runs: buggy.executions,
            complete: mended.is_complete(),
            symptom: buggy.failure.as_ref().map(|it| it.kind.word().to_lowercase()).unwrap_or_default(),
            replay: buggy.replay_command(),
            report: buggy.to_string(),
            mended: mended.to_string(),
            missed,
            elapsed: buggy.elapsed + mended.elapsed,
        }
    }

    pub(super) fn replay(&self, id: &str, schedule: &Schedule) -> Result<Report, ScheduleError> {
        let report = (self.builder)().replay(id, self.buggy, schedule)?;
        Ok(report.replayed_by(replay_template(id)))
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
