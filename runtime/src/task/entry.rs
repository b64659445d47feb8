//! What is known of each task, kept outside the task's future.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::{fmt, iter, mem};

use super::abort::Abort;
use crate::backend;
#[cfg(any(feature = "sim", feature = "model"))]
use crate::engine::Speaker;
use crate::lock::Lock;
use crate::object::Label;
use crate::run::{self, Tag};
use crate::said::say;

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
    Context,
    Join,
    JoinNext,
    Sleep,
    Timer,
    Yield,
    TcpAccept,
    TcpConnect,
    TcpRead,
    TcpWrite,
    UdpSend,
    UdpRecv,
    Lookup,
    Signal,
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
            Op::Context => "context",
            Op::Join => "join",
            Op::JoinNext => "join next",
            Op::Sleep => "sleep",
            Op::Timer => "timer",
            Op::Yield => "yield",
            Op::TcpAccept => "tcp accept",
            Op::TcpConnect => "tcp connect",
            Op::TcpRead => "tcp read",
            Op::TcpWrite => "tcp write",
            Op::UdpSend => "udp send",
            Op::UdpRecv => "udp recv",
            Op::Lookup => "lookup",
            Op::Signal => "signal",
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
    Blocked { op: Op, on: Option<Label>, arms: Vec<Arm>, at: &'static Location<'static> },
    /// Awaiting something that is not ours.
    Foreign,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |f: &mut fmt::Formatter<'_>, op: Op, on: Option<Label>| match on {
            Some(label) => write!(f, "{op} ({label})"),
            None => op.fmt(f),
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

/// The task is scheduled or running; its last [`Blocked`] is out of date.
const RUNNING: u8 = 0;
/// The task waits where its [`Blocked`] says.
const BLOCKED: u8 = 1;
/// The task awaits something that is not ours.
const FOREIGN: u8 = 2;

/// Where a task blocked last.
struct Blocked {
    op: Op,
    on: Option<Label>,
    /// What a `select!` waits for. Its memory is used again and again.
    arms: Vec<Arm>,
    at: &'static Location<'static>,
}

/// What is known of one task.
///
/// Each poll writes `phase`, and a block at another place than the last one `wait` as well, under its lock. Only who polls
/// the task writes them; a dump reads both from another thread, under the lock, and so never sees an operation in parts, nor
/// `BLOCKED` with an operation before the one that it is about: the store of `BLOCKED` follows that operation's.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) node: Option<Arc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    tag: Tag,
    phase: AtomicU8,
    wait: Lock<Blocked>,
    pub(super) abort: Abort,
    /// Whether it has a thread to itself, which it may block.
    pub(crate) may_block: bool,
    /// Its place in the registry.
    pub(super) place: usize,
    #[cfg(any(feature = "sim", feature = "model"))]
    speaker: std::sync::OnceLock<Box<Speaker>>,
    #[cfg(feature = "model")]
    pub(crate) parker: std::sync::OnceLock<Arc<crate::backend::loom::Parker>>,
}

/// What to call a task.
pub(crate) fn label(name: Option<&str>, id: u64) -> String {
    name.map_or_else(|| format!("task {id}"), str::to_owned)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl Entry {
    /// See [`label`].
    pub(crate) fn label(&self) -> String {
        label(self.name.as_deref(), self.id)
    }

    /// The task as the trace of a run names it.
    #[cfg(any(feature = "sim", feature = "model"))]
    pub(crate) fn speaker(&self) -> &Speaker {
        self.speaker.get_or_init(|| Box::new(Speaker::new(self.node.clone(), self.label())))
    }

    /// Enters a new task into the current run's registry.
    pub(crate) fn register(
        name: Option<Arc<str>>,
        node: Option<Arc<str>>,
        at: &'static Location<'static>,
        may_block: bool,
    ) -> Arc<Self> {
        run::with(|run| {
            run.registry.add(|id, place| Self {
                id,
                name,
                node,
                spawned_at: at,
                tag: run.tag(),
                phase: AtomicU8::new(RUNNING),
                wait: Lock::outside_models(Blocked { op: Op::Future, on: None, arms: Vec::new(), at }),
                abort: Abort::new(),
                may_block,
                place,
                #[cfg(any(feature = "sim", feature = "model"))]
                speaker: std::sync::OnceLock::new(),
                #[cfg(feature = "model")]
                parker: std::sync::OnceLock::new(),
            })
        })
    }

    /// Takes the task out of the registry, unless its run is over and another one is current.
    pub(crate) fn unregister(&self) {
        if self.tag.is_current() {
            run::with(|run| run.registry.remove(self));
            if !std::thread::panicking() {
                if with_current(|_| ()).is_some() {
                    say!("task", "ends");
                } else {
                    say!("task", "{self} is dropped");
                }
            }
        }
    }

    #[inline]
    pub(crate) fn begin_poll(&self) {
        self.phase.store(RUNNING, Ordering::Relaxed);
    }

    /// The future returned `Pending`: if none of our operations said so, it awaits something foreign.
    #[inline]
    pub(crate) fn end_pending_poll(&self) {
        if self.phase.load(Ordering::Relaxed) == RUNNING {
            self.phase.store(FOREIGN, Ordering::Relaxed);
            #[cfg(any(feature = "sim", feature = "model"))]
            run::with(|run| {
                if let Some(engine) = run.driven() {
                    engine.note_foreign();
                }
            });
        }
    }

    /// Notes that the task blocks. Called by the thread that polls it.
    #[inline]
    fn note(&self, op: Op, on: Option<Label>, at: &'static Location<'static>) {
        // SAFETY: only who polls a task writes its `wait`: that is this thread, and polls exclude each other. Checked by a
        // Miri run with a thread that dumps meanwhile.
        let last = unsafe { self.wait.peek() };
        // A task mostly blocks where it blocked before; then a store is enough.
        if !(last.at == at && last.op == op && last.on == on && last.arms.is_empty()) {
            self.note_elsewhere(op, on, iter::empty(), at);
        }
        self.phase.store(BLOCKED, Ordering::Relaxed);
    }

    #[cold]
    fn note_elsewhere(
        &self,
        op: Op,
        on: Option<Label>,
        arms: impl Iterator<Item = Arm>,
        at: &'static Location<'static>,
    ) {
        let mut wait = self.wait.lock();
        wait.op = op;
        wait.on = on;
        wait.arms.clear();
        wait.arms.extend(arms);
        wait.at = at;
        self.phase.store(BLOCKED, Ordering::Relaxed);
    }

    #[inline]
    fn trace_block(&self) {
        say!("task", "blocks in {}", self.wait());
    }

    pub(crate) fn wait(&self) -> Wait {
        let wait = self.wait.lock();
        match self.phase.load(Ordering::Relaxed) {
            RUNNING => Wait::Running,
            FOREIGN => Wait::Foreign,
            _ => Wait::Blocked { op: wait.op, on: wait.on, arms: wait.arms.clone(), at: wait.at },
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Entry>>> = const { RefCell::new(None) };
}

/// The task that is being polled on this thread.
#[cfg(feature = "model")]
pub(crate) fn current() -> Option<Arc<Entry>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Calls `f` with the task that is being polled on this thread, if there is one.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Entry) -> R) -> Option<R> {
    CURRENT.with_borrow(|current| current.as_deref().map(f))
}

/// Makes `entry` the current task and returns the one before it.
#[cfg(feature = "model")]
pub(crate) fn replace_current(entry: Option<Arc<Entry>>) -> Option<Arc<Entry>> {
    CURRENT.replace(entry)
}

/// Makes `entry` the current task and puts the one before it in its place. The reference moves: counting it twice in every
/// poll, in memory that the threads share, would cost more than all else that a poll does here.
#[inline]
pub(crate) fn swap_current(entry: &mut Option<Arc<Entry>>) {
    CURRENT.with_borrow_mut(|current| mem::swap(current, entry));
}

/// Notes that the current task returns `Pending` from an operation.
#[inline]
pub(crate) fn blocked(op: Op, on: Option<Label>, at: &'static Location<'static>) {
    with_current(|entry| {
        entry.note(op, on, at);
        entry.trace_block();
    });
    backend::note_pending(op);
}

/// [`blocked`], in a `select!` over `arms`.
pub(crate) fn blocked_in_select(arms: impl Iterator<Item = Arm>, at: &'static Location<'static>) {
    with_current(|entry| {
        entry.note_elsewhere(Op::Select, None, arms, at);
        entry.trace_block();
    });
    backend::note_pending(Op::Select);
}
