//! The registry: what is known of each task, kept outside the task's future.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::object::Label;
use crate::run::{self, Tag};

/// Operations a task can be blocked in, under the names that reports use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Op {
    Send,
    Recv,
    Select,
    Lock,
    RawMutex,
    RwRead,
    RwWrite,
    Semaphore,
    Condvar,
    Barrier,
    Once,
    WaitGroup,
    Join,
    Sleep,
    Yield,
    TcpAccept,
    TcpConnect,
    TcpRead,
    TcpWrite,
    Future,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Op::Send => "channel send",
            Op::Recv => "channel recv",
            Op::Select => "select",
            Op::Lock => "mutex lock",
            Op::RawMutex => "raw mutex",
            Op::RwRead => "rwlock read",
            Op::RwWrite => "rwlock write",
            Op::Semaphore => "semaphore",
            Op::Condvar => "condvar",
            Op::Barrier => "barrier",
            Op::Once => "once",
            Op::WaitGroup => "wait group",
            Op::Join => "join",
            Op::Sleep => "sleep",
            Op::Yield => "yield",
            Op::TcpAccept => "tcp accept",
            Op::TcpConnect => "tcp connect",
            Op::TcpRead => "tcp read",
            Op::TcpWrite => "tcp write",
            Op::Future => "future",
        })
    }
}

/// One thing a `select!` waits for.
pub(crate) type Arm = (Op, Option<Label>);

/// What a task was last doing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Wait {
    /// Scheduled or running.
    Running,
    /// Blocked in one of our operations.
    Blocked { op: Op, on: Option<Label>, arms: SmallVec<[Arm; 2]>, at: &'static Location<'static> },
    /// Awaiting something that is not ours.
    Foreign,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |f: &mut fmt::Formatter<'_>, op: Op, on: Option<Label>| match on {
            Some(label) => write!(f, "{op} ({label})"),
            None => write!(f, "{op}"),
        };
        match self {
            Wait::Running => f.write_str("running"),
            Wait::Foreign => f.write_str("foreign"),
            Wait::Blocked { op, on, arms, .. } if arms.is_empty() => one(f, *op, *on),
            Wait::Blocked { arms, .. } => {
                f.write_str("select {")?;
                for (i, (op, on)) in arms.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    one(f, *op, *on)?;
                }
                f.write_str("}")
            }
        }
    }
}

/// What is known of one task.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) node: Option<Arc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    tag: Tag,
    wait: Mutex<Wait>,
    #[cfg(feature = "model")]
    pub(crate) parker: std::sync::OnceLock<Arc<crate::backend::loom::Parker>>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "task {}", self.id),
        }
    }
}

impl Entry {
    /// Enters a new task into the current run's registry.
    pub(crate) fn register(name: Option<String>, node: Option<Arc<str>>, at: &'static Location<'static>) -> Arc<Self> {
        run::with(|run| {
            let mut tasks = run.registry.0.lock();
            let id = tasks.next;
            tasks.next += 1;
            let entry = Arc::new(Self {
                id,
                name,
                node,
                spawned_at: at,
                tag: run.tag(),
                wait: Mutex::new(Wait::Running),
                #[cfg(feature = "model")]
                parker: std::sync::OnceLock::new(),
            });
            tasks.live.insert(id, Arc::clone(&entry));
            entry
        })
    }

    /// Takes the task out of the registry, unless its run is over and another one is current.
    pub(crate) fn unregister(&self) {
        if self.tag.is_current() {
            run::with(|run| run.registry.0.lock().live.remove(&self.id));
            if !std::thread::panicking() {
                if current().is_some() {
                    tracing::trace!(target: "windtunnel::task", "ends");
                } else {
                    tracing::trace!(target: "windtunnel::task", "{self} is dropped");
                }
            }
        }
    }

    pub(crate) fn begin_poll(&self) {
        *self.wait.lock() = Wait::Running;
    }

    /// The future returned `Pending`: if none of our operations said so, it awaits something foreign.
    pub(crate) fn end_pending_poll(&self) {
        let mut wait = self.wait.lock();
        if *wait == Wait::Running {
            *wait = Wait::Foreign;
            #[cfg(any(feature = "sim", feature = "model"))]
            run::with(|run| {
                if let Some(engine) = run.driven() {
                    engine.note_foreign();
                }
            });
        }
    }

    pub(crate) fn wait(&self) -> Wait {
        self.wait.lock().clone()
    }
}

/// The live tasks of a run.
pub(crate) struct Registry(Mutex<Tasks>);

struct Tasks {
    next: u64,
    live: BTreeMap<u64, Arc<Entry>>,
}

impl Registry {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Tasks { next: 0, live: BTreeMap::new() }))
    }

    /// The live tasks, oldest first.
    pub(crate) fn live(&self) -> Vec<Arc<Entry>> {
        self.0.lock().live.values().cloned().collect()
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Entry>>> = const { RefCell::new(None) };
}

/// The task that is being polled on this thread.
pub(crate) fn current() -> Option<Arc<Entry>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Makes `entry` the current task and returns the one before it.
pub(crate) fn replace_current(entry: Option<Arc<Entry>>) -> Option<Arc<Entry>> {
    CURRENT.replace(entry)
}

/// Notes that the current task returns `Pending` from an operation.
pub(crate) fn blocked(op: Op, on: Option<Label>, at: &'static Location<'static>) {
    note(Wait::Blocked { op, on, arms: SmallVec::new(), at });
}

/// [`blocked`], in a `select!` over `arms`.
pub(crate) fn blocked_in_select(arms: SmallVec<[Arm; 2]>, at: &'static Location<'static>) {
    note(Wait::Blocked { op: Op::Select, on: None, arms, at });
}

fn note(wait: Wait) {
    CURRENT.with_borrow(|current| {
        if let Some(entry) = current {
            tracing::trace!(target: "windtunnel::task", "blocks in {wait}");
            *entry.wait.lock() = wait;
        }
    });
}
