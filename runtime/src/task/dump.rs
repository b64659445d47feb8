//! Where every task is: the one table behind deadlock and leak reports, and behind a live process's dump.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use super::Wait;
use crate::run;

/// What one task was doing when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    /// Its number in the run, in order of spawning.
    pub id: u64,
    /// The name it was spawned with.
    pub name: Option<String>,
    /// The node it runs on, in a simulation.
    pub node: Option<String>,
    /// Where it was spawned; `None` for a run's main task.
    pub spawned_at: Option<&'static Location<'static>>,
    /// The operation and object it is blocked on, `running`, or `foreign` for something that is not ours.
    pub wait: String,
    /// The source line of that operation.
    pub at: Option<&'static Location<'static>>,
}

impl TaskState {
    fn is_main(&self) -> bool {
        self.name.as_deref() == Some(MAIN)
    }

    /// What to call the task in a report.
    pub fn label(&self) -> String {
        super::label(self.name.as_deref(), self.id)
    }
}

/// The name of a run's main task.
pub(crate) const MAIN: &str = "main";

/// Every live task of the current run, oldest first.
pub(crate) fn tasks(registry: &super::Registry) -> Vec<TaskState> {
    registry.live().iter().map(|entry| state(entry)).collect()
}

/// The live task of this number.
#[cfg(feature = "sim")]
pub(crate) fn find(registry: &super::Registry, id: u64) -> Option<TaskState> {
    registry.find(id).map(|entry| state(&entry))
}

fn state(entry: &super::Entry) -> TaskState {
    let wait = entry.wait();
    let at = match &wait {
        Wait::Blocked { at, .. } => Some(*at),
        Wait::Running | Wait::Foreign => None,
    };
    let main = entry.name.as_deref() == Some(MAIN);
    TaskState {
        id: entry.id,
        name: entry.name.as_deref().map(str::to_owned),
        node: entry.node.as_deref().map(str::to_owned),
        spawned_at: (!main).then_some(entry.spawned_at),
        wait: wait.to_string(),
        at,
    }
}

/// Tasks that were spawned at the same place and wait at the same place for the same kind of thing: objects without a name count as
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The tasks, oldest first; never empty.
    pub tasks: Vec<TaskState>,
}

/// The live tasks of a run, grouped by where they were spawned and where they wait, most numerous group first.
///
/// Its `Display` is the table of the reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// The groups.
    pub groups: Vec<Group>,
}

/// Looks at every live task of the current run: the process on tokio, the whole cluster in a simulation.
///
/// It stops nothing: tasks go on while it looks.
pub fn dump() -> Dump {
    Dump::new(run::with(|run| tasks(&run.registry)))
}

impl Dump {
    /// Groups `tasks`.
    pub fn new(tasks: Vec<TaskState>) -> Self {
        let mut groups: BTreeMap<_, Vec<TaskState>> = BTreeMap::new();
        for task in tasks {
            let key = (task.is_main(), task.spawned_at.map(place), task.at.map(place), unnumbered(&task.wait));
            groups.entry(key).or_default().push(task);
        }
        let mut groups: Vec<Group> = groups.into_values().map(|tasks| Group { tasks }).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.tasks.len()));
        Self { groups }
    }

    /// The number of tasks.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.tasks.len()).sum()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// A source line as reports print it.
pub(crate) fn place(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 3]> = self.groups.iter().map(Group::row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (waits, places) = (width(0), width(1));
        for (i, [wait, place, spawned]) in rows.iter().enumerate() {
            let line = format!("{wait:waits$}   {place:places$}   {spawned}");
            f.write_str(if i == 0 { "" } else { "\n" })?;
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

/// A wait without the numbers of the objects that have no name: a hundred tasks that leaked with a channel each are one group.
fn unnumbered(wait: &str) -> String {
    let mut parts = wait.split('#');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.trim_start_matches(|c: char| c.is_ascii_digit()) {
        rest if rest.len() < part.len() => text + "#…" + rest,
        whole => text + "#" + whole,
    })
}

impl Group {
    /// What its tasks wait for; without the numbers of objects in which they differ.
    pub fn wait(&self) -> String {
        let first = &self.tasks[0].wait;
        if self.tasks.iter().all(|task| task.wait == *first) { first.clone() } else { unnumbered(first) }
    }

    fn row(&self) -> [String; 3] {
        let task = &self.tasks[0];
        let spawned = task.spawned_at.map_or(String::from(MAIN), |at| format!("spawned at {}", place(at)));
        [format!("{} × {}", self.tasks.len(), self.wait()), task.at.map_or(String::new(), place), spawned]
    }
}
