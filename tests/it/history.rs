//! The linearizability checker against one that tries every order, on known histories, and on large ones.

use std::panic::catch_unwind;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windtunnel_sim::history::{
    Counterexample, EntryOp, History, KeyValue, Model, Moment, Operation, Queue, QueueOp, Recorder, Register,
    RegisterOp, Ret, Verdict, assert_nothing_lost_or_doubled, assert_program_order, assert_same_order,
};

#[path = "../../sim/benches/share/mod.rs"]
mod share;

/// Whether any order of `left` from `state` on is right: all of them are tried.
fn any_order<M: Model>(model: &M, state: &M::State, left: &[&Operation<M::Op, M::Ret>]) -> bool {
    let returned = |it: &Operation<M::Op, M::Ret>| it.returned.as_ref().map(|(_, at)| *at);
    left.iter().all(|it| it.returned.is_none())
        || (0..left.len()).any(|first| {
            let candidate = left[first];
            let is_first = left.iter().filter_map(|it| returned(it)).all(|at| candidate.invoke < at);
            let rest: Vec<_> = left.iter().copied().filter(|it| !std::ptr::eq(*it, candidate)).collect();
            let result = candidate.returned.as_ref().map(|(ret, _)| ret);
            let after = model.step(state, &candidate.op, result);
            is_first && after.is_some_and(|after| any_order(model, &after, &rest))
        })
}

fn brute_force<M: Model>(model: &M, history: &History<M::Op, M::Ret>) -> bool {
    let operations = &history.operations;
    operations.iter().all(|one| {
        let key = model.key(&one.op);
        let members: Vec<_> = operations.iter().filter(|it| model.key(&it.op) == key).collect();
        any_order(model, &model.init(), &members)
    })
}

fn moment(at: u64) -> Moment {
    Moment { at: Duration::from_nanos(at), order: 0 }
}

/// Seven operations by three processes at random times, one in five or three in five of them of unknown outcome.
fn random_history<Op, R>(rng: &mut ChaCha8Rng, mut draw: impl FnMut(&mut ChaCha8Rng) -> (Op, R)) -> History<Op, R> {
    let mut free_at = [0; 3];
    let known = if rng.random() { 0.8 } else { 0.4 };
    let mut operation = |_| {
        let process = rng.random_range(0..3);
        let invoke = free_at[process] + rng.random_range(1..10);
        let end = invoke + rng.random_range(1..20);
        free_at[process] = end;
        let (op, ret) = draw(rng);
        // Times of different processes differ.
        let at = |time: usize| moment(3 * time as u64 + process as u64);
        let returned = rng.random_bool(known).then(|| (ret, at(end)));
        Operation { process: process.to_string(), op, invoke: at(invoke), returned }
    };
    History { operations: (0..7).map(&mut operation).collect() }
}

fn check<M: Model>(model: &M, history: &History<M::Op, M::Ret>) -> Result<(), Box<Counterexample>> {
    match history.check(model, &mut || false) {
        Verdict::Linearizable => Ok(()),
        Verdict::NotLinearizable(counterexample) => Err(Box::new(counterexample)),
        Verdict::Undecided => panic!("nothing stopped it"),
    }
}

/// Without the results of all but `kept`, which are indexes, and without what began after the prefix.
fn relaxed<M: Model<Op: Clone, Ret: Clone>>(
    history: &History<M::Op, M::Ret>,
    counterexample: &Counterexample,
    kept: &[usize],
) -> History<M::Op, M::Ret> {
    let keep = |index: &usize| {
        let mut operation = history.operations[*index].clone();
        operation.returned = operation.returned.filter(|_| kept.contains(index));
        operation
    };
    History { operations: counterexample.prefix.iter().map(keep).collect() }
}

/// Two thousand random histories: the verdict is that of the search through all orders; of those that are not linearizable
/// the conflicting operations do conflict, and no fewer of them.
fn agrees_with_brute_force<M: Model<Op: Clone, Ret: Clone>>(
    model: &M,
    mut draw: impl FnMut(&mut ChaCha8Rng) -> (M::Op, M::Ret),
) {
    let (mut linearizable, mut not) = (0, 0);
    for seed in 0..2000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let history = random_history(&mut rng, &mut draw);
        let expected = brute_force(model, &history);
        match check(model, &history) {
            Ok(()) => linearizable += 1,
            Err(counterexample) => {
                not += 1;
                let conflict = &counterexample.conflict;
                let fails = |kept: &[usize]| !brute_force(model, &relaxed::<M>(&history, &counterexample, kept));
                assert!(fails(conflict), "seed {seed}: {counterexample}");
                for one in conflict {
                    let fewer: Vec<_> = conflict.iter().copied().filter(|it| it != one).collect();
                    assert!(!fails(&fewer), "seed {seed}: {counterexample}");
                }
            }
        }
        assert_eq!(check(model, &history).is_ok(), expected, "seed {seed}: {history:#?}");
    }
    assert!(linearizable > 100 && not > 100, "both kinds are there: {linearizable} and {not}");
}

#[test]
fn a_register_agrees_with_brute_force() {
    agrees_with_brute_force(&Register(0), |rng| match rng.random_range(0..2) {
        0 => (RegisterOp::Read, Ret::Value(rng.random_range(0..3))),
        _ => (RegisterOp::Write(rng.random_range(0..3)), Ret::Done),
    });
}

#[test]
fn a_compare_and_set_register_agrees_with_brute_force() {
    agrees_with_brute_force(&Register(0), |rng| match rng.random_range(0..3) {
        0 => (RegisterOp::Read, Ret::Value(rng.random_range(0..3))),
        1 => (RegisterOp::Write(rng.random_range(0..3)), Ret::Done),
        _ => (RegisterOp::Cas(rng.random_range(0..3), rng.random_range(0..3)), Ret::Swapped(rng.random())),
    });
}

#[test]
fn a_key_value_store_agrees_with_brute_force() {
    agrees_with_brute_force(&KeyValue::default(), |rng| {
        let some = *[None, Some(0), Some(1)].choose(rng).expect("not empty");
        let (op, ret) = match rng.random_range(0..4) {
            0 => (EntryOp::Get, Ret::Value(some)),
            1 => (EntryOp::Put(rng.random_range(0..2)), Ret::Done),
            2 => (EntryOp::Delete, Ret::Done),
            _ => (EntryOp::Cas(some, rng.random_range(0..2)), Ret::Swapped(rng.random())),
        };
        ((rng.random_range(0..2), op), ret)
    });
}

#[test]
fn a_queue_agrees_with_brute_force() {
    agrees_with_brute_force(&Queue::default(), |rng| match rng.random_range(0..2) {
        0 => (QueueOp::Enqueue(rng.random_range(0..3)), Ret::Done),
        _ => (QueueOp::Dequeue, Ret::Value(*[None, Some(0), Some(1), Some(2)].choose(rng).expect("not empty"))),
    });
}

/// Known operations, at whole nanoseconds; without a result and its time the outcome is unknown.
type Known<Op, R> = (&'static str, Op, u64, Option<(R, u64)>);

fn history<Op, R>(operations: impl IntoIterator<Item = Known<Op, R>>) -> History<Op, R> {
    let operation = |(process, op, invoke, returned): Known<Op, R>| {
        let returned = returned.map(|(ret, at)| (ret, moment(at)));
        Operation { process: process.to_owned(), op, invoke: moment(invoke), returned }
    };
    History { operations: operations.into_iter().map(operation).collect() }
}

#[test]
fn a_read_may_see_an_overlapping_write_or_not_but_not_both_in_the_wrong_order() {
    use RegisterOp::{Read, Write};
    let reads = |first, second| {
        history([
            ("w", Write(1), 0, Some((Ret::Done, 100))),
            ("a", Read, 10, Some((Ret::Value(first), 20))),
            ("b", Read, 30, Some((Ret::Value(second), 40))),
        ])
    };
    for (first, second, linearizable) in [(0, 0, true), (0, 1, true), (1, 1, true), (1, 0, false)] {
        assert_eq!(check(&Register(0), &reads(first, second)).is_ok(), linearizable, "{first} then {second}");
    }
}

#[test]
fn an_unknown_outcome_may_take_effect_late_or_never_but_not_before_its_invocation() {
    use RegisterOp::{Read, Write};
    let with_reads = |reads: &[i32]| {
        let reads =
            reads.iter().zip(1..).map(|(value, at)| ("r", Read, 20 * at, Some((Ret::Value(*value), 20 * at + 5))));
        history(reads.chain([("w", Write(1), 50, None)]))
    };
    for (reads, linearizable) in [
        (&[0, 0, 0, 0][..], true),
        (&[0, 0, 0, 1], true),
        (&[0, 0, 1, 1], true),
        (&[0, 1, 1, 1], false),
        (&[0, 0, 1, 0], false),
    ] {
        assert_eq!(check(&Register(0), &with_reads(reads)).is_ok(), linearizable, "{reads:?}");
    }
}

#[test]
fn a_queue_hands_out_nothing_twice_and_in_order() {
    let dequeued = |first, second| {
        history([
            ("p", QueueOp::Enqueue('a'), 0, Some((Ret::Done, 10))),
            ("p", QueueOp::Enqueue('b'), 11, Some((Ret::Done, 20))),
            ("c", QueueOp::Dequeue, 21, Some((Ret::Value(first), 30))),
            ("c", QueueOp::Dequeue, 31, Some((Ret::Value(second), 40))),
        ])
    };
    assert!(check(&Queue::default(), &dequeued(Some('a'), Some('b'))).is_ok());
    for (first, second) in [(Some('b'), Some('a')), (Some('a'), Some('a')), (Some('a'), None)] {
        assert!(check(&Queue::default(), &dequeued(first, second)).is_err(), "{first:?} {second:?}");
    }
}

#[test]
fn a_counterexample_shows_the_conflict_and_no_more() {
    use EntryOp::{Cas, Delete, Get, Put};
    let counterexample = check(
        &KeyValue::default(),
        &history([
            ("client 1", ("x", Put(1)), 0, Some((Ret::Done, 1_000_000))),
            ("client 2", ("x", Put(2)), 500_000, Some((Ret::Done, 2_000_000))),
            ("client 3", ("y", Put(7)), 600_000, Some((Ret::Done, 2_100_000))),
            ("client 3", ("x", Get), 2_200_000, Some((Ret::Value(Some(2)), 2_500_000))),
            ("client 1", ("x", Cas(Some(2), 3)), 2_600_000, Some((Ret::Swapped(true), 3_000_000))),
            ("client 2", ("x", Put(4)), 2_900_000, None),
            ("client 3", ("x", Get), 3_100_000, Some((Ret::Value(Some(2)), 3_500_000))),
            ("client 1", ("x", Delete), 3_600_000, Some((Ret::Done, 4_000_000))),
            ("client 1", ("x", Get), 4_100_000, Some((Ret::Value(Some(1)), 4_200_000))),
        ]),
    );
    insta::assert_snapshot!(counterexample.expect_err("a stale read"));
}

/// Half of it reads; every written value is another.
fn hard_history(count: usize) -> History<RegisterOp<usize>, Ret<usize>> {
    share::linearizable(
        &Register(0),
        (7, count, 10),
        |rng, number| if rng.random() { RegisterOp::Read } else { RegisterOp::Write(number + 1) },
        |state, op| if *op == RegisterOp::Read { Ret::Value(*state) } else { Ret::Done },
    )
}

#[test]
fn ten_thousand_operations_on_one_register_are_decided_either_way() {
    let mut history = hard_history(10_000);
    assert!(check(&Register(0), &history).is_ok());
    // A read late in the history finds what one found near its beginning.
    let mut reads: Vec<_> = history.operations.iter_mut().filter(|it| it.op == RegisterOp::Read).collect();
    let old = reads[9].returned.clone().expect("it returned").0;
    reads[4000].returned.as_mut().expect("it returned").0 = old;
    let counterexample = check(&Register(0), &history).expect_err("a stale read");
    assert!(counterexample.conflict.len() <= 4, "{counterexample}");
}

#[test]
fn ten_thousand_operations_on_a_hundred_keys_are_decided() {
    let model = KeyValue::<u64, usize>::default();
    let history = share::linearizable(
        &model,
        (1, 10_000, 10),
        |rng, number| (rng.random_range(0..100), if rng.random() { EntryOp::Get } else { EntryOp::Put(number) }),
        |state, (_, op)| if *op == EntryOp::Get { Ret::Value(*state) } else { Ret::Done },
    );
    assert!(check(&model, &history).is_ok());
}

#[test]
fn a_search_that_is_stopped_decides_nothing() {
    let verdict = hard_history(10_000).check(&Register(0), &mut || true);
    assert!(matches!(verdict, Verdict::Undecided), "{verdict:?}");
}

#[test]
fn a_recorder_orders_events_at_one_time_and_knows_no_outcome_of_what_did_not_return() {
    let recorder = Recorder::new();
    let write = recorder.invoke(1, RegisterOp::Write(1));
    write.returned(Ret::Done);
    recorder.invoke(2, RegisterOp::Read).returned(Ret::Value(0));
    drop(recorder.invoke(3, RegisterOp::Write(2)));
    let mut history: History<_, Ret<i32>> = recorder.history();
    assert!(history.operations[2].returned.is_none());
    assert!(check(&Register(0), &history).is_err(), "the write had returned");
    for operation in &mut history.operations {
        operation.invoke.at = Duration::ZERO;
        operation.returned.iter_mut().for_each(|(_, at)| at.at = Duration::ZERO);
    }
    assert!(check(&Register(0), &history).is_err(), "the order alone says so");
}

/// The message of the panic of `body`.
fn panics(body: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *catch_unwind(body).expect_err("it panics").downcast().expect("a message")
}

#[test]
fn sequences_are_in_one_order_or_the_circle_is_named() {
    assert_same_order(&[vec![1, 2, 3], vec![2, 3], vec![1, 3, 4], vec![]]);
    assert!(panics(|| assert_same_order(&[vec![1, 2, 3], vec![3, 2]])).contains("[2, 3, 2]"));
    assert!(panics(|| assert_same_order(&[vec![9, 1, 2], vec![2, 3], vec![3, 1, 8]])).contains("[1, 2, 3, 1]"));
    assert!(panics(|| assert_same_order(&[vec![1, 1]])).contains("[1, 1]"));
}

#[test]
fn program_order_is_kept_or_the_producer_is_named() {
    let sent = [("a", vec![1, 2, 3]), ("b", vec![10, 20])];
    assert_program_order(&sent, &[10, 1, 3, 20]);
    let message = panics(move || assert_program_order(&sent, &[10, 2, 20, 1]));
    assert_eq!(message, "out of order: \"a\" sent 1 before 2, which was seen first");
}

#[test]
fn what_is_lost_or_doubled_is_named() {
    assert_nothing_lost_or_doubled(&[1, 2, 2], &[2, 1, 2]);
    for (seen, message) in [
        (&[1, 2][..], "2 was sent 2 times and seen 1 times"),
        (&[1, 2, 2, 1], "1 was sent 1 times and seen 2 times"),
        (&[1, 2, 2, 5], "5 was sent 0 times and seen 1 times"),
    ] {
        assert_eq!(panics(move || assert_nothing_lost_or_doubled(&[1, 2, 2], seen)), message);
    }
}
