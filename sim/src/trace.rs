//! The trace of a run: every line hashed, and kept if asked for.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    lines: Option<Vec<TraceLine>>,
    closed: bool,
}

/// Lines whose prefix hashes are kept: 64 MiB of them.
const MOST_PREFIXES: usize = 16 << 20;

impl Trace {
    pub(crate) fn new(keep_lines: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner { lines: keep_lines.then(Vec::new), ..Inner::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more lines: the run is over, what follows is its cleaning up.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    pub(crate) fn finish(&self) -> (u64, Vec<u32>, Vec<TraceLine>) {
        let mut inner = self.lock();
        let lines = inner.lines.take().unwrap_or_default();
        (inner.hash.0, std::mem::take(&mut inner.prefixes), lines)
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
        if with_current_task(|node, task| inner.enter(at, node, &task, text)).is_none() {
            inner.enter(at, None, "simulator", text);
        }
    }
}

impl Inner {
    /// Most runs keep no lines: what is only hashed is not built.
    fn enter(&mut self, at: Duration, node: Option<&Arc<str>>, task: &str, text: &dyn fmt::Display) {
        let Self { hash, buffer, prefixes, lines, .. } = self;
        buffer.clear();
        for part in [node.map_or("-", |node| node), " ", task, ": "] {
            buffer.push_str(part);
        }
        write!(buffer, "{text}").expect("a string takes anything");
        hash.add(&u64::try_from(at.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
        hash.add(buffer.as_bytes());
        if prefixes.len() < MOST_PREFIXES {
            #[expect(clippy::cast_possible_truncation, reason = "the low half")]
            prefixes.push(hash.0 as u32);
        }
        if let Some(lines) = lines {
            lines.push(TraceLine { at, node: node.cloned(), task: task.to_owned(), text: text.to_string() });
        }
    }
}

/// A hash over parts, each with its predecessors' hash as the seed of `XXH3` (64 bits): the same on every machine and version.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0 = xxh3_64_with_seed(part, self.0);
    }
}
