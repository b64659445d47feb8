//! The smallest failure: what is left of the faults and of the workload, and that it is the same failure.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use proptest::prelude::*;
use windtunnel::time::{millis, secs, sleep};
use windtunnel_sim::faults::{self, FaultPlan, Kind};
use windtunnel_sim::shrink::{Budget, ddmin};
use windtunnel_sim::{Cause, Failure, Outcome, Scenario, Sim};

proptest! {
    #[test]
    fn what_ddmin_leaves_fails_and_loses_nothing_without_passing(
        items in proptest::collection::vec(0..50_u8, 0..40),
        needed in proptest::collection::vec(proptest::collection::vec(0..50_u8, 1..4), 1..4),
    ) {
        // Fails with all of some choice of items: not monotone in parts, with several minima.
        let fails = |items: &[u8]| needed.iter().any(|all| all.iter().all(|it| items.contains(it)));
        prop_assume!(fails(&items));
        let left = ddmin(items.clone(), fails);
        prop_assert!(fails(&left));
        for gone in 0..left.len() {
            let mut fewer = left.clone();
            fewer.remove(gone);
            prop_assert!(!fails(&fewer), "{:?} of {:?} is not minimal", left, items);
        }
        let mut rest = items.iter();
        prop_assert!(left.iter().all(|it| rest.any(|other| other == it)), "out of order");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put { key: u8, value: u16 },
    Get { key: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_u8, 0..1000_u16).prop_map(|(key, value)| Op::Put { key, value }),
        (0..4_u8).prop_map(|key| Op::Get { key }),
    ]
}

/// What a planted defect looks at: the operation, those before it, and what the fault has done to the node.
struct Scene<'a> {
    sim: &'a Sim,
    node: &'a windtunnel_sim::Node,
    op: &'a Op,
    before: &'a [Op],
    /// Whether the node answers, for a task on it would.
    alive: bool,
}

impl Scene<'_> {
    fn link(&self) -> windtunnel_sim::net::LinkConditions {
        self.sim.link(self.sim.main(), self.node)
    }

    fn puts(&self) -> usize {
        self.before.iter().filter(|op| matches!(op, Op::Put { .. })).count()
    }

    fn big(&self) -> bool {
        matches!(self.op, Op::Put { value, .. } if *value >= 100)
    }

    fn reads_what_was_put(&self) -> bool {
        let Op::Get { key: own } = self.op else { return false };
        self.before.iter().any(|op| matches!(op, Op::Put { key, .. } if key == own))
    }
}

/// Forty operations on a node, one each 50 ms, under up to twenty faults; `wrong` is the planted defect.
async fn forty(sim: Sim, wrong: fn(&Scene<'_>) -> bool) {
    let nodes = sim.nodes("n", 3, |_| std::future::pending());
    let strategy = faults::any().on_ports([7]).healed_by(secs(3)).at_most(20);
    sim.faults(strategy);
    let ops = sim.workload(40, op());
    for (number, op) in ops.iter().enumerate() {
        sleep(millis(50)).await;
        let probe = sim.spawn_on(&nodes[0], "probe", async {});
        sleep(millis(1)).await;
        let scene = Scene { sim: &sim, node: &nodes[0], op, before: &ops[..number], alive: probe.is_finished() };
        assert!(!wrong(&scene), "planted defect at operation {number}");
    }
}

macro_rules! planted {
    ($($name:ident: $wrong:expr;)*) => {
        /// Ten defects that need a fault, some operations, or both.
        static PLANTED: &[Scenario] = &[$(Scenario {
            module: "shrink",
            function: stringify!($name),
            package: "",
            summary: "",
            seeds: 1,
            body: |sim| Box::pin(forty(sim, $wrong)),
        }),*];
    };
}

planted! {
    write_under_partition: |it| it.link().clogged && matches!(it.op, Op::Put { .. });
    big_write_under_partition: |it| it.link().clogged && it.big();
    read_under_partition_after_writes: |it| it.link().clogged && it.reads_what_was_put();
    big_write_on_slow_link: |it| it.link().extra_latency > millis(0) && it.big();
    read_on_lossy_link: |it| it.link().loss > 0.0 && matches!(it.op, Op::Get { .. });
    third_write_under_loss: |it| it.link().loss > 0.0 && it.puts() >= 2 && it.big();
    narrow_link: |it| it.link().bandwidth.is_some() && it.reads_what_was_put();
    dead_node: |it| !it.alive;
    write_to_dead_node: |it| !it.alive && it.big();
    lossy_and_slow: |it| it.link().loss > 0.0 && it.link().extra_latency > millis(0) && it.big();
    no_fault_needed: |it| it.puts() >= 3 && matches!(it.op, Op::Get { key: 0 });
}

/// The first seed that fails with ten faults at least, and so is worth shrinking.
fn failing(scenario: &Scenario) -> Outcome {
    let worth = |outcome: &Outcome| outcome.cause.is_some() && outcome.plan.faults.len() >= 10;
    (0..5000).map(|seed| scenario.run(seed)).find(worth).unwrap_or_else(|| panic!("{} never fails", scenario.function))
}

/// One test at a time: each is written to a file of its own, but searches are timed.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn smallest(scenario: &Scenario, outcome: Outcome, budget: &Budget) -> Failure {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Failure::smallest(scenario, outcome, &AtomicBool::new(false), budget).expect("it fails")
}

fn without_digits(outcome: &Outcome) -> (String, String) {
    let Some(Cause::Panic { message, at }) = &outcome.cause else { panic!("{:?}", outcome.cause) };
    (message.replace(|c: char| c.is_ascii_digit(), ""), at.clone())
}

#[test]
fn planted_failures_shrink_to_two_faults_and_five_operations_and_replay_from_their_file() {
    println!("{:36} {:>6} {:>9} {:>12} {:>6} {:>8}", "defect", "seed", "faults", "operations", "runs", "ms");
    for scenario in PLANTED {
        let whole = failing(scenario);
        let started = Instant::now();
        let failure = smallest(scenario, whole.clone(), &Budget::default());
        let small = failure.smallest.as_ref().expect("it was shrunk");
        let ((faults, of_faults), (operations, of_operations)) = (small.faults, small.operations);
        println!(
            "{:36} {:>6} {:>9} {:>12} {:>6} {:>8}",
            scenario.function,
            whole.seed,
            format!("{faults} of {of_faults}"),
            format!("{operations} of {of_operations}"),
            small.runs,
            started.elapsed().as_millis()
        );
        assert!((10..=20).contains(&of_faults) && of_operations == 40 && !small.spent, "{small:?}");
        assert!(faults <= 2 && operations <= 5, "\n{failure}");
        assert_eq!(without_digits(&failure.outcome), without_digits(&whole));
        assert_eq!(failure.divergence, None);
        let plan = FaultPlan::read(small.file.as_ref().expect("it was written")).expect("it is a plan");
        plan.is_for(&scenario.name(), Some(whole.seed)).expect("it is for this run");
        let again = scenario.run_with(whole.seed, plan);
        assert_eq!((again.cause, again.trace), (failure.outcome.cause, failure.outcome.trace));
    }
}

#[test]
fn a_failure_that_needs_no_fault_and_no_value_has_none_left() {
    let scenario = PLANTED.iter().find(|it| it.function == "no_fault_needed").unwrap();
    let failure = smallest(scenario, failing(scenario), &Budget::default());
    assert_eq!(failure.smallest.as_ref().unwrap().faults.0, 0);
    assert_eq!(
        failure.outcome.workloads[0].operations,
        vec!["Put { key: 0, value: 0 }", "Put { key: 0, value: 0 }", "Put { key: 0, value: 0 }", "Get { key: 0 }"]
    );
}

#[test]
fn a_spell_is_as_short_as_the_failure_lets_it_be() {
    let scenario = PLANTED.iter().find(|it| it.function == "write_under_partition").unwrap();
    let whole = failing(scenario);
    let failure = smallest(scenario, whole.clone(), &Budget::default());
    let [fault] = &failure.outcome.plan.faults[..] else { panic!("\n{failure}") };
    // The operation that is left comes after 51 ms.
    let (at, until) = (fault.at, fault.until.unwrap());
    assert!((at..until).contains(&millis(51)) && until <= at + millis(2), "{fault}");
    for (at, until) in [(millis(1), millis(51)), (millis(52), millis(90))] {
        let mut elsewhere = failure.outcome.plan.clone();
        (elsewhere.faults[0].at, elsewhere.faults[0].until) = (at, Some(until));
        assert_eq!(scenario.run_with(whole.seed, elsewhere).cause, None);
    }
}

#[test]
fn another_failure_on_the_way_is_not_taken_for_this_one() {
    // Without its faults the run fails too, but elsewhere and of something else.
    static OTHER: Scenario = Scenario {
        module: "shrink",
        function: "other",
        package: "",
        summary: "",
        seeds: 1,
        body: |sim| {
            Box::pin(async move {
                let nodes = sim.nodes("n", 3, |_| std::future::pending());
                sim.faults(faults::any().only([Kind::Latency]).on(&nodes).healed_by(secs(3)));
                sleep(secs(4)).await;
                let ops = sim.workload(8, 0..100_u8);
                assert!(ops.len() >= 5, "too few operations: {}", ops.len());
                panic!("with {} operations", ops.len());
            })
        },
    };
    let failure = smallest(&OTHER, OTHER.run(1), &Budget::default());
    assert_eq!(without_digits(&failure.outcome).0, "with  operations");
    assert_eq!(failure.outcome.workloads[0].operations, ["0", "0", "0", "0", "0"]);
}

#[test]
fn what_a_simpler_value_makes_needless_goes_as_well() {
    // A value below 500 fails by itself; others from the third on, under loss. None is below 500 until one is made simpler.
    static CHAIN: Scenario = Scenario {
        module: "shrink",
        function: "chain",
        package: "",
        summary: "",
        seeds: 1,
        body: |sim| {
            Box::pin(async move {
                let nodes = sim.nodes("n", 3, |_| std::future::pending());
                sim.faults(faults::any().healed_by(secs(3)));
                for (number, value) in sim.workload(20, 400..1000_u16).into_iter().enumerate() {
                    sleep(millis(50)).await;
                    let loss = sim.link(sim.main(), &nodes[0]).loss > 0.0;
                    assert!(value >= 500 && !(loss && number >= 2), "planted defect at operation {number}");
                }
            })
        },
    };
    let is_chain = |outcome: &Outcome| {
        let values = &outcome.workloads[0].operations;
        outcome.cause.is_some() && values.iter().all(|value| value.parse::<u16>().unwrap() >= 500)
    };
    let whole = (0..5000).map(|seed| CHAIN.run(seed)).find(is_chain).expect("some seed has no value below 500");
    let small = smallest(&CHAIN, whole, &Budget::default()).smallest.unwrap();
    assert_eq!((small.faults.0, small.operations.0), (0, 1));
}

#[test]
fn the_search_keeps_to_its_budget_and_says_so() {
    let scenario = PLANTED.iter().find(|it| it.function == "dead_node").unwrap();
    let whole = failing(scenario);
    for budget in [Budget { runs: 3, ..Budget::default() }, Budget { time: Duration::ZERO, ..Budget::default() }] {
        let failure = smallest(scenario, whole.clone(), &budget);
        let small = failure.smallest.as_ref().unwrap();
        assert!(small.spent && small.runs <= 3, "{small:?}");
        let said = failure.to_string();
        assert!(said.contains("the search was stopped after") && said.contains(" of 40 needed"), "{said}");
    }
}

#[test]
fn the_report_of_a_shrunken_failure() {
    let scenario = PLANTED.iter().find(|it| it.function == "lossy_and_slow").unwrap();
    let mut failure = smallest(scenario, failing(scenario), &Budget::default());
    failure.show_real_time = false;
    assert_snapshot!(failure);
}
