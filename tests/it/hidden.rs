//! What decides an outcome must not hide from the checker: in a copy where it does, an outcome is lost.
//!
//! The copies are small programs on loom's own primitives, once with the deciding word in loom's atomics and once in std's,
//! as a sender count and as a select's claim would be.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

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
