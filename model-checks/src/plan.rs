//! A schedule of an exploration, as its text says it: who runs, in which order and for how long.

use std::fmt;
use std::str::FromStr;

use windtunnel::engine::explore::{CLOCK, descendant, lineage};

use crate::FailureKind;

/// Blocks of steps, and the kind of failure that they lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) fails: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// A task, named so that unrelated edits of the program leave the name as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Clock,
    /// Which child of which child, from the main task on.
    Task(Vec<u32>),
}

/// Steps that a task makes one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) who: Who,
    /// How many; `None`: as many as it can.
    pub(crate) steps: Option<usize>,
    /// The alternatives that it takes, in order; then the first ones.
    pub(crate) choices: Vec<usize>,
}

impl Who {
    /// What is number `task` in the search of this thread.
    pub(crate) fn of(task: usize) -> Self {
        lineage(task).map_or(Self::Clock, Self::Task)
    }

    /// Its number in the search of this thread, once it exists.
    pub(crate) fn number(&self) -> Option<usize> {
        match self {
            Self::Clock => Some(CLOCK),
            Self::Task(lineage) => descendant(lineage),
        }
    }
}

/// The word for a kind of failure in a schedule.
pub(crate) fn word(kind: &FailureKind) -> &'static str {
    match kind {
        FailureKind::Deadlock => "deadlock",
        FailureKind::Leak => "leak",
        FailureKind::Panic { .. } => "panic",
        FailureKind::DataRace { .. } => "race",
        FailureKind::NoProgress => "spin",
        FailureKind::TooManyTasks => "tasks",
        FailureKind::Stale => "stale",
    }
}

const WORDS: [&str; 7] = ["deadlock", "leak", "panic", "race", "spin", "tasks", "stale"];

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock => f.write_str("c"),
            Self::Task(lineage) => {
                let children: Vec<_> = lineage.iter().map(ToString::to_string).collect();
                write!(f, "m{}", children.join("/"))
            }
        }
    }
}

impl FromStr for Who {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix('m') {
            None if text == "c" => Ok(Self::Clock),
            None => Err(()),
            Some("") => Ok(Self::Task(Vec::new())),
            Some(children) => {
                let children = children.split('/').map(|child| child.parse().map_err(drop));
                children.collect::<Result<_, ()>>().map(Self::Task)
            }
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.who)?;
        self.steps.map_or(Ok(()), |steps| write!(f, "x{steps}"))?;
        self.choices.iter().try_for_each(|taken| write!(f, ".{taken}"))
    }
}

impl FromStr for Block {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split('.');
        let (who, steps) = words.next().map(|first| first.split_once('x').unwrap_or((first, ""))).ok_or(())?;
        let steps = match steps {
            "" if !text.contains('x') => None,
            steps => Some(steps.parse().map_err(drop)?),
        };
        let choices = words.map(|taken| taken.parse().map_err(drop)).collect::<Result<_, ()>>()?;
        Ok(Self { who: who.parse()?, steps, choices })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.fails)?;
        for (i, block) in self.blocks.iter().enumerate() {
            write!(f, "{}{block}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Plan {
    /// From the two parts of its text.
    pub(crate) fn read(fails: &str, blocks: &str) -> Option<Self> {
        let fails = WORDS.into_iter().find(|word| *word == fails)?;
        let blocks = blocks.split(',').filter(|word| !word.is_empty()).map(|word| word.parse().ok());
        Some(Self { fails, blocks: blocks.collect::<Option<_>>()? })
    }
}
