//! Stages of a pipeline under every interleaving.

use std::num::NonZeroUsize;

use windtunnel::channel::{RecvStream, channel};
use windtunnel::{Receiver, spawn, time};
use windtunnel_patterns::pipeline::{Outputs, ordered, unordered};

use super::task::forever;

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// These, and the end.
fn inputs(values: &[u32]) -> RecvStream<Receiver<u32>, u32> {
    let (sender, receiver) = channel(values.len());
    for value in values {
        sender.try_send(*value).expect("there is room for each");
    }
    receiver.into_stream()
}

async fn square(n: u32) -> u32 {
    n * n
}

/// The outputs of two inputs, and the end after them.
async fn two(mut outputs: Outputs<u32>) -> [u32; 2] {
    let two = [outputs.next().await, outputs.next().await].map(|it| it.expect("two inputs").expect("no panic"));
    assert_eq!(outputs.next().await, None);
    two
}

/// One worker has its outputs in order, and ends.
#[windtunnel_model::test]
pub async fn one_worker_squares_in_order_and_ends() {
    assert_eq!(two(unordered(inputs(&[2, 3]), ONE, 0, square)).await, [4, 9]);
}

/// Two workers share two inputs, and each is squared once.
#[windtunnel_model::test(preemptions = 3)]
pub async fn two_workers_square_each_input_once() {
    let mut squares = two(unordered(inputs(&[2, 3]), TWO, 0, square)).await;
    squares.sort_unstable();
    assert_eq!(squares, [4, 9]);
}

/// Whichever of two workers is faster, the outputs are in order.
#[windtunnel_model::test(preemptions = 2)]
pub async fn ordered_outputs_come_in_the_order_of_the_inputs() {
    assert_eq!(two(ordered(inputs(&[2, 3]), TWO, 0, square)).await, [4, 9]);
}

/// No input is the end at once.
#[windtunnel_model::test]
pub async fn no_input_is_the_end_at_once() {
    assert_eq!(unordered(inputs(&[]), ONE, 0, square).next().await, None);
    assert_eq!(ordered(inputs(&[]), ONE, 0, square).next().await, None);
}

/// The only output, of a reader that gives up waiting for it once.
async fn only(mut outputs: Outputs<u32>) -> u32 {
    let output = match time::timeout(time::millis(10), outputs.next()).await {
        Ok(output) => output,
        Err(time::Elapsed) => outputs.next().await,
    };
    output.expect("one input").expect("no panic")
}

/// A wait that is given up loses no output.
#[windtunnel_model::test]
pub async fn a_dropped_wait_loses_no_output() {
    assert_eq!(only(unordered(inputs(&[2]), ONE, 0, square)).await, 4);
}

/// Nor does it lose a place that was read and whose output was not there.
#[windtunnel_model::test(preemptions = 3)]
pub async fn a_dropped_wait_loses_no_place() {
    assert_eq!(only(ordered(inputs(&[2]), ONE, 0, square)).await, 4);
}

/// Hint 8, know why and when each task will exit: the workers with their outputs, whatever they are at.
#[windtunnel_model::test(preemptions = 2)]
pub async fn dropped_early_it_drops_what_is_under_way() {
    let (held, gone) = channel::<()>(0);
    let hang = move |_| {
        let held = held.clone();
        async move {
            let _held = held;
            forever().await;
        }
    };
    let mut outputs = unordered(inputs(&[2, 3]), TWO, 0, hang);
    assert_eq!(time::timeout(time::millis(10), outputs.next()).await, Err(time::Elapsed));
    drop(outputs);
    assert_eq!(gone.recv().await, None);
}

/// The reader of the last of two stages stops: both end, and who feeds the first is told.
#[windtunnel_model::test(preemptions = 1)]
pub async fn stages_that_are_chained_end_together() {
    let (numbers, input) = channel(0);
    let feeder = spawn(async move { while numbers.send(2).await.is_ok() {} });
    let squares = unordered(input.into_stream(), ONE, 0, square);
    let mut fourth = unordered(squares, ONE, 0, |square| async move { square.map(|n| n * n) });
    assert_eq!(fourth.next().await, Some(Ok(Ok(16))));
    drop(fourth);
    feeder.await.expect("it ends");
}

/// Everything that comes, and the end.
async fn all(mut outputs: Outputs<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Some(output) = outputs.next().await {
        all.push(output.expect("no panic"));
    }
    all
}

/// Two workers for three inputs, the earlier ones of which take longer: the outputs are in order.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn two_workers_keep_the_order_of_three_inputs_in_time() {
    let slow = |n: u32| async move {
        time::sleep(time::millis(10 - u64::from(n))).await;
        n * n
    };
    assert_eq!(all(ordered(inputs(&[1, 2, 3]), TWO, 0, slow)).await, [1, 4, 9]);
}

/// Two stages of two workers each: every input comes out once.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn two_stages_of_two_workers_lose_nothing() {
    let squares = unordered(inputs(&[2, 3]), TWO, 0, square);
    let mut fourth = all(unordered(squares, TWO, 0, |square| async move { square.map_or(0, |n| n * n) })).await;
    fourth.sort_unstable();
    assert_eq!(fourth, [16, 81]);
}
