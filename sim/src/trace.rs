//! The trace of a run: every line hashed, and kept if asked for.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use windtunnel::engine::{Sink, now, with_current_task};
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
    /// What was said.
    pub text: String,
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, node, task, text } = self;
        write!(f, "{:>14.9} {} {task}: {text}", at.as_secs_f64(), node.as_deref().unwrap_or("-"))
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

/// What a run said.
#[derive(Debug, Default)]
pub(crate) struct Said {
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
            self.first.push(TraceLine { at: next.at, node: None, task: "simulator".into(), text });
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
    pub(crate) fn finish(&self) -> Said {
        let mut inner = match self.0.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return Said::default(),
        };
        let lines = inner.lines.take().unwrap_or_default().finish();
        Said { hash: inner.hash.0, prefixes: std::mem::take(&mut inner.prefixes), lines }
    }
}

impl Sink for Trace {
    fn line(&mut self, text: &dyn fmt::Display) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let inner = &mut *inner;
        let at = now();
        if with_current_task(|node, task| inner.enter(at, node, task, text)).is_none() {
            inner.enter(at, None, ["simulator", ""], text);
        }
    }
}

impl Inner {
    /// Most runs keep no lines: what is only hashed is not built.
    fn enter(&mut self, at: Duration, node: Option<&Arc<str>>, task: [&str; 2], text: &dyn fmt::Display) {
        let Self { hash, buffer, prefixes, lines, .. } = self;
        buffer.clear();
        for part in [node.map_or("-", |node| node), " ", task[0], task[1], ": "] {
            buffer.push_str(part);
        }
        write!(buffer, "{text}").expect("a string takes anything");
        hash.add(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), buffer.as_bytes());
        if prefixes.len() < MOST_PREFIXES {
            #[expect(clippy::cast_possible_truncation, reason = "the low half")]
            prefixes.push(hash.0 as u32);
        }
        if let Some(lines) = lines {
            lines.push(TraceLine { at, node: node.cloned(), task: task.concat(), text: text.to_string() });
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
            lines.push(TraceLine { at, node: None, task: String::new(), text: String::new() });
        }
        let lines = lines.finish();
        assert_eq!(lines.len(), 2 * MOST_FIRST_LINES + 1);
        assert_eq!(lines[MOST_FIRST_LINES].text, "7 lines are left out here");
        assert!(lines.is_sorted_by_key(|line| line.at) && lines[lines.len() - 1].at.as_nanos() == count as u128 - 1);
    }
}
