//! Stages of a pipeline: the bodies of their models on tokio and madsim, generated ones, and panics, which end a model.

use std::num::NonZeroUsize;

use futures::{StreamExt, stream};
use proptest::prelude::*;
use windtunnel::task::JoinError;
use windtunnel::time;
use windtunnel_patterns::pipeline::{ordered, unordered};
use windtunnel_suite::models::pipeline as models;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    one_worker_squares_in_order_and_ends
    two_workers_square_each_input_once
    ordered_outputs_come_in_the_order_of_the_inputs
    no_input_is_the_end_at_once
    a_dropped_wait_loses_no_output
    a_dropped_wait_loses_no_place
    dropped_early_it_drops_what_is_under_way
    stages_that_are_chained_end_together
}

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Inputs, each with what its processing takes, a stage, and how many outputs are read.
#[derive(Clone, Debug)]
struct Stage {
    pauses_ms: Vec<u64>,
    workers: NonZeroUsize,
    buffer: usize,
    read: usize,
}

fn stages() -> impl Strategy<Value = Stage> {
    let parts = (prop::collection::vec(0..20_u64, 0..30), 1..8_usize, 0..8_usize, 0..40_usize);
    parts.prop_map(|(pauses_ms, workers, buffer, read)| Stage {
        pauses_ms,
        workers: NonZeroUsize::new(workers).unwrap(),
        buffer,
        read,
    })
}

/// The first outputs of both kinds, which are the numbers of the inputs.
async fn run(stage: Stage) -> [Vec<usize>; 2] {
    let inputs = || stream::iter(stage.pauses_ms.clone().into_iter().enumerate());
    let process = |(number, pause)| async move {
        time::sleep(time::millis(pause)).await;
        number
    };
    let mut read = [Vec::new(), Vec::new()];
    let outputs = [
        unordered(inputs(), stage.workers, stage.buffer, process),
        ordered(inputs(), stage.workers, stage.buffer, process),
    ];
    for (read, mut outputs) in read.iter_mut().zip(outputs) {
        while read.len() < stage.read
            && let Some(output) = outputs.next().await
        {
            read.push(output.expect("no panic"));
        }
    }
    read
}

fn check(stage: &Stage, [mut unordered, ordered]: [Vec<usize>; 2]) -> Result<(), TestCaseError> {
    let count = stage.read.min(stage.pauses_ms.len());
    prop_assert_eq!(ordered, (0..count).collect::<Vec<_>>());
    prop_assert_eq!(unordered.len(), count);
    unordered.sort_unstable();
    unordered.dedup();
    prop_assert_eq!(unordered.len(), count, "an input has two outputs");
    prop_assert!(unordered.iter().all(|number| *number < stage.pauses_ms.len()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn on_tokio_each_input_has_one_output(stage in stages()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        check(&stage, runtime.block_on(run(stage.clone())))?;
    }

    #[test]
    fn simulated_each_input_has_one_output(stage in stages(), seed: u64) {
        let given = stage.clone();
        let (outcome, result) = windtunnel_sim::simulate(seed, move |_| run(given));
        prop_assert!(outcome.cause.is_none(), "{:?}", outcome.cause);
        check(&stage, result.expect("it ended"))?;
    }
}

#[test]
fn an_input_that_panics_keeps_no_other_from_being_processed() {
    on_two_threads(async {
        let process = |n: usize| async move {
            assert_ne!(n, 3, "not this one");
            n
        };
        let mut outputs = ordered(stream::iter(0..10), TWO, 0, process);
        for n in 0..10 {
            let wanted = if n == 3 { None } else { Some(n) };
            let output = outputs.next().await.unwrap();
            assert!(output.is_err() || wanted == output.clone().ok(), "{output:?}");
            assert_eq!(output.is_err(), wanted.is_none(), "{output:?}");
        }
        assert_eq!(outputs.next().await, None);
    });
}

#[test]
fn a_stream_of_inputs_that_panics_says_so_and_is_at_its_end() {
    on_two_threads(async {
        let inputs = || stream::iter(0..).inspect(|n| assert!(*n < 5, "no more"));
        for mut outputs in
            [ordered(inputs(), TWO, 0, std::future::ready), unordered(inputs(), TWO, 0, std::future::ready)]
        {
            let mut all = Vec::new();
            while let Some(output) = outputs.next().await {
                all.push(output);
            }
            let panicked = JoinError::Panicked("no more".into());
            assert_eq!(all.iter().filter(|output| **output == Err(panicked.clone())).count(), 1, "{all:?}");
            assert_eq!(all.iter().flatten().count(), 5);
        }
    });
}
