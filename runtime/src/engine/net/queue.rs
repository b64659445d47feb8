//! What is still to happen, in order of time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::connection::{ConnectionId, Segment, Side};
use super::udp::Datagram;

/// Something that happens at its time.
pub(super) enum Happening {
    Segment(Segment),
    Datagram(Box<Datagram>),
    /// The retransmission timer of what this side sends.
    Retransmit(ConnectionId, Side),
    /// This side's window update was lost.
    Advertise(ConnectionId, Side),
}

/// Cancels a happening.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Duration, u64);

/// Happenings, earliest first; those of one moment in the order in which they were entered.
#[derive(Default)]
pub(super) struct Queue {
    happenings: BTreeMap<Key, Happening>,
    entered: u64,
    /// The moments for which a timer is set, the earliest last. They cannot be taken back, so none is set twice.
    armed: Vec<Duration>,
}

impl Queue {
    pub(super) fn push(&mut self, at: Duration, happening: Happening) -> Key {
        self.entered += 1;
        let key = Key(at, self.entered);
        self.happenings.insert(key, happening);
        key
    }

    pub(super) fn cancel(&mut self, key: &mut Option<Key>) {
        if let Some(key) = key.take() {
            self.happenings.remove(&key);
        }
    }

    /// The next happening whose time has come.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Happening> {
        let entry = self.happenings.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// The moment for which a timer is now to be set, if there is one.
    pub(super) fn next_timer(&mut self, now: Duration) -> Option<Duration> {
        while self.armed.last().is_some_and(|armed| *armed <= now) {
            self.armed.pop();
        }
        let (Key(next, _), _) = self.happenings.first_key_value()?;
        if self.armed.last().is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed.push(*next);
        Some(*next)
    }
}
