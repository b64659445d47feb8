//! Accesses to a checked cell that nothing orders: in a model each is a data race that names both sides, whichever came
//! first; elsewhere those that overlap panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use insta::assert_snapshot;
use windtunnel::cell::CheckedCell;
use windtunnel::sync::Mutex;
use windtunnel::task::{spawn_named, yield_now};
use windtunnel_model::{Builder, FailureKind};

type Cell = Arc<CheckedCell<u32>>;

fn shared() -> Cell {
    Arc::new(CheckedCell::named("count", 0))
}

/// The data race that must be found in `body`.
fn race<F: Future<Output = ()> + 'static>(body: impl Fn(Cell) -> F + Send + Sync + 'static) -> String {
    let report = Builder::new().check("race", move || body(shared()));
    match report.failure.as_ref().map(|failure| (&failure.kind, failure.replays)) {
        Some((FailureKind::DataRace { race }, true)) => race.clone(),
        _ => panic!("\n{report}"),
    }
}

/// The panic that an access must end with.
fn panic_of<R>(access: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(access)) else { panic!("the access went through") };
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn two_writes_that_nothing_orders_race() {
    let race = race(async |cell: Cell| {
        let other = Arc::clone(&cell);
        spawn_named("writer", async move { other.set(1) });
        cell.set(2);
    });
    assert_snapshot!(race, @"cell count: write by writer at tests/it/cell.rs:40 and write by main at tests/it/cell.rs:41 are not ordered by anything");
}

#[test]
fn a_read_and_a_write_that_nothing_orders_race() {
    let race = race(async |cell: Cell| {
        let other = Arc::clone(&cell);
        spawn_named("reader", async move { other.get() });
        cell.set(2);
    });
    assert_snapshot!(race, @"cell count: read by reader at tests/it/cell.rs:50 and write by main at tests/it/cell.rs:51 are not ordered by anything");
}

#[test]
fn of_two_readers_the_one_that_nothing_orders_is_named() {
    let race = race(async |cell: Cell| {
        let readers = ["stray", "joined"].map(|name| {
            let cell = Arc::clone(&cell);
            spawn_named(name, async move { cell.get() })
        });
        let [_stray, joined] = readers;
        joined.await.unwrap();
        cell.set(2);
    });
    assert_snapshot!(race, @"cell count: write by main at tests/it/cell.rs:65 and read by stray at tests/it/cell.rs:61 are not ordered by anything");
}

#[test]
fn a_read_that_is_ordered_after_a_write_does_not_hide_the_write() {
    let race = race(async |cell: Cell| {
        let (writing, stray) = (Arc::clone(&cell), Arc::clone(&cell));
        // A flag of std is no order that a model sees.
        let read = Arc::new(AtomicBool::new(false));
        let late = Arc::clone(&read);
        spawn_named("stray", async move {
            while !late.load(Ordering::Relaxed) {
                yield_now().await;
            }
            stray.get()
        });
        spawn_named("writer", async move { writing.set(1) }).await.unwrap();
        cell.get();
        read.store(true, Ordering::Relaxed);
    });
    assert_snapshot!(race, @"cell count: read by stray at tests/it/cell.rs:81 and write by writer at tests/it/cell.rs:83 are not ordered by anything");
}

#[test]
fn a_lock_that_only_one_side_takes_orders_nothing() {
    let race = race(async |cell: Cell| {
        let (other, mutex) = (Arc::clone(&cell), Arc::new(Mutex::new(())));
        let theirs = Arc::clone(&mutex);
        let task = spawn_named("careless", async move {
            drop(theirs.lock().await);
            other.set(1);
        });
        let held = mutex.lock().await;
        cell.set(2);
        drop(held);
        task.await.unwrap();
    });
    assert_snapshot!(race, @"cell count: write by main at tests/it/cell.rs:100 and write by careless at tests/it/cell.rs:97 are not ordered by anything");
}

#[test]
fn an_access_that_begins_within_another_races_though_a_lock_orders_their_beginnings() {
    let race = race(async |cell: Cell| {
        let (other, mutex) = (Arc::clone(&cell), Arc::new(Mutex::new(())));
        let (theirs, held) = (Arc::clone(&mutex), mutex.lock().await);
        spawn_named("other", async move {
            drop(theirs.lock().await);
            other.set(1);
        });
        cell.with(|_| {
            drop(held);
            // The checker switches tasks at a lock.
            drop(mutex.try_lock());
        });
    });
    assert_snapshot!(race, @"cell count: write by other at tests/it/cell.rs:114 and read by main at tests/it/cell.rs:116 are not ordered by anything");
}

#[test]
fn taking_the_value_out_races_with_an_access_that_is_not_ordered_before_it() {
    let race = race(async |cell: Cell| {
        let other = Arc::clone(&cell);
        spawn_named("writer", async move { other.set(1) });
        // A std count is no order that a model sees.
        while Arc::strong_count(&cell) > 1 {
            yield_now().await;
        }
        Arc::into_inner(cell).unwrap().into_inner();
    });
    assert_snapshot!(race, @"cell count: write by main at tests/it/cell.rs:134 and write by writer at tests/it/cell.rs:129 are not ordered by anything");
}

#[test]
fn a_nested_write_is_refused_in_a_model() {
    let race = race(async |cell: Cell| cell.with(|_| cell.set(1)));
    assert_snapshot!(race, @"cell count: write by main at tests/it/cell.rs:141 overlaps read by main at tests/it/cell.rs:141");
}

#[test]
fn an_overlap_of_two_threads_panics_and_names_both_accesses() {
    let (cell, within, over) = (shared(), Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let writing = thread::spawn({
        let (cell, within, over) = (Arc::clone(&cell), Arc::clone(&within), Arc::clone(&over));
        move || {
            cell.with_mut(|count| {
                within.wait();
                over.wait();
                *count = 1;
            });
        }
    });
    within.wait();
    let race = panic_of(|| cell.get());
    over.wait();
    writing.join().unwrap();
    assert_snapshot!(race, @"data race: cell count: read at tests/it/cell.rs:159 overlaps write at tests/it/cell.rs:151");
    assert_eq!(cell.get(), 1, "the access that was there goes on");
}

#[test]
fn a_nested_access_panics_unless_both_read() {
    let cell = shared();
    assert_eq!(cell.with(|outer| *outer + cell.get()), 0);
    assert_snapshot!(cell.with(|_| panic_of(|| cell.set(1))), @"data race: cell count: write at tests/it/cell.rs:170 overlaps read at tests/it/cell.rs:170");
    assert_snapshot!(cell.with_mut(|_| panic_of(|| cell.get())), @"data race: cell count: read at tests/it/cell.rs:171 overlaps write at tests/it/cell.rs:171");
    assert_snapshot!(cell.with_mut(|_| panic_of(|| cell.set(1))), @"data race: cell count: write at tests/it/cell.rs:172 overlaps write at tests/it/cell.rs:172");
    cell.set(1);
    assert_eq!(cell.get(), 1);
}

#[test]
fn a_read_that_ends_within_another_leaves_that_one_open() {
    let cell = shared();
    cell.with(|_| {
        cell.get();
        panic_of(|| cell.set(1));
    });
}

#[test]
fn an_access_ends_when_its_closure_panics() {
    let cell = shared();
    let caught = catch_unwind(AssertUnwindSafe(|| cell.with_mut(|_| panic!("in the closure"))));
    assert!(caught.is_err());
    let caught = catch_unwind(AssertUnwindSafe(|| cell.with(|_| panic!("in the closure"))));
    assert!(caught.is_err());
    cell.set(1);
    assert_eq!(cell.get(), 1);
}

#[test]
fn the_value_that_is_replaced_is_dropped_after_the_access() {
    struct Looks(Option<Arc<CheckedCell<Looks>>>, Arc<AtomicBool>);

    impl Drop for Looks {
        fn drop(&mut self) {
            if let Some(cell) = &self.0 {
                cell.with(|new| new.1.store(true, Ordering::Relaxed));
            }
        }
    }

    let looked = Arc::new(AtomicBool::new(false));
    let cell = Arc::new(CheckedCell::new(Looks(None, Arc::clone(&looked))));
    cell.set(Looks(Some(Arc::clone(&cell)), Arc::clone(&looked)));
    cell.set(Looks(None, Arc::clone(&looked)));
    assert!(looked.load(Ordering::Relaxed));
}
