//! A search: threads that run executions along paths of one tree of states, until nothing is left to be run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use windtunnel::engine::Run;
use windtunnel::engine::explore::{CLOCK, Choices, Execution, Names, begin_search};
use windtunnel::task::TaskState;

use super::path::{Next, Path};
use super::tree::{Tasks, has};
use super::{Explorer, Failed, Progress, failed, is_left_out, replay, verdict};
use crate::Builder;
use crate::plan::Block;
use crate::report::{Bound, FailureKind};

/// How a search goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mode {
    /// Leaves out equivalent executions.
    pub(super) reduced: bool,
    /// Leaves out waits for resources that could begin later.
    pub(super) skips_waits: bool,
    /// Keeps the order that checked cells are judged by.
    pub(super) ordered: bool,
}

impl Mode {
    pub(super) fn new(builder: &Builder, reduced: bool) -> Self {
        let (bounded, reducible) = (builder.is_bounded(), builder.is_reducible());
        Self { reduced: reduced && reducible, skips_waits: reduced && !bounded, ordered: false }
    }
}

/// Is told how an execution ended; whether the search goes on after that.
pub(super) type Ended<'a> = dyn FnMut(Option<(&FailureKind, &[TaskState])>) -> bool + 'a;

/// A path, and the step to be made at its end: the default one at the start of all.
pub(super) type Job = (Path, Option<Next>);

/// What the threads of a search share.
pub(super) struct Search<'a> {
    explorer: &'a Explorer,
    pub(super) mode: Mode,
    pub(super) names: Names,
    /// Executions that ran to their end, and that were given up since others have their outcome.
    pub(super) executions: AtomicU64,
    pub(super) given_up: AtomicU64,
    /// Executions that contradict what the model assumes.
    pub(super) left_out: AtomicU64,
    /// Executions of the search that this one goes on with, of either kind.
    before: u64,
    /// The most steps of an execution.
    pub(super) longest: AtomicUsize,
    /// Bytes that the paths of all threads took when they were measured last.
    bytes: AtomicUsize,
    /// Every thread is to come to an end.
    halted: AtomicBool,
    /// Threads that have nothing to do.
    hungry: AtomicUsize,
    jobs: Mutex<Vec<Job>>,
    more: Condvar,
    found: Mutex<Found>,
    shown: Mutex<Instant>,
}

/// What a search has found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) bounds: Vec<Bound>,
    /// What the model assumes, in words.
    pub(super) assumptions: BTreeSet<String>,
    /// How the first execution that failed did, and its number.
    pub(super) failure: Option<(Failed, Vec<Block>, u64)>,
    /// The search is to begin anew, in this mode.
    anew: Option<Mode>,
}

/// Why an execution ended.
enum End {
    /// Nothing is left to run.
    Complete,
    /// What could follow is explored elsewhere, or beyond a bound.
    GivenUp,
    /// It contradicts what the model assumes.
    LeftOut,
    Failed(FailureKind, Vec<TaskState>),
    /// The search is to begin anew, in another mode.
    Anew(Mode),
}

/// How often progress is shown.
const SHOW: Duration = Duration::from_millis(200);

impl<'a> Search<'a> {
    pub(super) fn new(explorer: &'a Explorer, mode: Mode) -> Self {
        let path = Path::new(mode.reduced, explorer.builder.is_bounded());
        Self {
            explorer,
            mode,
            names: Names::default(),
            executions: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            before: 0,
            longest: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            halted: AtomicBool::new(false),
            hungry: AtomicUsize::new(0),
            jobs: Mutex::new(vec![(path, None)]),
            more: Condvar::new(),
            found: Mutex::new(Found { bounds: explorer.builder.bounds(), ..Found::default() }),
            shown: Mutex::new(Instant::now()),
        }
    }

    /// Goes on with `jobs`, after so many executions.
    pub(super) fn resume(&mut self, jobs: Vec<Job>, [executions, given_up, left_out]: [u64; 3]) {
        *self.jobs.get_mut() = jobs;
        self.before = executions + left_out;
        (self.executions, self.given_up, self.left_out) = (executions.into(), given_up.into(), left_out.into());
    }

    /// What was found so far.
    pub(super) fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock()
    }

    /// Runs executions until nothing is left or the search is stopped; the mode in which to begin anew, if this one will not do.
    pub(super) fn run(&self) -> Option<Mode> {
        match self.explorer.builder.threads {
            0 | 1 => self.work(1, &mut |failure| failure.is_none()),
            threads => thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| self.work(threads, &mut |failure| failure.is_none()));
                }
            }),
        }
        self.found.lock().anew
    }

    /// [`run`](Self::run), on this thread, which tells `ended` of each execution.
    pub(super) fn run_here(&self, ended: &mut Ended<'_>) -> Option<Mode> {
        self.work(1, ended);
        self.found.lock().anew
    }

    /// What was found, and what is left to be done.
    pub(super) fn into_parts(self) -> (Found, Vec<Job>) {
        (self.found.into_inner(), self.jobs.into_inner())
    }

    /// What one of `threads` threads does.
    fn work(&self, threads: usize, ended: &mut Ended<'_>) {
        begin_search(self.mode.ordered, &self.names);
        while let Some((path, next)) = self.next_job(threads) {
            if let Some(left) = self.follow(path, next, ended) {
                self.jobs.lock().push(left);
            }
        }
    }

    /// A path to go on with, once there is one; `None` if all threads wait, or are to end.
    fn next_job(&self, threads: usize) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if self.halted.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(job) = jobs.pop() {
                return Some(job);
            }
            if self.hungry.fetch_add(1, Ordering::Relaxed) + 1 == threads {
                self.halt();
                return None;
            }
            self.more.wait(&mut jobs);
            self.hungry.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
        self.more.notify_all();
    }

    /// Runs all that is to be run on `path` and what comes after it; gives back what is left when the search is halted.
    fn follow(&self, mut path: Path, mut next: Option<Next>, ended: &mut Ended<'_>) -> Option<Job> {
        let mut bytes = 0;
        loop {
            if self.is_to_stop() {
                return Some((path, next));
            }
            self.run_one(&mut path, next, ended);
            bytes = self.measure(&path, bytes);
            next = path.next(|path, at, left| self.choose(path, at, left));
            if next.is_none() {
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                return None;
            }
            self.feed(&path);
            self.show(&path);
        }
    }

    /// Whether a limit is hit, or another thread has halted the search.
    fn is_to_stop(&self) -> bool {
        if self.halted.load(Ordering::Relaxed) {
            return true;
        }
        let judged = self.executions.load(Ordering::Relaxed);
        let executions = judged + self.left_out.load(Ordering::Relaxed) - self.before;
        let bound = self.explorer.builder.bound_hit(executions, self.explorer.started);
        bound.is_some_and(|bound| {
            self.add_bound(bound);
            self.halt();
            true
        })
    }

    pub(super) fn add_bound(&self, bound: Bound) {
        let bounds = &mut self.found.lock().bounds;
        if !bounds.contains(&bound) {
            bounds.push(bound);
        }
    }

    fn run_one(&self, path: &mut Path, next: Option<Next>, ended: &mut Ended<'_>) {
        // Until what came of it is told, it is not dropped: that runs the destructors of the model.
        let mut execution = self.explorer.start();
        let end = self.execute(&mut execution, path, next);
        self.longest.fetch_max(path.events.len(), Ordering::Relaxed);
        let assumptions = execution.assumptions();
        if !assumptions.is_empty() {
            self.found.lock().assumptions.extend(assumptions.into_iter().map(Into::into));
        }
        match end {
            End::GivenUp => {
                self.given_up.fetch_add(1, Ordering::Relaxed);
            }
            End::LeftOut => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
            }
            End::Complete => {
                self.executions.fetch_add(1, Ordering::Relaxed);
                ended(None);
            }
            End::Failed(kind, tasks) => {
                let number = self.executions.fetch_add(1, Ordering::Relaxed) + 1;
                if !ended(Some((&kind, &tasks))) {
                    let blocks = replay::blocks(path.events.iter().map(|event| (event.task, &event.choices)));
                    self.found.lock().failure.get_or_insert(((kind, tasks), blocks, number));
                    self.halt();
                }
            }
            End::Anew(mode) => {
                self.found.lock().anew = Some(mode);
                self.halt();
            }
        }
    }

    /// Gives a thread that has nothing to do something from `path`.
    fn feed(&self, path: &Path) {
        if self.hungry.load(Ordering::Relaxed) == 0 {
            return;
        }
        let Some((path, next)) = path.split(|path, at, left| self.choose(path, at, left)) else { return };
        self.jobs.lock().push((path, Some(next)));
        self.more.notify_one();
    }

    /// Counts the bytes of `path`, which were so many before, and stops the search if all paths have too many.
    fn measure(&self, path: &Path, before: usize) -> usize {
        let Some(most) = self.explorer.builder.max_memory else { return 0 };
        let bytes = path.bytes();
        let others = self.bytes.fetch_sub(before, Ordering::Relaxed) - before;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if others + bytes > most {
            self.add_bound(Bound::Memory(most));
            self.halt();
        }
        bytes
    }

    /// Tells how far the search is, now and then.
    fn show(&self, path: &Path) {
        let Some(show) = self.explorer.builder.progress else { return };
        let Some(mut shown) = self.shown.try_lock().filter(|shown| shown.elapsed() >= SHOW) else { return };
        *shown = Instant::now();
        show(&Progress {
            executions: self.executions.load(Ordering::Relaxed),
            given_up: self.given_up.load(Ordering::Relaxed),
            elapsed: self.explorer.started.elapsed(),
            share: path.share_done(),
        });
    }

    /// Of the tasks that may run at the state at `at`, those that the bounds allow.
    fn within_bounds(&self, path: &Path, at: usize, tasks: Tasks) -> Tasks {
        let builder = &self.explorer.builder;
        if !builder.is_bounded() {
            return tasks;
        }
        let allowed = |task: &usize| has(tasks, *task) && builder.is_within_bounds(path.spent_with(at, *task));
        (0..64).filter(allowed).map(|task| 1 << task).sum()
    }

    /// Who runs at that state by preference, of those within bounds.
    fn choose(&self, path: &Path, at: usize, tasks: Tasks) -> Option<usize> {
        let (tasks, previous) = (self.within_bounds(path, at, tasks), path.previous(at));
        // What costs nothing goes first, where costs are bounded.
        let free = previous.filter(|task| self.explorer.builder.is_bounded() && *task != CLOCK && has(tasks, *task));
        free.or_else(|| replay::preferred(tasks, previous))
    }

    /// Runs an execution along the path, with `next` at its end, and on from there.
    fn execute(&self, execution: &mut Execution, path: &mut Path, mut next: Option<Next>) -> End {
        let stale = |execution: &Execution| End::Failed(FailureKind::Stale, execution.run().tasks());
        for event in &path.events {
            if !execution.retrace(event.task, &event.choices) {
                return stale(execution);
            }
        }
        loop {
            let Next { task, choices, place } = match next.take() {
                Some(next) => next,
                None => match self.extend(execution, path) {
                    Ok(next) => next,
                    Err(end) => return end,
                },
            };
            let Some(step) = execution.step(task, &choices) else { return stale(execution) };
            let (panicked, redundant) = (step.panicked, step.redundant);
            path.enter(task, place, step);
            if let Some(end) = self.look(execution, panicked, redundant) {
                return end;
            }
        }
    }

    /// What an execution is ended by, after a step.
    fn look(&self, execution: &Execution, panicked: bool, redundant: bool) -> Option<End> {
        if execution.wants_order() && !self.mode.ordered {
            return Some(End::Anew(Mode { ordered: true, ..self.mode }));
        }
        if self.mode.skips_waits && execution.observed_waits() {
            return Some(End::Anew(Mode { skips_waits: false, ..self.mode }));
        }
        if panicked {
            let (kind, tasks) = failed(execution.run());
            return Some(End::Failed(kind, tasks));
        }
        (self.mode.skips_waits && redundant).then_some(End::GivenUp)
    }

    /// Adds the state that `execution` is in, and says which step is made there.
    fn extend(&self, execution: &Execution, path: &mut Path) -> Result<Next, End> {
        let enabled = execution.enabled();
        let at = path.nodes.len();
        path.push(enabled);
        if enabled == 0 {
            self.note_bounds(execution.run());
            if is_left_out(execution) {
                return Err(End::LeftOut);
            }
            return Err(verdict(execution).map_or(End::Complete, |(kind, tasks)| End::Failed(kind, tasks)));
        }
        let first = self.choose(path, at, enabled & !path.nodes[at].todo().asleep).ok_or(End::GivenUp)?;
        path.nodes[at].todo().backtrack = if self.mode.reduced { 1 << first } else { enabled };
        let (task, place) = path.nodes[at].claim(|_| Some(first)).expect("enabled, and not asleep");
        Ok(Next { task, choices: Choices::new(), place })
    }

    fn note_bounds(&self, run: &Run) {
        let found = [(run.ticks_were_bounded(), Bound::Ticks), (run.awaited_foreign(), Bound::Foreign)];
        found.into_iter().filter(|(hit, _)| *hit).for_each(|(_, bound)| self.add_bound(bound));
    }
}
