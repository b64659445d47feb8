//! The loom engine: one loom search for each assignment of the explored choices, and the replay of one execution.
//!
//! loom has no choice operation, so choices (of `select!` among ready arms, of a timer, of `rand::choose`) are a table keyed
//! by (task, ordinal). loom runs once per table; the keys it met are enumerated like an odometer, depth first.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, Yielder};
use windtunnel::engine::{Choices, Entered, Run, Stop, traced};
use windtunnel::task::TaskState;

use crate::builder::{Engine, LOOM_TASKS};
use crate::report::{Bound, Failure, FailureKind, Report, Steps};
use crate::{Body, Builder, Schedule, ScheduleError};

/// Bytes of the main task's stack; the memory is the system's until it is touched.
const MAIN_STACK: usize = 1024 * 1024;

/// Executions between two checkpoints: what a failing search runs again, at most, to find its failing path.
const CHECKPOINT_INTERVAL: u64 = 4096;

pub(crate) struct Search {
    builder: Builder,
    name: String,
    body: Arc<dyn Fn() -> Body + Send + Sync>,
    started: Instant,
}

/// What a search and the executions inside loom share.
#[derive(Default)]
struct Shared {
    run: Option<Run>,
    entered: Option<Entered>,
    /// Executions of this loom search, the current one included.
    executions: u64,
    choices: Choices,
    bounds: Vec<Bound>,
}

/// How one loom search ended.
enum End {
    Exhausted,
    Stopped,
    Failed(FailureKind),
}

/// The payload of the panic that ends a search at a limit.
struct Stopped;

/// Where loom keeps its checkpoints, and how often.
struct Checkpoints<'a> {
    file: &'a Path,
    interval: u64,
}

impl Search {
    pub(crate) fn new<F>(builder: Builder, name: &str, body: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let body = Arc::new(move || Box::pin(body()) as Body);
        Self { builder, name: name.into(), body, started: Instant::now() }
    }

    /// Searches until everything is explored, a limit is hit, or an execution fails.
    pub(crate) fn run(&self) -> Report {
        let mut odometer = Odometer::default();
        let mut report = Report::new(&self.name, Engine::Loom);
        report.bounds.extend(self.builder.preemptions.map(Bound::Preemptions));
        loop {
            let directory = tempfile::tempdir().expect("the system has a directory for temporary files");
            let file = directory.path().join("path.json");
            let checkpoints = Checkpoints { file: &file, interval: CHECKPOINT_INTERVAL };
            let (end, shared) = self.explore(odometer.choices(), &checkpoints, Some(report.executions));
            report.executions += shared.executions;
            shared.bounds.iter().for_each(|bound| report.add_bound(bound.clone()));
            match end {
                End::Failed(kind) => {
                    report.failure = Some(self.explain(kind, &odometer.choices(), &file, &shared));
                    break;
                }
                End::Stopped => break,
                End::Exhausted => {
                    odometer.meet(&shared.choices);
                    if !odometer.advance() {
                        break;
                    }
                }
            }
        }
        report.elapsed = self.started.elapsed();
        report
    }

    /// Runs the one execution of `schedule`.
    pub(crate) fn replay(&self, schedule: &Schedule) -> Result<Report, ScheduleError> {
        schedule.check_model(&self.name)?;
        let (end, shared, steps) = self.execute(schedule);
        let mut report = Report::new(&self.name, Engine::Loom);
        report.executions = shared.executions;
        report.bounds = vec![Bound::OneExecution];
        report.elapsed = self.started.elapsed();
        // A schedule is that of a failure: without one, the model is no longer the same.
        let kind = match end {
            End::Failed(kind) if kind != FailureKind::Stale => kind,
            _ => return Err(ScheduleError::Stale(self.name.clone())),
        };
        let (tasks, schedule) = (shared.tasks(), Some(schedule.clone()));
        report.failure = Some(Failure { kind, tasks, execution: 1, steps, schedule, replays: true });
        Ok(report)
    }

    /// Finds the path of the failing execution, and runs it again for its steps.
    fn explain(&self, kind: FailureKind, choices: &Choices, file: &Path, shared: &Shared) -> Failure {
        let tasks = shared.tasks();
        let mut failure = Failure {
            kind,
            tasks,
            execution: shared.executions,
            steps: Steps::default(),
            schedule: None,
            replays: false,
        };
        // loom resumes at its last checkpoint, which it wrote before that execution ran.
        let base = (shared.executions / CHECKPOINT_INTERVAL * CHECKPOINT_INTERVAL).max(1);
        let interval = shared.executions - base + 1;
        let again = self.explore(choices.clone(), &Checkpoints { file, interval }, None);
        let checkpoint = std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let (End::Failed(_), Some(checkpoint)) = (again.0, checkpoint) else { return failure };
        failure.schedule = Schedule::from_checkpoint(&self.name, choices, &checkpoint);
        if let Some(schedule) = &failure.schedule {
            let (end, _, steps) = self.execute(schedule);
            failure.replays = matches!(end, End::Failed(kind) if kind == failure.kind);
            failure.steps = steps;
        }
        failure
    }

    /// Runs just the execution of `schedule`, and records its steps.
    fn execute(&self, schedule: &Schedule) -> (End, Shared, Steps) {
        let directory = tempfile::tempdir().expect("the system has a directory for temporary files");
        let file = directory.path().join("path.json");
        std::fs::write(&file, schedule.to_checkpoint().to_string()).expect("a new directory can be written to");
        let steps = Steps::default();
        let never = Checkpoints { file: &file, interval: u64::MAX };
        let (end, shared) = traced(Box::new(steps.clone()), || self.explore(schedule.choices(), &never, None));
        (end, shared, steps)
    }

    /// One loom search, under one table of choices. `before` executions were run by earlier ones; `None`: without limits.
    fn explore(&self, choices: Choices, checkpoints: &Checkpoints<'_>, before: Option<u64>) -> (End, Shared) {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut loom = loom::model::Builder::new();
        loom.max_threads = usize::try_from(LOOM_TASKS).expect("five");
        // Ours is hit first, and names the task.
        loom.max_branches =
            usize::try_from(self.builder.limits.steps).unwrap_or(usize::MAX / 2).saturating_mul(2) + 1000;
        loom.max_permutations = None;
        loom.max_duration = None;
        loom.preemption_bound = self.builder.preemptions;
        loom.checkpoint_file = Some(checkpoints.file.to_owned());
        loom.checkpoint_interval = usize::try_from(checkpoints.interval).unwrap_or(usize::MAX);
        loom.location = false;
        loom.log = false;
        let execution = self.execution(choices, Arc::clone(&shared), before);
        let result = catch_unwind(AssertUnwindSafe(|| loom.check(execution)));
        let mut shared = std::mem::take(&mut *lock(&shared));
        shared.harvest();
        shared.entered = None;
        let end = match result {
            Ok(()) => End::Exhausted,
            Err(payload) if payload.is::<Stopped>() => End::Stopped,
            Err(_) => End::Failed(shared.failure()),
        };
        (end, shared)
    }

    /// What loom runs again and again.
    fn execution(
        &self,
        choices: Choices,
        shared: Arc<Mutex<Shared>>,
        before: Option<u64>,
    ) -> impl Fn() + Send + Sync + 'static {
        let Self { builder, body, started, .. } = self;
        let (builder, body, started) = (*builder, Arc::clone(body), *started);
        let stack = Mutex::new(None);
        move || {
            let run = Run::model(builder.limits(), choices.clone());
            {
                let mut shared = lock(&shared);
                shared.harvest();
                let bound = before.and_then(|before| builder.bound_hit(before + shared.executions, started));
                shared.entered = None;
                if let Some(bound) = bound {
                    shared.bounds.push(bound);
                    drop(shared);
                    resume_unwind(Box::new(Stopped));
                }
                shared.executions += 1;
                shared.entered = Some(run.enter());
                shared.run = Some(run);
            }
            on_stack(&stack, {
                let body = Arc::clone(&body);
                move || Run::block_on_main(body())
            });
        }
    }
}

/// Runs the main task on a stack of its own, which the next execution takes over: loom gives it 32 KiB, too little for the
/// futures of a build without optimisation, and no way to ask for more.
fn on_stack(stack: &Mutex<Option<DefaultStack>>, main: impl FnOnce() + 'static) {
    let spare = lock(stack).take();
    let own = spare.unwrap_or_else(|| DefaultStack::new(MAIN_STACK).expect("there is memory for one stack"));
    let mut coroutine = Coroutine::with_stack(own, |_: &Yielder<(), ()>, ()| main());
    coroutine.resume(());
    *lock(stack) = Some(coroutine.into_stack());
}

impl Builder {
    pub(crate) fn bound_hit(&self, executions: u64, started: Instant) -> Option<Bound> {
        if let Some(most) = self.max_executions.filter(|most| executions >= *most) {
            return Some(Bound::Executions(most));
        }
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Some(Bound::Interrupted);
        }
        self.max_duration.filter(|most| started.elapsed() >= *most).map(Bound::Duration)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes over what the last execution found out.
    fn harvest(&mut self) {
        let Some(run) = &self.run else { return };
        run.collect_choices(&mut self.choices);
        let found = [(run.ticks_were_bounded(), Bound::Ticks), (run.awaited_foreign(), Bound::Foreign)];
        for (hit, bound) in found {
            if hit && !self.bounds.contains(&bound) {
                self.bounds.push(bound);
            }
        }
    }

    /// Where every task was when the execution failed.
    fn tasks(&self) -> Vec<TaskState> {
        self.run.as_ref().and_then(Run::stopped).map_or_else(Vec::new, |stopped| stopped.tasks)
    }

    /// Tells failures apart, by what the run noted and loom said.
    fn failure(&self) -> FailureKind {
        let run = self.run.as_ref();
        match run.and_then(Run::stopped).map(|stopped| stopped.stop) {
            Some(Stop::Steps) => FailureKind::NoProgress,
            Some(Stop::Tasks) => FailureKind::TooManyTasks,
            Some(Stop::DataRace(race)) => FailureKind::DataRace { race },
            Some(Stop::Panic { message, .. }) if message.starts_with("deadlock; threads") => {
                if run.is_some_and(Run::main_ended) { FailureKind::Leak } else { FailureKind::Deadlock }
            }
            Some(Stop::Panic { message, .. }) if message.starts_with("Model exceeded maximum number of branches") => {
                FailureKind::NoProgress
            }
            Some(Stop::Panic { message, at }) if !at.contains("/loom-") => FailureKind::Panic { message, at },
            Some(Stop::Panic { message, .. }) if message.contains("Causality violation") => {
                FailureKind::DataRace { race: "two tasks access one cell and nothing orders them".into() }
            }
            _ => FailureKind::Stale,
        }
    }
}

/// Enumerates tables of choices, depth first.
#[derive(Default)]
struct Odometer {
    /// Key, taken alternative, number of alternatives; in the order they were met.
    wheels: Vec<((u64, u64), usize, usize)>,
}

impl Odometer {
    fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        for &(key, taken, alternatives) in &self.wheels {
            choices.taken.insert(key, (taken, alternatives));
        }
        choices
    }

    /// Adds the keys that a search met for the first time.
    fn meet(&mut self, met: &Choices) {
        for (key, _, alternatives) in &mut self.wheels {
            if let Some((_, most)) = met.taken.get(key) {
                *alternatives = (*alternatives).max(*most);
            }
        }
        for key in &met.met {
            if !self.wheels.iter().any(|(known, ..)| known == key) {
                self.wheels.push((*key, 0, met.taken[key].1));
            }
        }
    }

    /// The next table; false if there is none.
    fn advance(&mut self) -> bool {
        while let Some((_, taken, alternatives)) = self.wheels.last_mut() {
            *taken += 1;
            if taken < alternatives {
                return true;
            }
            self.wheels.pop();
        }
        false
    }
}
