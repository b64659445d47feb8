//! Workloads drawn from the seed, which a failure leaves as little of as it needs.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::Rng;
use windtunnel::engine::generator;

use crate::faults::Kept;
use crate::world::Sim;

/// The first of the streams of the seed from which workloads are drawn, one for each.
const OPERATION_STREAM: u64 = 1 << 32;

/// A workload as it was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The operations that were asked for.
    pub count: usize,
    /// Those that there are.
    pub kept: Kept,
    /// These, as `Debug` prints them.
    pub operations: Vec<String>,
    /// Whether the last step of each found a value to go to.
    pub(crate) moved: Vec<bool>,
}

impl Sim {
    /// `count` operations, each drawn from the seed by a proptest strategy. When the run fails, those that the failure does
    /// not need are taken away, and the others are made simpler as proptest does.
    ///
    /// Each operation is drawn by itself: one that goes away leaves the others as they are.
    ///
    /// # Panics
    /// If the strategy rejects too many values.
    pub fn workload<S: Strategy>(&self, count: usize, operation: S) -> Vec<S::Value> {
        let number = self.cluster().workloads.len();
        let given = self.planned(|planned| planned.given.as_ref().and_then(|plan| plan.workload.get(number).cloned()));
        let mut kept = given.unwrap_or_else(|| Kept { operations: (0..count).collect(), steps: Vec::new() });
        kept.operations.retain(|operation| *operation < count);
        kept.steps.resize(kept.operations.len(), String::new());
        let mut rng = generator(self.seed(), OPERATION_STREAM + number as u64);
        let seeds: Vec<[u8; 32]> = (0..count).map(|_| rng.random()).collect();
        let mut drawn = Drawn { count, kept, operations: Vec::new(), moved: Vec::new() };
        let mut values = Vec::with_capacity(drawn.kept.operations.len());
        for (number, steps) in drawn.kept.operations.iter().zip(&drawn.kept.steps) {
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seeds[*number]);
            let config = Config { failure_persistence: None, ..Config::default() };
            let tree = operation.new_tree(&mut TestRunner::new_with_rng(config, rng));
            let mut tree = tree.unwrap_or_else(|reason| panic!("no operation can be drawn: {reason}"));
            let step = |_, step| if step == 's' { tree.simplify() } else { tree.complicate() };
            drawn.moved.push(steps.chars().fold(true, step));
            let value = tree.current();
            drawn.operations.push(format!("{value:?}"));
            values.push(value);
        }
        self.cluster().workloads.push(drawn);
        values
    }
}
