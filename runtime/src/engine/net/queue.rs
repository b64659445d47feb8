//! What is still to happen, in order of time.

use std::collections::VecDeque;
use std::mem::take;
use std::time::Duration;

use slab::Slab;

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

impl Key {
    pub(super) fn at(&self) -> Duration {
        self.0
    }
}

/// Happenings, earliest first; those of one moment in the order in which they were entered.
#[derive(Default)]
pub(super) struct Queue {
    /// Sorted, with where in `happenings` each is. Most come near the end or go at the front: moving small entries there is
    /// quicker than a tree.
    order: VecDeque<(Key, usize)>,
    happenings: Slab<Happening>,
    entered: u64,
    /// The moments for which a timer is set, the earliest last. They cannot be taken back, so none is set twice.
    armed: Vec<Duration>,
    /// Whether another happening than before may be the first that is awaited.
    changed: bool,
}

impl Queue {
    pub(super) fn push(&mut self, at: Duration, happening: Happening) -> Key {
        self.entered += 1;
        self.changed = true;
        let key = Key(at, self.entered);
        let place = self.order.partition_point(|(other, _)| *other < key);
        self.order.insert(place, (key, self.happenings.insert(happening)));
        key
    }

    pub(super) fn cancel(&mut self, key: &mut Option<Key>) {
        let found = key.take().and_then(|key| self.order.binary_search_by_key(&key, |(other, _)| *other).ok());
        if let Some((_, place)) = found.and_then(|index| self.order.remove(index)) {
            self.happenings.remove(place);
        }
    }

    /// The next happening whose time has come, if it is one of those that are `wanted`; and its time.
    pub(super) fn pop(
        &mut self,
        now: Duration,
        wanted: impl FnOnce(&Happening) -> bool,
    ) -> Option<(Duration, Happening)> {
        let (Key(at, _), place) = *self.order.front()?;
        (at <= now && wanted(&self.happenings[place])).then(|| {
            self.order.pop_front();
            (at, self.happenings.remove(place))
        })
    }

    /// Says that what is awaited may have changed by more than a [`push`](Self::push).
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// The moment for which a timer is now to be set, if there is one: that of the first happening that is `awaited`. It is looked
    /// for only after a change.
    pub(super) fn next_timer(
        &mut self,
        now: Duration,
        mut awaited: impl FnMut(&Happening) -> bool,
    ) -> Option<Duration> {
        if !take(&mut self.changed) {
            return None;
        }
        while self.armed.last().is_some_and(|armed| *armed <= now) {
            self.armed.pop();
        }
        let (Key(next, _), _) = self.order.iter().find(|(_, place)| awaited(&self.happenings[*place]))?;
        if self.armed.last().is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed.push(*next);
        Some(*next)
    }
}
