//! What decides an outcome must not hide from the checker: in a copy where it does, an outcome is lost.
//!
//! The copies are small programs on loom's own primitives, once with the deciding word in loom's atomics and once in std's,
//! as a sender count and as a select's claim would be. The primitives themselves show every outcome.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use windtunnel::{channel, go, select, spawn};
use windtunnel_model::Builder;

/// A word that two threads race for.
trait Word: Send + Sync + 'static {
    fn new(value: usize) -> Self;
    fn fetch_sub(&self) -> usize;
    fn claim(&self, by: usize) -> bool;
}

macro_rules! word {
    ($path:ident) => {
        impl Word for $path::sync::atomic::AtomicUsize {
            fn new(value: usize) -> Self {
                Self::new(value)
            }

            fn fetch_sub(&self) -> usize {
                self.fetch_sub(1, $path::sync::atomic::Ordering::AcqRel)
            }

            fn claim(&self, by: usize) -> bool {
                use $path::sync::atomic::Ordering::{AcqRel, Acquire};
                self.compare_exchange(0, by, AcqRel, Acquire).is_ok()
            }
        }
    };
}

word!(loom);
word!(std);

/// The outcomes that loom finds of a program which reports one per execution.
fn outcomes<T: Ord + Send + 'static>(program: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let all = Arc::clone(&found);
    loom::model(move || {
        let outcome = program();
        found.lock().unwrap().insert(outcome);
    });
    Arc::into_inner(all).map_or_else(BTreeSet::new, |all| all.into_inner().unwrap())
}

/// Two senders are dropped; the last one closes. Who closed, as a third task sees it: nobody yet, the first, the second.
fn closed_by<W: Word>() -> usize {
    let (count, closed) = (Arc::new(W::new(2)), Arc::new(loom::sync::Mutex::new(0)));
    for sender in 1..=2 {
        let (count, closed) = (Arc::clone(&count), Arc::clone(&closed));
        loom::thread::spawn(move || {
            if count.fetch_sub() == 1 {
                *closed.lock().unwrap() = sender;
            }
        });
    }
    *closed.lock().unwrap()
}

/// Two partners, each under the lock of its own channel, claim one select. Who got it.
fn claimed_by<W: Word>() -> usize {
    let (claim, winner) = (Arc::new(W::new(0)), Arc::new(Mutex::new(0)));
    let partners = [1, 2].map(|partner| {
        let (claim, winner, channel) = (Arc::clone(&claim), Arc::clone(&winner), loom::sync::Mutex::new(()));
        loom::thread::spawn(move || {
            let _locked = channel.lock().unwrap();
            if claim.claim(partner) {
                *winner.lock().unwrap() = partner;
            }
        })
    });
    for partner in partners {
        partner.join().unwrap();
    }
    *winner.lock().unwrap()
}

#[test]
fn a_sender_count_in_std_loses_an_outcome_that_a_visible_one_shows() {
    assert_eq!(outcomes(closed_by::<loom::sync::atomic::AtomicUsize>), BTreeSet::from([0, 1, 2]));
    assert_eq!(outcomes(closed_by::<std::sync::atomic::AtomicUsize>).len(), 2, "the hidden count loses one of three");
}

#[test]
fn a_select_claim_in_std_loses_an_order_that_a_visible_one_shows() {
    assert_eq!(outcomes(claimed_by::<loom::sync::atomic::AtomicUsize>), BTreeSet::from([1, 2]));
    assert_eq!(outcomes(claimed_by::<std::sync::atomic::AtomicUsize>).len(), 1, "the hidden claim loses one of two");
}

/// The outcomes of a model which gives one per execution.
fn modelled<T: Ord + Send + 'static, F: Future<Output = T> + 'static>(body: fn() -> F) -> BTreeSet<T> {
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let all = Arc::clone(&found);
    let report = Builder::new().check("outcomes", move || {
        let found = Arc::clone(&found);
        async move {
            let outcome = body().await;
            found.lock().unwrap().insert(outcome);
        }
    });
    assert!(report.is_complete(), "\n{report}");
    std::mem::take(&mut *all.lock().unwrap())
}

#[test]
fn either_of_two_senders_is_seen_to_be_the_last() {
    // Each drops its sender and looks whether that, or the other's, has closed the channel.
    let found = modelled(|| async {
        let (first, input) = channel::<u8>(0);
        let senders = [first.clone(), first].map(|sender| {
            let input = input.clone();
            spawn(async move {
                drop(sender);
                input.is_closed()
            })
        });
        let [first, second] = senders;
        (first.await.unwrap(), second.await.unwrap())
    });
    assert_eq!(found, BTreeSet::from([(true, true), (true, false), (false, true)]));
}

#[test]
fn either_of_two_partners_is_seen_to_claim_a_select() {
    let found = modelled(|| async {
        let (left, right) = (go::channel(0), go::channel(0));
        let mut selecting = pin!(async {
            select! {
                it = left.recv() => it,
                it = right.recv() => it,
            }
        });
        assert!(poll_fn(|cx| Poll::Ready(selecting.as_mut().poll(cx).is_pending())).await);
        for (side, value) in [(left.clone(), 'l'), (right.clone(), 'r')] {
            spawn(async move { side.try_send(value).is_ok() });
        }
        selecting.await
    });
    assert_eq!(found, BTreeSet::from([Some('l'), Some('r')]));
}
