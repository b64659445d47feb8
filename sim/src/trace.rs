//! The trace of a run: every line hashed, and kept if asked for.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use tracing::Level;
use windtunnel::engine::{Said, Sink, Speaker, now, with_current_task};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A line of a run's trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// Simulated time.
    pub at: Duration,
    /// The node of the task; `None` for what the simulator itself does.
    pub node: Option<Arc<str>>,
    /// The task's label.
    pub task: String,
    /// What part of the program says it, as tracing names it: `windtunnel::net`.
    pub target: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The spans it was said in, outermost first, each as `name{field=value}: `.
    pub spans: String,
    /// What was said.
    pub text: String,
}

impl TraceLine {
    /// A line of the simulator's own.
    fn of_simulator(at: Duration, text: String) -> Self {
        let Speaker { node, task, .. } = &*SIMULATOR;
        let (node, task) = (node.clone(), task.clone());
        Self { at, node, task, target: "windtunnel::sim", level: Level::WARN, spans: String::new(), text }
    }
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, node, task, spans, text, .. } = self;
        write!(f, "{:>14.9} {} {task}: {spans}{text}", at.as_secs_f64(), node.as_deref().unwrap_or("-"))
    }
}

/// What a run said. Shared between the run's thread and its driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    hash: Hash,
    /// The line, as it is hashed.
    buffer: String,
    /// The low half of the hash after each line: two runs differ first where these do.
    prefixes: Vec<u32>,
    lines: Option<Lines>,
    closed: bool,
}

/// All that a run said.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) hash: u64,
    pub(crate) prefixes: Vec<u32>,
    pub(crate) lines: Vec<TraceLine>,
}

/// Lines: as many from the beginning as from the end, for a run that spins has no end of them.
#[derive(Debug, Default)]
struct Lines {
    first: Vec<TraceLine>,
    last: VecDeque<TraceLine>,
    left_out: u64,
}

impl Lines {
    fn push(&mut self, line: TraceLine) {
        if self.first.len() < MOST_FIRST_LINES {
            return self.first.push(line);
        }
        if self.last.len() == MOST_FIRST_LINES {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    fn finish(mut self) -> Vec<TraceLine> {
        if let (Some(next), 1..) = (self.last.front(), self.left_out) {
            let text = format!("{} lines are left out here", self.left_out);
            self.first.push(TraceLine::of_simulator(next.at, text));
        }
        self.first.extend(self.last);
        self.first
    }
}

/// Lines whose prefix hashes are kept: 64 MiB of them.
const MOST_PREFIXES: usize = 16 << 20;

/// Lines that are kept from the beginning: with those from the end, some 200 MiB.
pub(crate) const MOST_FIRST_LINES: usize = 512 << 10;

impl Trace {
    pub(crate) fn new(keep_lines: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner { lines: keep_lines.then(Lines::default), ..Inner::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more lines: the run is over, what follows is its cleaning up.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// What was said; nothing, if a value whose own formatting does not return is just being written.
    pub(crate) fn finish(&self) -> Account {
        let mut inner = match self.0.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return Account::default(),
        };
        let lines = inner.lines.take().unwrap_or_default().finish();
        Account { hash: inner.hash.0, prefixes: std::mem::take(&mut inner.prefixes), lines }
    }
}

/// Says what no task does.
static SIMULATOR: LazyLock<Speaker> = LazyLock::new(|| Speaker::new(None, "simulator".into()));

impl Sink for Trace {
    fn line(&mut self, said: &Said<'_>) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let inner = &mut *inner;
        let at = now();
        if with_current_task(|speaker| inner.enter(at, speaker, said)).is_none() {
            inner.enter(at, &SIMULATOR, said);
        }
    }
}

impl Inner {
    /// Most runs keep no lines: what is only hashed is not built.
    fn enter(&mut self, at: Duration, speaker: &Speaker, said: &Said<'_>) {
        let Self { hash, buffer, prefixes, lines, .. } = self;
        buffer.clear();
        buffer.push_str(&speaker.prefix);
        buffer.push_str(said.spans);
        buffer.write_fmt(said.text).expect("a string takes anything");
        hash.add(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), buffer.as_bytes());
        if prefixes.len() < MOST_PREFIXES {
            #[expect(clippy::cast_possible_truncation, reason = "the low half")]
            prefixes.push(hash.0 as u32);
        }
        if let Some(lines) = lines {
            let Speaker { node, task, .. } = speaker;
            lines.push(TraceLine {
                at,
                node: node.clone(),
                task: task.clone(),
                target: said.target,
                level: said.level,
                spans: said.spans.to_owned(),
                text: said.text.to_string(),
            });
        }
    }
}

/// A hash over numbered parts, each with its predecessors' hash and its number as the seed of `XXH3` (64 bits): the same on every
/// machine and version.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    pub(crate) fn add(&mut self, number: u64, part: &[u8]) {
        // The multiplier of Fibonacci hashing: numbers that are near each other change every bit of the seed.
        self.0 = xxh3_64_with_seed(part, self.0 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_lines_the_first_and_the_last_are_kept() {
        let mut lines = Lines::default();
        let count = 2 * MOST_FIRST_LINES + 7;
        for number in 0..count {
            let at = Duration::from_nanos(number as u64);
            lines.push(TraceLine::of_simulator(at, String::new()));
        }
        let lines = lines.finish();
        assert_eq!(lines.len(), 2 * MOST_FIRST_LINES + 1);
        assert_eq!(lines[MOST_FIRST_LINES].text, "7 lines are left out here");
        assert!(lines.is_sorted_by_key(|line| line.at) && lines[lines.len() - 1].at.as_nanos() == count as u128 - 1);
    }
}
