//! Stages of a pipeline in simulated time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use windtunnel::channel::{RecvStream, channel};
use windtunnel::rand::rng;
use windtunnel::time::{self, Instant};
use windtunnel::{Receiver, spawn};
use windtunnel_patterns::pipeline::{Outputs, ordered, unordered};
use windtunnel_sim::Sim;

use super::live_tasks_of_patterns;

/// The numbers below `count`, and the end.
pub fn numbers(count: usize) -> RecvStream<Receiver<usize>, usize> {
    let (sender, receiver) = channel(count);
    for n in 0..count {
        sender.try_send(n).expect("there is room for each");
    }
    receiver.into_stream()
}

fn some(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("one at least")
}

/// Squares after a second.
async fn square(n: usize) -> usize {
    time::sleep(time::secs(1)).await;
    n * n
}

async fn all<O>(mut outputs: Outputs<O>) -> Vec<O> {
    let mut all = Vec::new();
    while let Some(output) = outputs.next().await {
        all.push(output.expect("no panic"));
    }
    all
}

/// Census C15: a hundred squares of a second each take ten workers ten seconds, and a hundred workers one; and any number of
/// workers as long as there are rounds.
#[windtunnel_sim::test(seeds = 32)]
pub async fn equal_inputs_take_as_long_as_the_rounds(_sim: Sim) {
    let drawn = (rng().random_range(1..50), rng().random_range(1..20));
    for (count, workers) in [(100, 10), (100, 100), drawn] {
        let expected: Vec<_> = (0..count).map(|n| n * n).collect();
        let start = Instant::now();
        let mut squares = all(unordered(numbers(count), some(workers), 0, square)).await;
        assert_eq!(start.elapsed().as_secs(), count.div_ceil(workers) as u64);
        squares.sort_unstable();
        assert_eq!(squares, expected);
        let start = Instant::now();
        assert_eq!(all(ordered(numbers(count), some(workers), 0, square)).await, expected);
        assert_eq!(start.elapsed().as_secs(), count.div_ceil(workers) as u64);
    }
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0, "the workers have ended");
}

/// Two stages whose work takes any time: the outputs are those of a loop, in its order.
#[windtunnel_sim::test(seeds = 64)]
pub async fn ordered_stages_give_what_a_loop_gives(_sim: Sim) {
    let draw = || (some(rng().random_range(1..6)), rng().random_range(0..4));
    let slowly = |n: usize| async move {
        time::sleep(time::millis(rng().random_range(0..20))).await;
        n + 1
    };
    let ((workers, buffer), count) = (draw(), rng().random_range(0..60));
    let first = ordered(numbers(count), workers, buffer, slowly);
    let (workers, buffer) = draw();
    let second = ordered(first, workers, buffer, move |n| slowly(n.expect("no panic")));
    assert_eq!(all(second).await, (2..count + 2).collect::<Vec<_>>());
}

/// Hint 6, consider the effect of slow tasks: a reader that is slow holds the workers back, and they hold back who feeds them.
#[windtunnel_sim::test(seeds = 32)]
pub async fn workers_run_ahead_of_the_reader_by_the_buffer(_sim: Sim) {
    let (workers, buffer) = (some(rng().random_range(1..5)), rng().random_range(0..5));
    for is_ordered in [false, true] {
        let taken = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&taken);
        let note = move |_: usize| {
            taken.fetch_add(1, Ordering::Relaxed);
            time::sleep(time::millis(1))
        };
        let mut outputs = if is_ordered {
            ordered(numbers(100), workers, buffer, note)
        } else {
            unordered(numbers(100), workers, buffer, note)
        };
        for read in 0..10 {
            time::sleep(time::secs(1)).await;
            assert_eq!(seen.load(Ordering::Relaxed), workers.get() + buffer + read);
            outputs.next().await;
        }
    }
}

/// Whenever the reader of the last stage stops, no worker of any stage is left, and who feeds the first knows.
#[windtunnel_sim::test(seeds = 64)]
pub async fn dropped_early_it_leaves_no_task(_sim: Sim) {
    let (sender, input) = channel(0);
    let feeder = spawn(async move { while sender.send(1).await.is_ok() {} });
    let slowly = |n: usize| async move {
        time::sleep(time::millis(rng().random_range(0..20))).await;
        n
    };
    let first = unordered(input.into_stream(), some(3), 1, slowly);
    let mut second = ordered(first, some(2), 1, move |n| slowly(n.expect("no panic")));
    for _ in 0..rng().random_range(0..20) {
        second.next().await;
    }
    time::sleep(time::millis(rng().random_range(0..50))).await;
    drop(second);
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
    feeder.await.expect("it ends");
}
