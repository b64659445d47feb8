//! What a check found, for a person to read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use windtunnel::engine::{Said, Sink, with_current_task};
use windtunnel::task::{Dump, TaskState};

use crate::Schedule;
use crate::builder::{EXPLORE_TASKS, Engine, LOOM_TASKS, Sampling};
use crate::cycle::{self, Cycle};

/// The result of a check.
#[derive(Clone, Debug)]
pub struct Report {
    /// The model.
    pub name: String,
    /// What checked it.
    pub engine: Engine,
    /// Executions run.
    pub executions: u64,
    /// Further executions, given up on their way since others have their outcome.
    pub given_up: u64,
    /// Steps of the longest execution of an exploration: what its memory grows with.
    pub longest: usize,
    /// Time taken.
    pub elapsed: Duration,
    /// The first execution that failed.
    pub failure: Option<Failure>,
    /// How the executions were drawn, with the seed, if they were drawn at random.
    pub sampled: Option<String>,
    /// What the model assumes of time, in its own words: the verdict is about the executions for which that is true.
    pub assumptions: BTreeSet<String>,
    /// Executions that contradict what is assumed, and were left out.
    pub left_out: u64,
    pub(crate) bounds: Vec<Bound>,
    replay_template: Option<String>,
}

/// Why a search did not cover everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Preemptions(usize),
    Delays(usize),
    Sampled { sampling: Sampling, executions: u64, seed: u64, missed: String },
    Executions(u64),
    Duration(Duration),
    Memory(usize),
    Ticks,
    Foreign,
    Interrupted,
    OneExecution,
    Contradicted,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Preemptions(most) => write!(f, "at most {most} preemptions"),
            Bound::Delays(most) => write!(f, "at most {most} delays"),
            Bound::Sampled { sampling, executions, seed, missed } => {
                write!(f, "{sampling}, {executions} executions, seed {seed}; {missed}")
            }
            Bound::Executions(most) => write!(f, "stopped after {most} executions"),
            Bound::Duration(most) => write!(f, "stopped after {most:?}"),
            Bound::Memory(most) => write!(f, "stopped when what is known of states took {most} bytes"),
            Bound::Ticks => f.write_str("intervals tick a bounded number of times"),
            Bound::Foreign => f.write_str("a task awaits something that is not windtunnel's"),
            Bound::Interrupted => f.write_str("interrupted"),
            Bound::OneExecution => f.write_str("one execution"),
            Bound::Contradicted => f.write_str("every execution contradicts what is assumed"),
        }
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No task can move, and the main task is among them.
    Deadlock,
    /// The main task has ended; others are blocked for ever.
    Leak,
    /// A task panicked.
    Panic {
        /// The message.
        message: String,
        /// `file:line`.
        at: String,
    },
    /// Two unordered accesses to one cell, at least one of them a write.
    DataRace {
        /// Which.
        race: String,
    },
    /// A task spins: the limit on steps was hit.
    NoProgress,
    /// The limit on tasks was hit.
    TooManyTasks,
    /// The model did not follow its own path: it is not deterministic, or a schedule is of another version of it.
    Stale,
}

impl FailureKind {
    /// The word for it in reports.
    pub fn word(&self) -> &'static str {
        match self {
            FailureKind::Deadlock => "DEADLOCK",
            FailureKind::Leak => "LEAK",
            FailureKind::Panic { .. } => "PANIC",
            FailureKind::DataRace { .. } => "DATA RACE",
            FailureKind::NoProgress => "NO PROGRESS",
            FailureKind::TooManyTasks => "TOO MANY TASKS",
            FailureKind::Stale => "NOT DETERMINISTIC",
        }
    }
}

/// The first execution that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How.
    pub kind: FailureKind,
    /// The tasks that were alive then.
    pub tasks: Vec<TaskState>,
    /// Its number in the search.
    pub execution: u64,
    /// What happened, in order. By explore, of the shortest execution with this failure that it came to from the first one by
    /// changes of its schedule, each of which made it shorter: with the fewest switches between tasks, then the fewest of them away
    /// from a task that could have gone on, then the fewest steps. None of its changes makes it shorter still, but an altogether
    /// different execution may be.
    pub steps: Steps,
    /// Replays it.
    pub schedule: Option<Schedule>,
    /// Whether a replay gave the same failure.
    pub replays: bool,
}

impl Report {
    pub(crate) fn new(name: &str, engine: Engine) -> Self {
        Self {
            name: name.into(),
            engine,
            executions: 0,
            given_up: 0,
            longest: 0,
            elapsed: Duration::ZERO,
            failure: None,
            sampled: None,
            assumptions: BTreeSet::new(),
            left_out: 0,
            bounds: Vec::new(),
            replay_template: None,
        }
    }

    pub(crate) fn add_bound(&mut self, bound: Bound) {
        if !self.bounds.contains(&bound) {
            self.bounds.push(bound);
        }
    }

    /// Whether every interleaving was explored and none failed: of those, if the model assumes anything, that do not contradict it,
    /// and there is one.
    pub fn is_complete(&self) -> bool {
        self.failure.is_none() && self.bounds.is_empty() && self.executions > 0
    }

    /// What is to be said of the verdict if nothing failed: its bounds, and what the model assumes.
    pub fn remarks(&self) -> Option<String> {
        let bounded = (!self.bounds.is_empty()).then(|| format!("bounded: {}", self.bounds().join("; ")));
        let assuming = (!self.assumptions.is_empty()).then(|| format!("assuming {}", self.assuming()));
        let remarks: Vec<_> = bounded.into_iter().chain(assuming).collect();
        (!remarks.is_empty()).then(|| remarks.join(", "))
    }

    /// What a search did, beside its executions.
    pub(crate) fn add_assumptions(&mut self, assumptions: BTreeSet<String>, left_out: u64) {
        self.assumptions = assumptions;
        self.left_out = left_out;
        if left_out > 0 && self.executions == 0 {
            self.add_bound(Bound::Contradicted);
        }
    }

    fn assuming(&self) -> String {
        self.assumptions.iter().map(String::as_str).collect::<Vec<_>>().join(", and ")
    }

    /// Whether the search was stopped from outside before its end.
    pub fn was_interrupted(&self) -> bool {
        self.bounds.contains(&Bound::Interrupted)
    }

    /// The bounds that were hit, in words; empty for a complete search.
    pub fn bounds(&self) -> Vec<String> {
        self.bounds.iter().map(ToString::to_string).collect()
    }
}

static REPLAY_COMMAND: OnceLock<&str> = OnceLock::new();

/// Says what the `replay` line of a registered model's report begins with; a command line does so once. Without it the line
/// is for `cargo test`.
pub fn set_replay_command(command: &'static str) {
    REPLAY_COMMAND.get_or_init(|| command);
}

/// The command that replays a schedule of a registered model; `{}` stands for the schedule.
pub(crate) fn replay_template(name: &str, package: &str) -> String {
    match REPLAY_COMMAND.get() {
        Some(command) => format!("{command} model {name} --schedule {{}}"),
        None => {
            let function = name.rsplit("::").next().unwrap_or(name);
            format!("WINDTUNNEL_SCHEDULE={{}} cargo test -p {package} {function}")
        }
    }
}

impl Report {
    /// Sets the command that replays the failure; `{}` in it stands for the schedule. Without one the report shows the
    /// schedule itself, for [`Builder::replay`](crate::Builder::replay).
    #[must_use]
    pub fn replayed_by(mut self, template: String) -> Self {
        self.replay_template = Some(template);
        self
    }

    /// What replays the failure, if it can be: a command, or the schedule itself.
    pub fn replay_command(&self) -> Option<String> {
        let schedule = self.failure.as_ref()?.schedule.as_ref()?.to_string();
        Some(match &self.replay_template {
            Some(template) => template.replace("{}", &schedule),
            None => schedule,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, engine, executions, failure, sampled, assumptions, left_out, .. } = self;
        let Some(failure) = failure else {
            let extent =
                if self.is_complete() { "complete".into() } else { format!("bounded ({})", self.bounds().join("; ")) };
            let assuming =
                if assumptions.is_empty() { String::new() } else { format!(", assuming {}", self.assuming()) };
            let left_out = match left_out {
                0 => String::new(),
                count => format!(", {count} left out that contradict it"),
            };
            return write!(f, "{name}  ok  {extent}{assuming}  {executions} executions{left_out} ({engine})");
        };
        let (word, execution) = (failure.kind.word(), failure.execution);
        let sampled = sampled.as_ref().map_or(String::new(), |sampled| format!(", {sampled}"));
        write!(f, "{name}  {word}  execution {execution} ({engine}{sampled}; stopped at the first failure)")?;
        match &failure.kind {
            FailureKind::Panic { message, at } => write!(f, "\n  {message}   {at}")?,
            FailureKind::TooManyTasks => {
                let tasks = failure.tasks.len().saturating_sub(1);
                let most = if *engine == Engine::Loom { LOOM_TASKS } else { EXPLORE_TASKS };
                let mend = "make the model smaller";
                write!(f, "\n  a spawn beyond {tasks} tasks, main included ({engine}'s limit is {most}): {mend}")?;
            }
            FailureKind::NoProgress => {
                f.write_str("\n  the limit on steps was hit: a task spins, or max_steps is too low")?;
            }
            FailureKind::DataRace { race } => write!(f, "\n  {race}")?,
            FailureKind::Stale => {
                f.write_str("\n  the model took another path when run again: it depends on something else")?;
            }
            FailureKind::Deadlock | FailureKind::Leak => {}
        }
        let title = if matches!(failure.kind, FailureKind::Deadlock | FailureKind::Leak) { "blocked" } else { "tasks" };
        section(f, "assuming", &self.assuming())?;
        section(f, title, &Dump::new(failure.tasks.clone()).to_string())?;
        let repeated = failure.steps.repeated().filter(|_| failure.kind == FailureKind::NoProgress);
        section(f, "steps", &failure.steps.before(repeated.as_ref().map(|it| it.round.start)))?;
        if let Some(repeated) = repeated {
            section(f, "the loop", &failure.steps.round(&repeated))?;
        }
        section(f, "replays", if failure.replays { "yes" } else { "no" })?;
        self.replay_command().map_or(Ok(()), |command| section(f, "replay", &command))
    }
}

/// A titled part of a report; further lines are indented under the first.
fn section(f: &mut fmt::Formatter<'_>, title: &str, text: &str) -> fmt::Result {
    for (i, line) in text.lines().enumerate() {
        let title = if i == 0 { title } else { "" };
        write!(f, "\n  {title:<9} {line}")?;
    }
    Ok(())
}

/// The steps of an execution: what each task did, in order.
#[derive(Clone, Debug, Default)]
pub struct Steps(Arc<Mutex<Vec<(String, String)>>>);

/// Steps shown from the beginning and from the end of a long execution.
const SHOWN: usize = 40;

impl Steps {
    /// Task and action of each step.
    pub fn to_vec(&self) -> Vec<(String, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Steps {
    fn line(&mut self, said: &Said<'_>) {
        let task = with_current_task(|speaker| speaker.task.clone()).unwrap_or_else(|| "main".into());
        self.lock().push((task, said.text.to_string()));
    }
}

impl Steps {
    /// The loop at the end of them. Objects that differ in their numbers alone count as one.
    fn repeated(&self) -> Option<Cycle> {
        let unnumbered = |(task, action): &(String, String)| {
            let mut parts = action.split('#');
            let first = parts.next().unwrap_or_default().to_owned();
            let action =
                parts.fold(first, |text, part| text + "#" + part.trim_start_matches(|c: char| c.is_ascii_digit()));
            (task.clone(), action)
        };
        cycle::at_end_of(&self.lock().iter().map(unnumbered).collect::<Vec<_>>())
    }

    /// Those before step `end`, or all.
    fn before(&self, end: Option<usize>) -> String {
        let steps = self.lock();
        let count = end.unwrap_or(steps.len());
        let left_out = count.saturating_sub(2 * SHOWN);
        let line = |i: usize| match i {
            SHOWN if left_out > 0 => format!("… {left_out} steps left out …"),
            _ => numbered(i, &steps[i]),
        };
        let shown = (0..count).filter(|i| left_out == 0 || *i <= SHOWN || *i >= SHOWN + left_out);
        shown.map(line).collect::<Vec<_>>().join("\n")
    }

    /// The loop, once.
    fn round(&self, cycle: &Cycle) -> String {
        let steps = self.lock();
        let lines = cycle.round.clone().take(2 * SHOWN).map(|i| numbered(i, &steps[i]));
        lines.chain([format!("{} times", cycle.times)]).collect::<Vec<_>>().join("\n")
    }
}

fn numbered(i: usize, (task, action): &(String, String)) -> String {
    format!("{:>3} {task} {action}", i + 1)
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.before(None))
    }
}
