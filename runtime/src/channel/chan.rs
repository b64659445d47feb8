//! The channel itself: a buffer and two wait queues under one lock. Both kinds of channel share it.

use std::collections::VecDeque;

use super::{TryRecvError, TrySendError};
use crate::backend::{Atomic, Effect};
use crate::lock::Lock;
use crate::object::{Label, Object};
use crate::said::say;
use crate::wait::{Outcome, WaitQueue, Wakers};

pub struct Chan<T> {
    pub(super) object: Object,
    pub(super) state: Lock<State<T>>,
    /// Handles of each kind. Beside the lock: counting one more decides nothing about the values.
    senders: Count,
    receivers: Count,
}

/// What reaches a channel: a handle of it, or a reference while a handle is borrowed.
pub trait Handle<T> {
    #[doc(hidden)]
    fn chan(&self) -> &Chan<T>;
}

impl<T> Handle<T> for &Chan<T> {
    #[inline]
    fn chan(&self) -> &Chan<T> {
        self
    }
}

/// Invariant: a waiting receiver that can be claimed means nothing is buffered; a waiting sender means the buffer is full.
pub struct State<T> {
    buffer: VecDeque<T>,
    capacity: usize,
    closed: bool,
    /// Every receiver is gone.
    unread: bool,
    /// Values taken out of the buffer so far.
    taken: u64,
    sending: WaitQueue<T>,
    receiving: WaitQueue<T>,
}

/// A count of handles, in the backend's atomics: which drop is the last decides when the channel closes.
struct Count(Atomic);

impl Count {
    fn one() -> Self {
        Self(Atomic::new(1))
    }

    fn add(&self) {
        self.0.fetch_add(1);
    }

    /// Counts one down, in `Drop`; whether it was the last. It makes no difference who that is: the last one closes the channel.
    fn was_last(&self) -> bool {
        self.0.alive_in_drop() && {
            let was_last = self.0.fetch_add(u32::MAX) == 1;
            self.0.effect(|| Effect::Shared);
            if was_last {
                self.0.leads_on();
            }
            was_last
        }
    }
}

/// What sends have in common, what receives have, and the first of the places in the buffer.
const SENDS: u64 = 0;
const RECEIVES: u64 = 1;
const PLACES: u64 = 2;

/// Buffers up to this many values are allocated at once.
const PREALLOCATED: usize = 1024;

impl<T> Chan<T> {
    pub(crate) fn new(name: Option<&'static str>, capacity: usize) -> Self {
        let state = State {
            buffer: VecDeque::with_capacity(capacity.min(PREALLOCATED)),
            capacity,
            closed: false,
            unread: false,
            taken: 0,
            sending: WaitQueue::new(),
            receiving: WaitQueue::new(),
        };
        Self { object: Object::new(name), state: Lock::new(state), senders: Count::one(), receivers: Count::one() }
    }

    pub(crate) fn label(&self) -> Label {
        self.object.label()
    }

    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let label = self.object.check();
        let mut wakers = Wakers::new();
        let mut slot = Some(value);
        let mut state = self.state.lock();
        let outcome = state.send(&mut slot, &mut wakers);
        self.state.raw().effect(|| state.effect_of_send(outcome, &wakers));
        drop(state);
        wakers.wake();
        match (outcome, slot) {
            (None, Some(value)) => Err(TrySendError::Full(value)),
            (Some(Outcome::Closed), Some(value)) => Err(TrySendError::Closed(value)),
            _ => {
                say!("channel", "channel send ({label})");
                Ok(())
            }
        }
    }

    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        let label = self.object.check();
        let mut wakers = Wakers::new();
        let mut slot = None;
        let mut state = self.state.lock();
        let outcome = state.recv(&mut slot, &mut wakers);
        self.state.raw().effect(|| state.effect_of_recv(outcome, &wakers));
        drop(state);
        wakers.wake();
        match (outcome, slot) {
            (_, Some(value)) => {
                say!("channel", "channel recv ({label})");
                Ok(value)
            }
            (None, None) => Err(TryRecvError::Empty),
            (Some(_), None) => Err(TryRecvError::Closed),
        }
    }

    /// Closes the channel for senders. False if it was closed.
    pub(crate) fn close(&self) -> bool {
        let mut wakers = Wakers::new();
        let closed = {
            let Some(mut state) = self.state.lock_in_drop() else { return false };
            !state.closed && {
                state.close(&mut wakers);
                true
            }
        };
        if closed {
            say!("channel", "channel close ({})", self.label());
        }
        wakers.wake();
        closed
    }

    /// Gives back a value that a cancelled receive had been handed: to the next receiver, or to the front.
    pub(super) fn give_back(&self, value: T) {
        let mut wakers = Wakers::new();
        let Some(mut state) = self.state.lock_in_drop() else { return };
        let lost = if let Some(receiver) = state.receiving.claim() {
            wakers.push(receiver.put(value));
            None
        } else if state.unread {
            Some(value)
        } else {
            state.buffer.push_front(value);
            None
        };
        drop(state);
        wakers.wake();
        drop(lost);
    }

    /// Values buffered at this moment.
    pub(crate) fn len(&self) -> usize {
        self.look(|state| state.buffer.len())
    }

    pub(crate) fn capacity(&self) -> usize {
        self.look(|state| state.capacity)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.look(|state| state.closed)
    }

    fn look<R>(&self, look: impl FnOnce(&State<T>) -> R) -> R {
        let state = self.state.lock();
        self.state.raw().effect(|| Effect::Looked);
        look(&state)
    }

    pub(super) fn add_sender(&self) {
        self.senders.add();
    }

    pub(super) fn add_receiver(&self) {
        self.receivers.add();
    }

    pub(super) fn drop_sender(&self) {
        if !self.senders.was_last() {
            return;
        }
        let Some(mut state) = self.state.lock_in_drop() else { return };
        let mut wakers = Wakers::new();
        state.close(&mut wakers);
        drop(state);
        say!("channel", "last sender dropped ({})", self.label());
        wakers.wake();
    }

    pub(super) fn drop_receiver(&self) {
        if !self.receivers.was_last() {
            return;
        }
        let Some(mut state) = self.state.lock_in_drop() else { return };
        state.unread = true;
        let mut wakers = Wakers::new();
        state.close(&mut wakers);
        let unread = std::mem::take(&mut state.buffer);
        drop(state);
        say!("channel", "last receiver dropped ({})", self.label());
        wakers.wake();
        drop(unread);
    }
}

impl<T> State<T> {
    pub(super) fn sending(&mut self) -> &mut WaitQueue<T> {
        &mut self.sending
    }

    pub(super) fn receiving(&mut self) -> &mut WaitQueue<T> {
        &mut self.receiving
    }

    /// Sends the value in `slot`, if that needs no waiting. Unless it was sent, the value stays in `slot`.
    #[inline]
    pub(super) fn send(&mut self, slot: &mut Option<T>, wakers: &mut Wakers) -> Option<Outcome> {
        if self.closed {
            return Some(Outcome::Closed);
        }
        let mut value = || slot.take().expect("a send has a value");
        if let Some(receiver) = self.receiving.claim() {
            wakers.push(receiver.put(value()));
        } else if self.buffer.len() < self.capacity {
            self.buffer.push_back(value());
        } else {
            return None;
        }
        Some(Outcome::Done)
    }

    /// Receives into `slot`, if a value is there or the channel is closed; a waiting sender moves up into the room.
    #[inline]
    pub(super) fn recv(&mut self, slot: &mut Option<T>, wakers: &mut Wakers) -> Option<Outcome> {
        *slot = self.buffer.pop_front();
        self.taken += u64::from(slot.is_some());
        if (slot.is_none() || self.buffer.len() < self.capacity)
            && let Some(sender) = self.sending.claim()
        {
            let (value, waker) = sender.take();
            wakers.push(waker);
            match slot {
                Some(_) => self.buffer.push_back(value),
                None => *slot = Some(value),
            }
        }
        match slot {
            Some(_) => Some(Outcome::Done),
            None => self.closed.then_some(Outcome::Closed),
        }
    }

    /// What a send did that was not enqueued.
    pub(super) fn effect_of_send(&self, outcome: Option<Outcome>, wakers: &Wakers) -> Effect {
        effect(outcome, wakers, || {
            let place = self.taken + self.buffer.len() as u64 - 1;
            // The place was free from the beginning, or from when the value before in it was taken.
            [SENDS, PLACES + place, (PLACES + place).wrapping_sub(self.capacity as u64)]
        })
    }

    /// What a receive did that was not enqueued.
    pub(super) fn effect_of_recv(&self, outcome: Option<Outcome>, wakers: &Wakers) -> Effect {
        effect(outcome, wakers, || [RECEIVES, RECEIVES, PLACES + self.taken - 1])
    }

    /// Whether a send could go on at once, were nobody faster.
    pub(super) fn can_send(&self) -> bool {
        self.closed || self.buffer.len() < self.capacity || !self.receiving.is_empty()
    }

    /// Whether a receive could go on at once, were nobody faster.
    pub(super) fn can_recv(&self) -> bool {
        self.closed || !self.buffer.is_empty() || !self.sending.is_empty()
    }

    fn close(&mut self, wakers: &mut Wakers) {
        self.closed = true;
        self.receiving.close(wakers);
        self.sending.close(wakers);
    }
}

/// A send to the buffer and a receive from it commute if neither wakes anybody, unless it is the same value, or the room that
/// the receive makes is the one that the send needs.
fn effect(outcome: Option<Outcome>, wakers: &Wakers, parts: impl FnOnce() -> [u64; 3]) -> Effect {
    match outcome {
        None | Some(Outcome::Closed) => Effect::Looked,
        Some(Outcome::Done) if wakers.is_empty() => Effect::SharedBut(parts()),
        Some(Outcome::Done) => Effect::Changed,
    }
}
