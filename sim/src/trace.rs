//! The trace of a run: every line hashed, and kept if asked for.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windtunnel::engine::{Sink, current_task, now};

/// A line of a run's trace; displayed, it is the line as it is printed and hashed.
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
        write_line(f, self.at, self.node.as_deref(), &self.task, &self.text)
    }
}

fn write_line(
    out: &mut impl Write,
    at: Duration,
    node: Option<&str>,
    task: &str,
    text: &dyn fmt::Display,
) -> fmt::Result {
    write!(out, "{:>14.9} {} {task}: {text}", at.as_secs_f64(), node.unwrap_or("-"))
}

/// What a run said. Shared between the run's thread and its driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    hash: Fnv,
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
        let (node, task) = current_task().unwrap_or_else(|| (None, "simulator".into()));
        let Inner { hash, prefixes, lines, .. } = &mut *inner;
        let at = now();
        // Most runs keep no lines: what is only hashed need not be built.
        write_line(hash, at, node.as_deref(), &task, text).expect("a hash takes anything");
        hash.write_char('\n').expect("a hash takes anything");
        if prefixes.len() < MOST_PREFIXES {
            #[expect(clippy::cast_possible_truncation, reason = "the low half")]
            prefixes.push(hash.0 as u32);
        }
        if let Some(lines) = lines {
            lines.push(TraceLine { at, node, task, text: text.to_string() });
        }
    }
}

/// 64-bit FNV-1a (Fowler, Noll, Vo): the same on every machine and version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fnv(pub(crate) u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
