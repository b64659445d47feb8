//! The signals of a simulation: a scenario sends them to a node.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::Run;
use crate::run;
use crate::signal::Signal;
use crate::task;

/// Who listens.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Weak<Mutex<Mailbox>>>);

/// What has come to a listener and was not received.
struct Mailbox {
    node: Option<Arc<str>>,
    kinds: Vec<Signal>,
    pending: BTreeSet<Signal>,
    waker: Option<Waker>,
}

/// A listener.
pub(crate) struct Signals(Arc<Mutex<Mailbox>>);

impl Signals {
    pub(crate) fn listen(kinds: Vec<Signal>) -> Self {
        let node = task::with_current(|entry| entry.node.clone()).flatten();
        let mailbox = Arc::new(Mutex::new(Mailbox { node, kinds, pending: BTreeSet::new(), waker: None }));
        run::with(|run| run.engine().sim.listeners().0.push(Arc::downgrade(&mailbox)));
        Self(mailbox)
    }

    pub(crate) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut mailbox = self.0.lock();
        match mailbox.pending.pop_first() {
            Some(signal) => Poll::Ready(signal),
            None => {
                mailbox.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Mailbox {
    /// Takes in a signal to `node`; `None` if it is not for this one, otherwise who is to be woken.
    fn take_in(&mut self, node: &str, signal: Signal) -> Option<Waker> {
        let wanted = self.node.as_deref() == Some(node) && self.kinds.contains(&signal);
        wanted.then(|| {
            self.pending.insert(signal);
            self.waker.take().unwrap_or_else(|| Waker::noop().clone())
        })
    }
}

impl Run {
    /// Sends `signal` to all that listen for it on `node`; whether there were any.
    pub fn signal(&self, node: &str, signal: Signal) -> bool {
        let mut listeners = self.0.engine().sim.listeners();
        listeners.0.retain(|mailbox| mailbox.strong_count() > 0);
        let mailboxes = listeners.0.iter().filter_map(Weak::upgrade);
        let heard: Vec<_> = mailboxes.filter_map(|mailbox| mailbox.lock().take_in(node, signal)).collect();
        drop(listeners);
        let was_heard = !heard.is_empty();
        heard.into_iter().for_each(Waker::wake);
        was_heard
    }
}
