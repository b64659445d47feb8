//! A search in a file, to go on with it another day.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path as File, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use windtunnel::engine::explore::{Choices, Footprint, Names, begin_search};

use super::Explorer;
use super::bound::Spent;
use super::path::{Next, Path};
use super::search::{Job, Mode, Search};
use super::tree::{Node, Sleeper, Todo};
use crate::report::{Bound, Report};

/// Why a search cannot go on from a file.
#[derive(Debug, Error)]
pub enum SavedError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It cannot be written; the search is lost.
    #[error("cannot write {0}: {1}; name a file in a directory that can be written to")]
    Unwritable(PathBuf, std::io::Error),
    /// It holds something else.
    #[error("{0} is not a search that this version has saved: name another file, or remove it to begin anew")]
    Foreign(PathBuf),
    /// It is another model's.
    #[error("{0} is a search of {1}, not of {2}: name another file")]
    OtherModel(PathBuf, String, String),
    /// The search in it has other bounds.
    #[error("{0} is a search under other bounds ({1}; now {2}): take those, or remove the file to begin anew")]
    OtherBounds(PathBuf, String, String),
    /// The model goes another way.
    #[error("{0} no longer applies, the model has changed since: remove it to begin anew")]
    Stale(PathBuf),
    /// Only an exploration that is not drawn at random can.
    #[error("only an exploration can be saved, not a search by loom or at random: check it with --engine explore")]
    NotExplored,
}

const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    model: String,
    bounds: String,
    mode: Mode,
    /// Executions that were judged, given up, and left out.
    counts: [u64; 3],
    ticks: bool,
    foreign: bool,
    assumptions: BTreeSet<String>,
    names: Vec<(usize, u32)>,
    nodes: Vec<SavedNode>,
    jobs: Vec<SavedJob>,
}

#[derive(Serialize, Deserialize)]
struct SavedNode {
    enabled: u64,
    spent: Spent,
    backtrack: u64,
    /// Task, what it touches, whether all of that is known.
    sleepers: Vec<(usize, Vec<u64>, bool)>,
}

#[derive(Serialize, Deserialize)]
struct SavedJob {
    nodes: Vec<usize>,
    /// With whether they are borrowed.
    events: Vec<(SavedStep, bool)>,
    next: Option<SavedStep>,
}

/// Task, choices, place among the sleepers.
type SavedStep = (usize, Choices, usize);

impl Explorer {
    /// Searches as [`run`](Self::run), from where the search in `file` was stopped if there is one, and leaves it there if it is
    /// stopped again.
    pub(crate) fn run_from(&self, file: &File) -> Result<Report, SavedError> {
        if self.builder.sampling.is_some() {
            return Err(SavedError::NotExplored);
        }
        let first = match read(file)? {
            Some(saved) => self.restore(saved, file)?,
            None => self.begin(true),
        };
        let search = self.search(first, Search::run);
        let saved = self.save(&search);
        let (report, jobs) = self.report(search);
        if report.failure.is_none() && !jobs.is_empty() {
            write(file, &saved.with(&jobs))?;
        } else if let Err(error) = fs::remove_file(file)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(SavedError::Unwritable(file.into(), error));
        }
        Ok(report)
    }

    /// The bounds, in words: a search goes on under those it was begun with.
    fn terms(&self) -> String {
        let limits = self.builder.limits();
        let bounds: Vec<_> = self.builder.bounds().iter().map(ToString::to_string).collect();
        let limits = format!("at most {} tasks, {} steps, {} ticks", limits.tasks, limits.steps, limits.ticks);
        bounds.into_iter().chain([limits]).collect::<Vec<_>>().join("; ")
    }

    /// What is to be written of `search`, but for what is left to be done.
    fn save(&self, search: &Search<'_>) -> Saved {
        let found = search.found();
        let counts = [&search.executions, &search.given_up, &search.left_out].map(|it| it.load(Ordering::Relaxed));
        Saved {
            version: VERSION,
            model: self.name.clone(),
            bounds: self.terms(),
            mode: search.mode,
            counts,
            ticks: found.bounds.contains(&Bound::Ticks),
            foreign: found.bounds.contains(&Bound::Foreign),
            assumptions: found.assumptions.clone(),
            names: search.names.to_vec(),
            nodes: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// The search that was saved.
    fn restore(&self, saved: Saved, file: &File) -> Result<Search<'_>, SavedError> {
        let foreign = || SavedError::Foreign(file.into());
        if saved.version != VERSION {
            return Err(foreign());
        }
        if saved.model != self.name {
            return Err(SavedError::OtherModel(file.into(), saved.model, self.name.clone()));
        }
        if saved.bounds != self.terms() {
            return Err(SavedError::OtherBounds(file.into(), saved.bounds, self.terms()));
        }
        let mut search = Search::new(self, saved.mode);
        search.names = Names::from_vec(saved.names);
        let nodes = saved.nodes.into_iter().map(SavedNode::restore).collect::<Option<Vec<_>>>().ok_or_else(foreign)?;
        begin_search(saved.mode.ordered, &search.names);
        let mut jobs = Vec::new();
        for job in saved.jobs {
            let on_path = job.nodes.iter().map(|&at| nodes.get(at)).collect::<Option<Vec<_>>>().ok_or_else(foreign)?;
            let next = job.next.map(|(task, choices, place)| Next { task, choices, place });
            let path = self.path(&search, &on_path, job.events);
            let path = path.filter(|path| path.can_go_on_with(next.as_ref()));
            let path = path.ok_or_else(|| SavedError::Stale(file.into()))?;
            jobs.push((path, next));
        }
        let found = [(saved.ticks, Bound::Ticks), (saved.foreign, Bound::Foreign)];
        found.into_iter().filter(|it| it.0).for_each(|(_, bound)| search.add_bound(bound));
        search.found().assumptions = saved.assumptions;
        search.resume(jobs, saved.counts);
        Ok(search)
    }

    /// The path through `nodes` with these steps, which are made again; `None` if they are not what they were.
    fn path(&self, search: &Search<'_>, nodes: &[&Arc<Node>], events: Vec<(SavedStep, bool)>) -> Option<Path> {
        let mut path = Path::new(search.mode.reduced, self.builder.is_bounded());
        let mut execution = self.start();
        for (at, ((task, choices, place), is_borrowed)) in events.into_iter().enumerate() {
            path.nodes.push(Arc::clone(nodes.get(at)?));
            let step = (execution.enabled() == nodes[at].enabled).then(|| execution.step(task, &choices)).flatten()?;
            if !nodes[at].expects(task, place, &step.footprint) {
                return None;
            }
            path.append(task, place, step);
            path.events[at].is_borrowed = is_borrowed;
        }
        if let Some(last) = nodes.get(path.events.len()) {
            path.nodes.push(Arc::clone(last));
        }
        Some(path)
    }
}

impl Saved {
    /// With what is left to be done. Paths share their states.
    fn with(mut self, jobs: &[Job]) -> Self {
        let mut known = HashMap::new();
        for (path, next) in jobs {
            let number = |node: &Arc<Node>| {
                *known.entry(Arc::as_ptr(node)).or_insert_with(|| {
                    self.nodes.push(SavedNode::of(node));
                    self.nodes.len() - 1
                })
            };
            let nodes = path.nodes.iter().map(number).collect();
            let events =
                path.events.iter().map(|it| ((it.task, it.choices.clone(), it.place), it.is_borrowed)).collect();
            let next = next.as_ref().map(|it| (it.task, it.choices.clone(), it.place));
            self.jobs.push(SavedJob { nodes, events, next });
        }
        self
    }
}

impl SavedNode {
    fn of(node: &Node) -> Self {
        let todo = node.todo();
        let sleepers = todo.sleepers.iter().map(|it| (it.task, it.footprint.to_words(), it.is_known)).collect();
        Self { enabled: node.enabled, spent: node.spent, backtrack: todo.backtrack, sleepers }
    }

    /// `None` if it is no state that a search can have.
    fn restore(self) -> Option<Arc<Node>> {
        let sleeper = |(task, words, is_known): (usize, Vec<u64>, bool)| {
            let footprint = Footprint::from_words(&words)?;
            (task < 64).then_some(Sleeper { task, footprint, is_known })
        };
        let sleepers = self.sleepers.into_iter().map(sleeper).collect::<Option<Vec<_>>>()?;
        Some(Node::new(self.enabled, self.spent, Todo::new(self.backtrack, sleepers)))
    }
}

fn read(file: &File) -> Result<Option<Saved>, SavedError> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SavedError::Unreadable(file.into(), error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|_| SavedError::Foreign(file.into()))
}

/// Writes all of it, or leaves what was there.
fn write(file: &File, saved: &Saved) -> Result<(), SavedError> {
    let directory = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(File::new("."));
    let text = serde_json::to_vec(saved).expect("plain data");
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut new| {
        new.write_all(&text)?;
        new.persist(file).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| SavedError::Unwritable(file.into(), error))
}
