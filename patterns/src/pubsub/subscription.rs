//! The two ends of a subscription, the same in every form of the server.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use windtunnel::channel::{self, Receiver, Sender, TrySendError};
use windtunnel::go::{self, Channel};
use windtunnel::select;

use super::{Filter, Notice, Options, Policy};
use crate::owned::OwnedTasks;

/// An event and its number among those offered to the subscription: a gap shows how many are missing.
struct Parcel<E> {
    number: u64,
    event: E,
}

/// Says which subscription.
#[derive(Clone)]
pub(super) struct Ticket(Arc<()>);

/// The two ends of a subscription.
pub(super) fn ends<E>(options: Options<E>) -> (Outlet<E>, Inlet<E>) {
    let Options { policy, filter } = options;
    let (parcels, arriving) = channel::named("events", policy.capacity());
    let offered = (!matches!(policy, Policy::Wait(_))).then(|| go::named("lost", 1));
    let inlet =
        Inlet { policy, arriving, latest: offered.clone(), held: VecDeque::new(), offered: 0, expected: 0, missed: 0 };
    let outlet =
        Outlet { ticket: Ticket(Arc::new(())), policy, filter, parcels, latest: offered, offered: 0, next: None };
    (outlet, inlet)
}

/// The server's end. When it is dropped, the subscriber sees the end after what is in the queue.
pub(super) struct Outlet<E> {
    ticket: Ticket,
    policy: Policy,
    filter: Option<Filter<E>>,
    parcels: Sender<Parcel<E>>,
    /// How many events had been offered when the last was lost. One value, overwritten by this end: what nobody has read is
    /// replaced.
    latest: Option<Channel<u64>>,
    offered: u64,
    /// What is to be handed over next.
    next: Option<E>,
}

impl<E: Clone> Outlet<E> {
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket.clone()
    }

    /// Looks whether the subscriber wants `event`, and copies it.
    fn load(&mut self, event: &E) {
        let wanted = self.filter.as_ref().is_none_or(|filter| filter(event));
        self.next = wanted.then(|| event.clone());
    }

    /// Hands `event` over, as the policy says. False if there is nobody any more to hand the next one to.
    pub(super) async fn put(&mut self, event: E) -> bool {
        let parcel = Parcel { number: self.offered, event };
        self.offered += 1;
        let Some(latest) = &self.latest else { return self.parcels.send(parcel).await.is_ok() };
        match self.parcels.try_send(parcel) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(_)) => {
                let _unread = latest.try_recv();
                latest.try_send(self.offered).expect("nobody else writes it");
                !matches!(self.policy, Policy::Disconnect(_))
            }
        }
    }
}

/// The outlets that a server hands events to.
pub(super) struct Outlets<E>(Vec<Outlet<E>>);

impl<E: Clone> Outlets<E> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, outlet: Outlet<E>) {
        if self.0.len() == self.0.capacity() {
            // It would grow. Subscribers that went while nothing was published are still there.
            self.0.retain(|outlet| !outlet.parcels.is_closed());
        }
        self.0.push(outlet);
    }

    pub(super) fn remove(&mut self, ticket: &Ticket) {
        self.0.retain(|outlet| !Arc::ptr_eq(&outlet.ticket.0, &ticket.0));
    }

    /// Hands `event` to everybody who wants it, and forgets those who have gone.
    pub(super) async fn hand_over(&mut self, event: E) {
        // The user's code first, so that if it panics nobody has the event, and not just some.
        self.0.iter_mut().for_each(|outlet| outlet.load(&event));
        drop(event);
        let mut place = 0;
        while let Some(outlet) = self.0.get_mut(place) {
            let stays = match outlet.next.take() {
                Some(event) => outlet.put(event).await,
                None => true,
            };
            if stays {
                place += 1;
            } else {
                self.0.swap_remove(place);
            }
        }
    }
}

/// The subscriber's end.
pub(super) struct Inlet<E> {
    policy: Policy,
    arriving: Receiver<Parcel<E>>,
    latest: Option<Channel<u64>>,
    /// Parcels that were taken out of the channel and not opened yet.
    held: VecDeque<Parcel<E>>,
    /// How many events have been offered, as far as is known. What is below it and is not held is lost.
    offered: u64,
    /// The number of the next event, if none is lost.
    expected: u64,
    missed: u64,
}

impl<E> Inlet<E> {
    pub(super) async fn recv(&mut self) -> Option<Notice<E>> {
        loop {
            if let Some(parcel) = self.held.pop_front() {
                return Some(self.open(parcel));
            }
            if let Some(notice) = self.skip_to(self.offered) {
                return Some(notice);
            }
            select! {
                biased;
                parcel = self.arriving.recv() => match parcel {
                    Some(parcel) => self.held.push_back(parcel),
                    None => return self.end(),
                },
                offered = self.latest.as_ref().map(Channel::recv) => {
                    // What was offered before that, and is not lost, has arrived.
                    while let Ok(parcel) = self.arriving.try_recv() {
                        self.held.push_back(parcel);
                    }
                    self.offered = offered.expect("it is never closed");
                }
            }
        }
    }

    /// The event, or first a notice of those that are missing before it.
    fn open(&mut self, parcel: Parcel<E>) -> Notice<E> {
        if let Some(notice) = self.skip_to(parcel.number) {
            self.held.push_front(parcel);
            return notice;
        }
        self.expected += 1;
        Notice::Event(parcel.event)
    }

    /// Counts the events before `number` that have not come; the notice of them, if the policy wants one.
    fn skip_to(&mut self, number: u64) -> Option<Notice<E>> {
        let missed = number.checked_sub(self.expected).filter(|missed| *missed > 0)?;
        self.expected = number;
        self.missed += missed;
        match self.policy {
            Policy::Coalesce(_) => Some(Notice::Missed(missed)),
            Policy::Disconnect(_) => Some(Notice::Disconnected),
            Policy::Drop(_) | Policy::Wait(_) => None,
        }
    }

    /// The server has let go, and everything was received: what is left is to say what was lost at last.
    fn end(&mut self) -> Option<Notice<E>> {
        if let Some(offered) = self.latest.as_ref().and_then(|latest| latest.try_recv().ok()) {
            self.offered = offered;
        }
        self.skip_to(self.offered)
    }
}

/// Takes the server's end from the server.
pub(super) type Leave = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A subscription: the receiving end of a channel of its own, which only the server closes. Dropping it ends it, and what it
/// had not received is dropped.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription<E> {
    inlet: Inlet<E>,
    leave: Leave,
    _helper: OwnedTasks,
}

impl<E> Subscription<E> {
    pub(super) fn new(inlet: Inlet<E>, leave: Leave, helper: OwnedTasks) -> Self {
        Self { inlet, leave, _helper: helper }
    }

    /// What comes next; `None` once the subscription has ended and everything was received.
    ///
    /// # Cancel safety
    /// A dropped wait loses nothing.
    pub async fn recv(&mut self) -> Option<Notice<E>> {
        self.inlet.recv().await
    }

    /// Ends the subscription. What was published before is still to be received, and then the end.
    ///
    /// It returns when the server knows, and receives meanwhile, so it needs no other task to do so; the memory for that is one
    /// event for each publisher that is faster, and the queue. Cancelling again, or when the server has gone, does nothing.
    ///
    /// # Cancel safety
    /// Dropped, the subscription has ended or has not; nothing is lost.
    pub async fn cancel(&mut self) {
        let mut leaving = (self.leave)();
        loop {
            select! {
                biased;
                () = &mut leaving => return,
                parcel = self.inlet.arriving.recv() => match parcel {
                    Some(parcel) => self.inlet.held.push_back(parcel),
                    None => return,
                },
            }
        }
    }

    /// Events that did not fit the queue, so far as [`recv`](Self::recv) has come; all of them once it has seen the end.
    pub fn missed(&self) -> u64 {
        self.inlet.missed
    }
}

impl<E> fmt::Debug for Subscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inlet { policy, arriving, missed, .. } = &self.inlet;
        let mut fields = f.debug_struct("Subscription");
        fields.field("events", arriving).field("policy", policy).field("missed", missed).finish_non_exhaustive()
    }
}
