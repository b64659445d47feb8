//! One execution, as text: which model, which choices, and the engine's decisions in order.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};
use thiserror::Error;
use windtunnel::engine::Choices;

use crate::Engine;
use crate::plan::Plan;

/// A schedule of one model: enough to run just that execution again.
///
/// Its text is `w1-MODEL-CHOICES-DECISIONS`: the version, a fingerprint of the model's name, the explored choices as
/// `TASK.ORDINAL.TAKEN`, and loom's decisions. A decision is the thread that runs next (`2`, or `0x5` for five times), the
/// store that a load reads (`v1`), or a spurious wake-up (`s1`).
///
/// A schedule of an exploration is `x2-MODEL-FAILURE-BLOCKS`: the kind of failure, and who runs in turn. `m` is the main task, `m2`
/// the second task that it spawned, `m2/1` the first that this one spawned, `c` the clock. It runs for as long as it can, or for so
/// many steps (`m2x5`), and takes these alternatives where it chooses (`m2x5.0.1`), then the first ones. What cannot run is passed
/// over, and after the last block whoever ran last goes on: so a schedule survives edits of the program that have nothing to do
/// with the failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    fingerprint: u32,
    path: Path,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Path {
    Loom { choices: Vec<(u64, u64, usize)>, decisions: Vec<Decision> },
    Explore(Plan),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Thread(u8),
    Load(u8),
    Spurious(bool),
}

/// Why a schedule cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Not a schedule at all.
    #[error("`{0}` is not a schedule: copy the whole word after --schedule in the report, it begins with w1- or x2-")]
    Unreadable(String),
    /// Written by another version.
    #[error("the schedule is of version {0}, which is not read any more: run the model again with this version")]
    Version(String),
    /// Of another model.
    #[error("the schedule belongs to another model, not to {0}: name the model it was reported for")]
    Foreign(String),
    /// The model has changed: it goes another way, or no longer fails.
    #[error(
        "the schedule no longer applies: {0} has changed since, and goes another way or no longer fails; check it again"
    )]
    Stale(String),
}

/// Of loom's schedules and of explore's.
const LOOM: &str = "w1";
const EXPLORE: &str = "x2";

/// 32-bit FNV-1a (Fowler, Noll, Vo): the same on every machine and version.
fn fingerprint(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Schedule {
    /// From the checkpoint that loom wrote before the execution; `None` if it is not in the expected format.
    pub(crate) fn from_checkpoint(name: &str, choices: &Choices, checkpoint: &Value) -> Option<Self> {
        let entries = checkpoint["branches"]["entries"].as_array()?;
        let decisions = entries.iter().map(Decision::from_branch).collect::<Option<_>>()?;
        let taken = choices.taken.iter().map(|(&(task, ordinal), &(taken, _))| (task, ordinal, taken));
        let path = Path::Loom { choices: taken.filter(|choice| choice.2 > 0).collect(), decisions };
        Some(Self { fingerprint: fingerprint(name), path })
    }

    /// A checkpoint from which loom runs this execution and no other: nothing in it is to be explored.
    pub(crate) fn to_checkpoint(&self) -> Value {
        let decisions: &[Decision] = if let Path::Loom { decisions, .. } = &self.path { decisions } else { &[] };
        let entries: Vec<Value> = decisions.iter().map(|decision| decision.to_branch()).collect();
        json!({
            "preemption_bound": null,
            "pos": 0,
            "branches": { "entries": entries },
            "exploring": false,
            "skipping": false,
            "exploring_on_start": false,
        })
    }

    pub(crate) fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        if let Path::Loom { choices: known, .. } = &self.path {
            let entry = |&(task, ordinal, taken): &(u64, u64, usize)| ((task, ordinal), (taken, taken + 1));
            choices.taken.extend(known.iter().map(entry));
        }
        choices
    }

    /// Of an exploration.
    pub(crate) fn from_plan(name: &str, plan: Plan) -> Self {
        Self { fingerprint: fingerprint(name), path: Path::Explore(plan) }
    }

    /// What it says, if it is of an exploration.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        if let Path::Explore(plan) = &self.path { Some(plan) } else { None }
    }

    /// The engine it comes from.
    pub fn engine(&self) -> Engine {
        match self.path {
            Path::Loom { .. } => Engine::Loom,
            Path::Explore(_) => Engine::Explore,
        }
    }

    pub(crate) fn check_model(&self, name: &str) -> Result<(), ScheduleError> {
        if self.fingerprint == fingerprint(name) { Ok(()) } else { Err(ScheduleError::Foreign(name.into())) }
    }
}

const THREADS: usize = 5;
const HISTORY: usize = 7;

impl Decision {
    fn from_branch(branch: &Value) -> Option<Self> {
        if let Some(schedule) = branch.get("Schedule") {
            let threads = schedule["threads"].as_array()?;
            let active = threads.iter().position(|thread| thread == "Active")?;
            return Some(Self::Thread(u8::try_from(active).ok()?));
        }
        if let Some(load) = branch.get("Load") {
            let position = usize::try_from(load["pos"].as_u64()?).ok()?;
            return Some(Self::Load(u8::try_from(load["values"].get(position)?.as_u64()?).ok()?));
        }
        Some(Self::Spurious(branch.get("Spurious")?["spur"].as_bool()?))
    }

    fn to_branch(self) -> Value {
        match self {
            Self::Thread(active) => {
                let mut threads = ["Disabled"; THREADS];
                threads[usize::from(active)] = "Active";
                json!({ "Schedule": {
                    "preemptions": 0, "initial_active": null, "threads": threads, "prev": null, "exploring": false,
                } })
            }
            Self::Load(value) => {
                let mut values = [0; HISTORY];
                values[0] = value;
                json!({ "Load": { "values": values, "pos": 0, "len": 1, "exploring": false } })
            }
            Self::Spurious(spurious) => json!({ "Spurious": { "spur": spurious, "exploring": false } }),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(thread) => write!(f, "{thread}"),
            Self::Load(value) => write!(f, "v{value}"),
            Self::Spurious(spurious) => write!(f, "s{}", u8::from(*spurious)),
        }
    }
}

impl FromStr for Decision {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let below = |limit: usize, digits: &str| match digits.parse::<u8>() {
            Ok(number) if usize::from(number) < limit && digits.len() == 1 => Ok(number),
            _ => Err(()),
        };
        match (text.strip_prefix('v'), text.strip_prefix('s')) {
            (Some(value), _) => below(HISTORY, value).map(Self::Load),
            (_, Some(spurious)) => below(2, spurious).map(|spurious| Self::Spurious(spurious == 1)),
            _ => below(THREADS, text).map(Self::Thread),
        }
    }
}

/// Writes a list in which what is repeated is counted: `0,2x3`.
fn write_list<T: fmt::Display + PartialEq>(f: &mut fmt::Formatter<'_>, list: &[T]) -> fmt::Result {
    for (i, run) in list.chunk_by(PartialEq::eq).enumerate() {
        f.write_str(if i == 0 { "" } else { "," })?;
        match run.len() {
            1 => write!(f, "{}", run[0])?,
            count => write!(f, "{}x{count}", run[0])?,
        }
    }
    Ok(())
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Path::Loom { choices, decisions } => {
                write!(f, "{LOOM}-{:08x}-", self.fingerprint)?;
                for (i, (task, ordinal, taken)) in choices.iter().enumerate() {
                    write!(f, "{}{task}.{ordinal}.{taken}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("-")?;
                write_list(f, decisions)
            }
            Path::Explore(plan) => write!(f, "{EXPLORE}-{:08x}-{plan}", self.fingerprint),
        }
    }
}

/// Decisions of one schedule at most: more than any execution within the limits makes.
const MOST_DECISIONS: usize = 1_000_000;

/// Reads what [`write_list`] wrote.
fn read_list<T: FromStr + Clone>(text: &str) -> Option<Vec<T>> {
    let mut list = Vec::new();
    for word in words(text) {
        let (item, count) = word.split_once('x').unwrap_or((word, "1"));
        let item: T = item.parse().ok()?;
        let count: usize = count.parse().ok()?;
        if list.len().saturating_add(count) > MOST_DECISIONS {
            return None;
        }
        list.extend(std::iter::repeat_n(item, count));
    }
    Some(list)
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|word| !word.is_empty())
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let shown: String = text.chars().take(40).collect();
        let unreadable = || ScheduleError::Unreadable(shown.clone());
        let parts: Vec<&str> = text.trim().split('-').collect();
        let (model, path) = match *parts {
            [LOOM, model, choices, decisions] => {
                let choices = words(choices).map(choice).collect::<Option<_>>();
                let path = choices.zip(read_list(decisions));
                (model, path.map(|(choices, decisions)| Path::Loom { choices, decisions }))
            }
            [EXPLORE, model, fails, blocks] => (model, Plan::read(fails, blocks).map(Path::Explore)),
            [version, ..] if version != LOOM && version != EXPLORE => return Err(other_version(version, unreadable())),
            _ => return Err(unreadable()),
        };
        let fingerprint = u32::from_str_radix(model, 16).map_err(|_| unreadable())?;
        Ok(Self { fingerprint, path: path.ok_or_else(unreadable)? })
    }
}

/// What to say of a word that begins with `version`, if that is none of ours.
fn other_version(version: &str, unreadable: ScheduleError) -> ScheduleError {
    match version.strip_prefix(['w', 'x']).filter(|number| number.parse::<u32>().is_ok()) {
        Some(number) => ScheduleError::Version(number.into()),
        None => unreadable,
    }
}

fn choice(word: &str) -> Option<(u64, u64, usize)> {
    let mut numbers = word.split('.');
    let choice = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some(choice)
}
