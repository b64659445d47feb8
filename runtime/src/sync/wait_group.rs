//! A count of things still to happen, and a wait for it to be zero.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::lock::Lock;
use crate::object::Object;
use crate::task::{Op, blocked};
use crate::wait::{Wait, WaitQueue, Wakers, wake_all};

/// Waits for a number of tasks, as Go's `sync.WaitGroup`: [`add`](Self::add) before a task starts, [`done`](Self::done)
/// at its end, [`wait`](Self::wait) for all of them. Clones share the count.
#[derive(Clone)]
pub struct WaitGroup {
    shared: Arc<Shared>,
}

struct Shared {
    object: Object,
    state: Lock<State>,
}

struct State {
    count: usize,
    waiting: WaitQueue<()>,
}

impl State {
    fn waiting(&mut self) -> &mut WaitQueue<()> {
        &mut self.waiting
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitGroup {
    /// A group with a count of zero.
    pub fn new() -> Self {
        Self::labelled(None)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str) -> Self {
        Self::labelled(Some(name))
    }

    fn labelled(name: Option<&'static str>) -> Self {
        let state = Lock::new(State { count: 0, waiting: WaitQueue::new() });
        Self { shared: Arc::new(Shared { object: Object::new(name), state }) }
    }

    /// Adds `count` to what is to be waited for.
    pub fn add(&self, count: usize) {
        let label = self.shared.object.check();
        self.shared.state.lock().count += count;
        tracing::trace!(target: "windtunnel::sync", "wait group ({label}) adds {count}");
    }

    /// Counts one down; at zero every waiter goes on.
    ///
    /// # Panics
    /// If the count is zero already: more `done` than `add`.
    pub fn done(&self) {
        let label = self.shared.object.check();
        let mut wakers = Wakers::new();
        let mut state = self.shared.state.lock();
        let left = state.count.checked_sub(1);
        if let Some(left) = left {
            state.count = left;
            while left == 0
                && let Some(waiter) = state.waiting.claim()
            {
                wakers.push(waiter.put(()));
            }
        }
        drop(state);
        let left = left.unwrap_or_else(|| panic!("wait group {label} counted below zero: more done() than add()"));
        tracing::trace!(target: "windtunnel::sync", "wait group ({label}) has {left} left");
        wake_all(wakers);
    }

    /// Waits until the count is zero. Cancel safe.
    #[track_caller]
    pub fn wait(&self) -> Waiting<'_> {
        Waiting { shared: &self.shared, wait: None, at: Location::caller() }
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WaitGroup({})", self.shared.object.label())
    }
}

/// Waits for a group. See [`WaitGroup::wait`].
#[must_use = "nothing is waited for unless this is awaited"]
pub struct Waiting<'a> {
    shared: &'a Shared,
    wait: Option<Wait<()>>,
    at: &'static Location<'static>,
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: a wait is dropped in place, and only after it left the queue.
        let this = unsafe { self.get_unchecked_mut() };
        let label = this.shared.object.check();
        let ready = match &this.wait {
            Some(wait) => wait.poll(&this.shared.state, cx).is_ready(),
            None => {
                let mut state = this.shared.state.lock();
                let ready = state.count == 0;
                if !ready {
                    let wait = this.wait.insert(Wait::new(None));
                    // SAFETY: `self` is pinned and so is what it contains.
                    unsafe { Pin::new_unchecked(&*wait) }.enqueue(&mut state.waiting, cx);
                }
                ready
            }
        };
        if !ready {
            blocked(Op::WaitGroup, Some(label), this.at);
            return Poll::Pending;
        }
        tracing::trace!(target: "windtunnel::sync", "wait group ({label}) is done");
        Poll::Ready(())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(wait) = &self.wait {
            wait.cancel(&self.shared.state, State::waiting);
        }
    }
}
