//! Known bugs, most of the talks' own programs: each beside its mended twin, with the checker that must find it and what it must
//! say. A different failure does not count as found.

mod chat;
mod client;
mod counter;
mod first;
mod fork_join;
mod lookup;
mod mux;
mod pipeline;
mod pubsub;
mod quoted;
mod repository;
mod routers;
mod scheduler;
mod service;
mod writer;

use windtunnel_model::{Body, Builder, FailureKind, Report, Schedule, ScheduleError};

/// One known bug.
#[derive(Debug)]
pub struct Bug {
    /// Its id in the census.
    pub id: &'static str,
    /// Where the program stands: talk and line.
    pub source: &'static str,
    /// What goes wrong, for a reader who does not know the code.
    pub summary: &'static str,
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

/// What became of a bug.
#[derive(Debug)]
pub struct Verdict {
    /// The report on the program as printed.
    pub buggy: Report,
    /// The report on the mended program.
    pub mended: Report,
    /// Why the bug does not count as found; `None` if it does.
    pub missed: Option<String>,
}

/// Every known bug, in the order of the census.
pub const BUGS: [&Bug; 55] = [
    &writer::STOPS_AT_FIRST_ERROR,
    &chat::CLOSED_CHANNEL_SPIN,
    &chat::NO_EXIT,
    &pubsub::CANCEL_DEADLOCK,
    &pubsub::SUBSCRIBER_GONE_BLOCKS,
    &pubsub::SELF_PUBLISH_DEADLOCK,
    &pubsub::LOOP_NO_SHUTDOWN,
    &pubsub::HELPER_CLOSED_INPUT_ZERO_EVENTS,
    &pubsub::HELPER_EXITS_AT_ONCE,
    &scheduler::WORK_DONE_DEADLOCK,
    &scheduler::ACCEPT_LEAK,
    &scheduler::CLOSE_BEFORE_REQUEUE,
    &scheduler::CLOSED_SERVERS_SPIN,
    &quoted::NO_FINAL_STATUS,
    &quoted::EARLY_STOP_LEAK,
    &quoted::CALL_AFTER_DONE,
    &client::DONE_CAPACITY_1_LEAK,
    &client::DONE_UNBUFFERED_LEAK,
    &client::ALL_DEAD_HANG,
    &client::ZERO_SERVERS_HANG,
    &client::LATE_REPLY_KEEPS_SLOW_SERVER,
    &client::STALE_PREFERENCE,
    &client::TIMEOUT_BEATS_REPLY,
    &mux::SEND_NEVER_MADE,
    &mux::PENDING_NEVER_DELETED,
    &mux::DUPLICATE_REPLIES_WEDGE,
    &mux::DUPLICATE_REPLY_CRASH,
    &mux::LOST_REPLY_HANG,
    &mux::NO_SHUTDOWN,
    &mux::REGISTER_AFTER_SEND,
    &mux::UNLOCK_BETWEEN_LOOKUP_AND_DELETE,
    &mux::REENTRANT_LOCK_MOVE_DEADLOCK,
    &first::LOOP_VAR,
    &first::UNBUFFERED_LEAK,
    &first::NO_CANCEL,
    &first::WRONG_FAST_REPLICA,
    &fork_join::UNBUFFERED_JOBS,
    &fork_join::EARLY_EXIT_LEAK,
    &service::ACCEPT_ERROR_SPIN,
    &service::NO_SHUTDOWN,
    &service::SECOND_EXIT_BLOCKS,
    &routers::HEAD_OF_LINE_BLOCKING,
    &routers::NEVER_EXIT,
    &lookup::DONE_NOT_DEFERRED,
    &pipeline::CLOSE_WHILE_SENDING,
    &pipeline::LOAD_DEADLOCK,
    &pipeline::DEADLINE_LOSS,
    &pipeline::PRINTER_LEAK,
    &repository::NO_SHUTDOWN,
    &repository::ABANDONED_GET,
    &repository::REENTRANT_COMMAND,
    &repository::NO_CLOSE,
    &repository::INSERT_AFTER_CLOSE,
    &repository::NO_RENDEZVOUS,
    &counter::RACY_COUNTER,
];

impl Bug {
    /// Runs the checker on both programs.
    pub fn check(&self) -> Verdict {
        let buggy = (self.builder)().check(self.id, self.buggy).replayed_by(self.replay_template());
        let mended = (self.builder)().check(&format!("{}-mended", self.id), self.mended);
        let missed = self.expected.missing(&buggy).or_else(|| {
            mended.failure.as_ref().map(|failure| format!("the mended program fails: {}", failure.kind.word()))
        });
        Verdict { buggy, mended, missed }
    }

    /// Runs one execution of the buggy program again.
    ///
    /// # Errors
    /// If the schedule is not one of this bug's.
    pub fn replay(&self, schedule: &Schedule) -> Result<Report, ScheduleError> {
        let report = (self.builder)().replay(self.id, self.buggy, schedule)?;
        Ok(report.replayed_by(self.replay_template()))
    }

    fn replay_template(&self) -> String {
        format!("cargo windtunnel model {} --schedule {{}}", self.id)
    }
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
