//! Plain data that tasks share with nothing to synchronise them, checked for data races.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::sync::Arc;

use crate::backend::{self, Moment, Slot};
use crate::lock::Lock;
use crate::object::Object;
use crate::said::say;
use crate::task;

/// Shared data without synchronisation of its own, as a plain variable is in Go or C: for programs whose tasks ought to
/// order their accesses by other means (a mutex, a channel, a join), and perhaps do not.
///
/// Two accesses of which one writes, and which nothing orders, are a data race. They panic, naming the cell, both accesses,
/// their tasks and their source lines:
///
/// - in a model whenever they are unordered, in whatever order they came: the verdict is `DATA RACE`;
/// - on tokio and in a simulation if they overlap in fact. (A lost update between a [`get`](Self::get) and a
///   [`set`](Self::set) is not seen there.)
///
/// Accesses are never undefined behaviour, nested ones neither.
///
/// ```
/// use windtunnel::cell::CheckedCell;
///
/// let hits = CheckedCell::named("hits", 0);
/// hits.set(hits.get() + 1);
/// hits.with_mut(|hits| *hits += 1);
/// assert_eq!(hits.into_inner(), 2);
/// ```
///
/// # Panics
/// Every access: in a data race, and outside the run that created the cell.
pub struct CheckedCell<T> {
    object: Object,
    value: Slot<T>,
    /// In a model the slot checks as well; this also knows whom to name.
    record: Lock<Record>,
}

// SAFETY: an access is exclusive if it writes, and else shares the value with readers only, as in an `RwLock`: `begin`
// refuses any other. So the value is lent to several threads (Sync), and may be moved in on one and out on another (Send).
// Checked by Miri, and by the slot in models.
unsafe impl<T: Send + Sync> Sync for CheckedCell<T> {}
// SAFETY: moving the cell moves the value, which is Send.
unsafe impl<T: Send> Send for CheckedCell<T> {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

/// An access, for reports.
#[derive(Clone)]
struct Access {
    kind: Kind,
    task: Option<(u64, Option<Arc<str>>)>,
    at: &'static Location<'static>,
}

impl Access {
    fn conflicts(&self, other: &Access) -> bool {
        self.kind == Kind::Write || other.kind == Kind::Write
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.kind == Kind::Write { "write" } else { "read" })?;
        if let Some((id, name)) = &self.task {
            write!(f, " by {}", task::label(name.as_deref(), *id))?;
        }
        write!(f, " at {}", task::place(self.at))
    }
}

/// The accesses that a new one can race with.
struct Record {
    next: u64,
    /// Those that have not ended, by number.
    open: Vec<(u64, Access)>,
    /// The last write and the last read of each task since, with their ends; empty where the backend keeps no order.
    past: Vec<(Access, Moment)>,
}

impl Record {
    /// Adds `access` to the open ones and gives its number, or tells the access it races with.
    fn begin(&mut self, access: &Access) -> Result<u64, String> {
        if let Some((_, other)) = self.open.iter().find(|(_, other)| access.conflicts(other)) {
            return Err(format!("{access} overlaps {other}"));
        }
        if let Some((other, _)) = self.past.iter().find(|(other, end)| access.conflicts(other) && !end.is_past()) {
            return Err(format!("{access} and {other} are not ordered by anything"));
        }
        self.next += 1;
        self.open.push((self.next, access.clone()));
        Ok(self.next)
    }

    fn end(&mut self, number: u64) {
        let open = self.open.iter().position(|(other, _)| *other == number).expect("an access ends once");
        let (_, access) = self.open.swap_remove(open);
        if let Some(end) = Moment::now() {
            // What is ordered after a write is ordered after all before it; after a read, after the task's own before it.
            let replaces =
                |other: &Access| access.kind == Kind::Write || (other.kind == Kind::Read && other.task == access.task);
            self.past.retain(|(other, _)| !replaces(other));
            self.past.push((access, end));
        }
    }
}

/// An access that has not ended.
struct Open<'a> {
    record: &'a Lock<Record>,
    number: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.record.lock().end(self.number);
    }
}

impl<T> CheckedCell<T> {
    /// A cell that holds `value`.
    pub fn new(value: T) -> Self {
        Self::labelled(None, value)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str, value: T) -> Self {
        Self::labelled(Some(name), value)
    }

    fn labelled(name: Option<&'static str>, value: T) -> Self {
        let record = Record { next: 0, open: Vec::new(), past: Vec::new() };
        Self { object: Object::new(name), value: Slot::new(value), record: Lock::outside_models(record) }
    }

    /// Begins an access, which ends when what it gives is dropped.
    #[track_caller]
    fn begin(&self, kind: Kind) -> Open<'_> {
        let label = self.object.check();
        let verb = if kind == Kind::Write { "writes" } else { "reads" };
        say!("cell", "{verb} cell ({label})");
        let task = task::with_current(|entry| (entry.id, entry.name.clone()));
        let access = Access { kind, task, at: Location::caller() };
        let begun = self.record.lock().begin(&access);
        match begun {
            Ok(number) => Open { record: &self.record, number },
            Err(race) => backend::data_race(format!("cell {label}: {race}")),
        }
    }

    /// Reads the value by `f`. Reads may overlap.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let _open = self.begin(Kind::Read);
        // SAFETY: as long as a read is open, no write begins.
        self.value.with(|value| f(unsafe { &*value }))
    }

    /// Changes the value by `f`.
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _open = self.begin(Kind::Write);
        // SAFETY: as long as a write is open, no other access begins.
        self.value.with_mut(|value| f(unsafe { &mut *value }))
    }

    /// Reads the value.
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        self.with(|value| *value)
    }

    /// Writes a value. The old one is dropped after the write.
    #[track_caller]
    pub fn set(&self, value: T) {
        drop(self.replace(value));
    }

    /// Writes a value and returns the old one.
    #[track_caller]
    pub fn replace(&self, value: T) -> T {
        self.with_mut(|old| mem::replace(old, value))
    }

    /// The value, out of a cell that nobody shares any more. An access, as a write: what ended the sharing must order it
    /// after the others.
    #[track_caller]
    pub fn into_inner(self) -> T {
        drop(self.begin(Kind::Write));
        self.value.into_inner()
    }
}

impl<T> fmt::Debug for CheckedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedCell({})", self.object.label())
    }
}
