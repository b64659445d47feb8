//! Known bugs, most of the talks' own programs: each beside its mended twin, with the checker that must find it and what it must
//! say. A different failure does not count as found.

mod census;
mod chat;
mod client;
mod conversations;
mod counter;
mod exhaustive;
mod first;
mod flags;
mod fork_join;
mod growth;
mod hazards;
mod helper;
mod lookup;
mod mux;
mod pipeline;
mod pubsub;
mod quorum;
mod quoted;
mod refused;
mod repository;
mod routers;
mod scheduler;
mod scheduler_load;
mod scheduler_steps;
mod service;
mod simulated;
mod subscription;
mod timers;
mod writer;
mod xgo;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use windtunnel_model::{Engine, Report, Schedule, ScheduleError};
use windtunnel_sim::Scenario;

pub use census::CENSUS;
pub use exhaustive::{Exhaustive, Expected};
pub use simulated::{Simulated, Symptom};

/// One known bug.
#[derive(Debug)]
pub struct Bug {
    /// Its id in the census.
    pub id: &'static str,
    /// Where the program stands: talk and line.
    pub source: &'static str,
    /// What goes wrong, for a reader who does not know the code.
    pub summary: &'static str,
    /// What mends it.
    pub mend: &'static str,
    /// How it is found.
    pub check: Check,
}

/// How a bug is found.
#[derive(Debug)]
pub enum Check {
    /// Every interleaving is tried, by loom and by explore.
    Exhaustive(Exhaustive),
    /// A cluster is simulated, seed after seed.
    Simulated(Simulated),
    /// A cluster is simulated; and a program with the same messages and less around them, which is too large for loom or needs
    /// time, is searched by explore.
    Both(Simulated, Exhaustive),
    /// Safe Rust refuses the program.
    Compiler {
        /// The program.
        program: &'static str,
        /// What the compiler says of it; the test `refused` of `windtunnel-refused` holds that it does.
        refusal: &'static str,
    },
    /// Not looked for.
    Excluded {
        /// Why.
        reason: &'static str,
    },
}

/// What became of a bug.
#[derive(Debug)]
pub struct Verdict {
    /// Executions of loom, or seeds, until the bug was seen.
    pub runs: u64,
    /// Executions of explore until it saw the bug as well; `None` if it was not asked.
    pub explored: Option<u64>,
    /// Whether the mended program was searched to the end by each engine, or run with ten times the seeds that the bug took.
    pub complete: bool,
    /// The failure in one line.
    pub symptom: String,
    /// The command that shows it again.
    pub replay: Option<String>,
    /// The report on the program as printed.
    pub report: String,
    /// What was done to see that the mended program is clean.
    pub mended: String,
    /// Why the bug does not count as found; `None` if it does.
    pub missed: Option<String>,
    /// Time taken.
    pub elapsed: Duration,
}

/// Every known bug, in the order of the census; those of our own follow.
pub fn all() -> Vec<&'static Bug> {
    let of_files = [
        chat::BUGS,
        client::BUGS,
        conversations::BUGS,
        counter::BUGS,
        first::BUGS,
        flags::BUGS,
        fork_join::BUGS,
        growth::BUGS,
        hazards::BUGS,
        helper::BUGS,
        lookup::BUGS,
        mux::BUGS,
        pipeline::BUGS,
        pubsub::BUGS,
        quorum::BUGS,
        quoted::BUGS,
        refused::BUGS,
        repository::BUGS,
        routers::BUGS,
        scheduler::BUGS,
        scheduler_load::BUGS,
        scheduler_steps::BUGS,
        service::BUGS,
        timers::BUGS,
        subscription::BUGS,
        writer::BUGS,
        xgo::BUGS,
    ];
    let mut bugs: Vec<&Bug> = of_files.into_iter().flatten().copied().collect();
    bugs.sort_by_key(|bug| census::position(bug.id));
    bugs
}

/// The buggy programs that are simulated, for one seed to be run again.
pub fn scenarios() -> Vec<&'static Scenario> {
    let simulated = all().into_iter().filter_map(|bug| match &bug.check {
        Check::Simulated(simulated) | Check::Both(simulated, _) => Some(&simulated.buggy),
        _ => None,
    });
    simulated.collect()
}

impl Bug {
    /// Runs the checker on both programs, until `stop` is set.
    pub fn check(&self, stop: &'static AtomicBool) -> Verdict {
        match &self.check {
            Check::Exhaustive(check) => check.verdict(self.id, stop),
            Check::Simulated(check) => check.verdict(stop),
            Check::Both(simulated, exhaustive) => {
                let explore = exhaustive.search(self.id, Engine::Explore, stop);
                let mut verdict = simulated.verdict(stop).explored_too(exhaustive, &explore);
                verdict.report = format!("{}\n\n{}", verdict.report, explore.report());
                verdict
            }
            Check::Compiler { refusal, .. } => Verdict::without_a_run("rejected by the compiler", refusal),
            Check::Excluded { reason } => Verdict::without_a_run(reason, ""),
        }
    }

    /// Runs one execution of the buggy program again, if it is one of those that are searched exhaustively.
    ///
    /// # Errors
    /// If the schedule is not one of this bug's.
    pub fn replay(&self, schedule: &Schedule) -> Option<Result<Report, ScheduleError>> {
        match &self.check {
            Check::Exhaustive(check) | Check::Both(_, check) => Some(check.replay(self.id, schedule)),
            _ => None,
        }
    }

    /// The checker, in two words at most.
    pub fn checker(&self) -> &'static str {
        match &self.check {
            Check::Exhaustive(check) if check.expected.word == "DATA RACE" => "race",
            Check::Exhaustive(_) => "exhaustive",
            Check::Simulated(check) | Check::Both(check, _) => check.checker,
            Check::Compiler { .. } => "compiler",
            Check::Excluded { .. } => "",
        }
    }

    /// Whether it is not looked for.
    pub fn is_excluded(&self) -> bool {
        matches!(self.check, Check::Excluded { .. })
    }
}

impl Verdict {
    fn without_a_run(symptom: &str, report: &str) -> Self {
        Self {
            runs: 0,
            explored: None,
            complete: true,
            symptom: symptom.to_owned(),
            replay: None,
            report: report.to_owned(),
            mended: String::new(),
            missed: None,
            elapsed: Duration::ZERO,
        }
    }
}
