//! Faults as data: each kind does what it says and ends when it says; plans are drawn, written, read, refused and obeyed.

use std::collections::HashSet;
use std::mem::discriminant;
use std::time::Duration;

use proptest::prelude::*;
use windtunnel::engine::now;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use windtunnel::time::{self, Instant, millis, secs, sleep};
use windtunnel_sim::faults::{self, Deed, Fault, FaultKind, FaultPlan, Kept, Kind};
use windtunnel_sim::{Cause, Node, Scenario, Sim, simulate};

/// Runs `body` with one fault, of `kind`, from 1 s to 2 s; an instant one without an end.
fn under<F: Future<Output = ()> + Send + 'static>(kind: FaultKind, body: fn(Sim, Vec<Node>) -> F) {
    let instant = matches!(kind, FaultKind::Restart { .. } | FaultKind::ClockJump { .. });
    let fault = Fault::new(secs(1), (!instant).then_some(secs(2)), kind);
    for seed in 0..8 {
        let fault = fault.clone();
        let (outcome, _) = simulate(seed, move |sim| async move {
            let nodes = sim.nodes("n", 2, serve);
            sim.faults(FaultPlan::from(vec![fault]));
            body(sim, nodes).await;
        });
        assert_eq!(outcome.cause, None, "seed {seed}");
        assert_eq!(outcome.faults.iter().filter(|it| matches!(it.deed, Deed::Began(_))).count(), 1);
    }
}

/// Answers each byte over TCP, and each datagram twice-countable over UDP.
async fn serve(node: Node) {
    let udp = UdpSocket::bind(node.addr(7)).await.unwrap();
    windtunnel::spawn(async move {
        let mut byte = [0; 1];
        while let Ok((_, from)) = udp.recv_from(&mut byte).await {
            udp.send_to(&byte, from).await.unwrap();
        }
    });
    let listener = TcpListener::bind(node.addr(7)).await.unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        windtunnel::spawn(async move {
            let mut byte = [0; 1];
            while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
        });
    }
}

/// How long `node` takes to answer a byte on a new connection; `None` beyond 400 ms.
async fn answers(node: &Node) -> Option<Duration> {
    let started = Instant::now();
    let ask = async {
        let mut stream = TcpStream::connect(node.addr(7)).await.ok()?;
        stream.write_all(&[1]).await.ok()?;
        stream.read_exact(&mut [0]).await.ok()
    };
    time::timeout(millis(400), ask).await.ok().flatten().map(|_| started.elapsed())
}

/// Datagrams that come back of 20 sent.
async fn echoes(node: &Node, from: &Node) -> usize {
    let socket = UdpSocket::bind(from.addr(0)).await.unwrap();
    for _ in 0..20 {
        socket.send_to(&[1], node.addr(7)).await.unwrap();
    }
    let mut count = 0;
    while time::timeout(millis(100), socket.recv_from(&mut [0])).await.is_ok() {
        count += 1;
    }
    count
}

async fn at(moment: Duration) {
    sleep(moment.saturating_sub(now())).await;
}

fn name(node: &str) -> String {
    node.into()
}

/// From the scenario's node to n1.
fn way() -> (Option<String>, Option<String>) {
    (Some(name("main")), Some(name("n1")))
}

/// During the fault n1 does not answer and n2 does; before and after both do.
async fn n1_is_cut_off(_: Sim, nodes: Vec<Node>) {
    for (moment, answers_then) in [(500, true), (1200, false), (2100, true)] {
        at(millis(moment)).await;
        assert_eq!(answers(&nodes[0]).await.is_some(), answers_then, "n1 after {moment} ms");
        assert!(answers(&nodes[1]).await.is_some(), "n2 after {moment} ms");
    }
}

#[test]
fn a_partition_cuts_the_groups_off_until_its_end() {
    under(
        FaultKind::Partition { one: vec![name("n1")], other: vec![name("main"), name("n2")], one_way: false },
        n1_is_cut_off,
    );
}

#[test]
fn a_one_way_partition_cuts_one_way_only() {
    under(
        FaultKind::Partition { one: vec![name("n1")], other: vec![name("main")], one_way: true },
        |sim, nodes| async move {
            at(millis(1100)).await;
            assert!(sim.link(&nodes[0], sim.main()).clogged && !sim.link(sim.main(), &nodes[0]).clogged);
            assert_eq!(answers(&nodes[0]).await, None);
        },
    );
}

#[test]
fn a_clogged_link_loses_everything_until_its_end() {
    let (from, to) = way();
    under(FaultKind::Clog { from, to }, n1_is_cut_off);
}

#[test]
fn latency_is_added_to_one_link_until_its_end() {
    let (from, to) = way();
    under(FaultKind::Latency { from, to, extra: millis(100) }, |_, nodes| async move {
        for (moment, slow) in [(500, false), (1200, true), (2100, false)] {
            at(millis(moment)).await;
            assert_eq!(answers(&nodes[0]).await.unwrap() >= millis(200), slow, "n1 after {moment} ms");
            assert!(answers(&nodes[1]).await.unwrap() < millis(100), "n2 after {moment} ms");
        }
    });
}

#[test]
fn loss_on_every_link_takes_its_share_until_its_end() {
    under(FaultKind::Loss { from: None, to: None, share: 0.5 }, |sim, nodes| async move {
        for (moment, few) in [(500, false), (1200, true), (2100, false)] {
            at(millis(moment)).await;
            assert_eq!(echoes(&nodes[0], sim.main()).await < 20, few, "after {moment} ms");
        }
    });
}

#[test]
fn duplication_doubles_its_share_until_its_end() {
    let (from, to) = way();
    under(FaultKind::Duplication { from, to, share: 1.0 }, |sim, nodes| async move {
        for (moment, count) in [(500, 20), (1200, 40), (2100, 20)] {
            at(millis(moment)).await;
            assert_eq!(echoes(&nodes[0], sim.main()).await, count, "after {moment} ms");
        }
    });
}

#[test]
fn bandwidth_makes_packets_queue_until_its_end() {
    let (from, to) = way();
    under(FaultKind::Bandwidth { from, to, bytes_per_second: 1000 }, |_, nodes| async move {
        for (moment, slow) in [(500, false), (1200, true), (2100, false)] {
            at(millis(moment)).await;
            assert_eq!(answers(&nodes[0]).await.unwrap() >= millis(80), slow, "after {moment} ms");
        }
    });
}

#[test]
fn a_killed_node_runs_again_at_the_end() {
    under(FaultKind::Kill { node: name("n1") }, n1_is_cut_off);
}

#[test]
fn a_kill_without_an_end_is_for_good() {
    let plan = FaultPlan::from(vec![Fault::new(millis(5), None, FaultKind::Kill { node: name("n1") })]);
    let (outcome, _) = simulate(1, move |sim| async move {
        let nodes = sim.nodes("n", 1, serve);
        sim.faults(plan);
        at(secs(60)).await;
        assert_eq!(answers(&nodes[0]).await, None);
    });
    assert_eq!(outcome.cause, None);
}

#[test]
fn a_restart_ends_connections_and_the_node_runs_again() {
    under(FaultKind::Restart { node: name("n1") }, |_, nodes| async move {
        let mut stream = TcpStream::connect(nodes[0].addr(7)).await.unwrap();
        at(millis(1100)).await;
        stream.write_all(&[1]).await.unwrap();
        assert!(stream.read_exact(&mut [0]).await.is_err(), "the connection outlived a restart");
        assert!(answers(&nodes[0]).await.is_some());
    });
}

#[test]
fn a_paused_node_does_nothing_and_goes_on_at_the_end() {
    under(FaultKind::Pause { node: name("n1") }, |_, nodes| async move {
        let mut stream = TcpStream::connect(nodes[0].addr(7)).await.unwrap();
        at(millis(1100)).await;
        stream.write_all(&[1]).await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        let answered = now();
        assert!(answered >= secs(2) && answered < millis(2100), "answered at {answered:?}");
    });
}

#[test]
fn a_slow_node_takes_its_factor_for_each_poll_until_the_end() {
    // 2,000 × 10 µs a poll.
    under(FaultKind::Slowness { node: name("n1"), factor: 2000 }, |sim, nodes| async move {
        for (moment, slow) in [(500, false), (1100, true), (2100, false)] {
            at(millis(moment)).await;
            let turns = |node| async move {
                let started = Instant::now();
                for _ in 0..5 {
                    windtunnel::task::yield_now().await;
                }
                let _: &str = node;
                started.elapsed()
            };
            let one = sim.spawn_on(&nodes[0], "one", turns("n1"));
            let two = sim.spawn_on(&nodes[0], "two", turns("n1"));
            let other = sim.spawn_on(&nodes[1], "other", turns("n2"));
            let (one, two, other) = (one.await.unwrap(), two.await.unwrap(), other.await.unwrap());
            // The two take turns: ten polls of 20 ms for five of each.
            assert_eq!(one >= millis(180) && two >= millis(180), slow, "after {moment} ms: {one:?} and {two:?}");
            assert!(slow || one < millis(1));
            assert!(other < millis(1), "the other node is slow too: {other:?}");
        }
    });
}

/// How far the wall clock of `node` is ahead of the scenario's own, in milliseconds.
async fn ahead(sim: &Sim, node: &Node) -> i128 {
    let theirs = sim.spawn_on(node, "clock", async { time::system_now() }).await.unwrap();
    let ours = time::system_now();
    let millis = |duration: Duration| i128::try_from(duration.as_millis()).unwrap();
    theirs.duration_since(ours).map_or_else(|error| -millis(error.duration()), millis)
}

#[test]
fn a_clock_jumps_on_its_node_only_and_time_does_not() {
    under(FaultKind::ClockJump { node: name("n1"), by: secs(5), back: true }, |sim, nodes| async move {
        assert_eq!(ahead(&sim, &nodes[0]).await, 0);
        let before = Instant::now();
        at(millis(1500)).await;
        assert!(before.elapsed() < millis(1501));
        assert_eq!((ahead(&sim, &nodes[0]).await, ahead(&sim, &nodes[1]).await), (-5000, 0));
    });
}

#[test]
fn a_skewed_clock_gains_until_the_end_and_keeps_it() {
    under(FaultKind::ClockSkew { node: name("n1"), ppm: 100_000 }, |sim, nodes| async move {
        at(millis(1500)).await;
        assert!((49..=50).contains(&ahead(&sim, &nodes[0]).await));
        at(millis(5000)).await;
        assert!((99..=100).contains(&ahead(&sim, &nodes[0]).await));
    });
}

#[test]
fn a_port_refuses_until_the_end() {
    under(FaultKind::Refuse { node: name("n1"), port: 7 }, n1_is_cut_off);
}

#[test]
fn lookups_of_a_name_fail_until_the_end() {
    under(FaultKind::FailLookups { name: name("n1") }, |_, _| async {
        for (moment, found) in [(500, true), (1200, false), (2100, true)] {
            at(millis(moment)).await;
            assert_eq!(lookup_host("n1:7").await.is_ok(), found, "after {moment} ms");
            assert!(lookup_host("n2:7").await.is_ok());
        }
    });
}

#[test]
fn faults_that_meet_on_a_link_leave_it_as_it_was() {
    let (from, to) = way();
    let latency = FaultKind::Latency { from, to, extra: millis(30) };
    let loss = FaultKind::Loss { from: None, to: None, share: 0.25 };
    let plan = vec![Fault::new(millis(10), millis(30), latency), Fault::new(millis(20), millis(40), loss)];
    let (outcome, _) = simulate(1, move |sim| async move {
        let nodes = sim.nodes("n", 1, serve);
        let before = sim.link(sim.main(), &nodes[0]);
        sim.faults(FaultPlan::from(plan));
        at(millis(25)).await;
        let both = sim.link(sim.main(), &nodes[0]);
        assert_eq!((both.extra_latency, both.loss), (millis(30), 0.25));
        at(millis(50)).await;
        assert_eq!(sim.link(sim.main(), &nodes[0]), before);
    });
    assert_eq!(outcome.cause, None);
}

/// Draws from `strategy`, three nodes being there.
fn drawn(seed: u64, strategy: impl Fn(&[Node]) -> faults::Strategy + Send + 'static) -> Vec<Fault> {
    let (outcome, _) = simulate(seed, move |sim| async move {
        let nodes = sim.nodes("n", 5, |_| std::future::pending());
        sim.faults(strategy(&nodes));
        sleep(secs(31)).await;
        for node in &nodes {
            assert!(!sim.link(sim.main(), node).clogged && !sim.link(node, sim.main()).clogged, "{node:?} is cut off");
            assert!(sim.spawn_on(node, "alive", async {}).await.is_ok(), "{node:?} is dead");
        }
    });
    assert_eq!(outcome.cause, None, "seed {seed}");
    outcome.plan.faults
}

#[test]
fn every_plan_heals_by_its_moment_and_each_seed_has_some_of_the_kinds() {
    let plans: Vec<Vec<Fault>> = (0..60).map(|seed| drawn(seed, |_| faults::any().on_ports([7]))).collect();
    let kinds = |plan: &[Fault]| plan.iter().map(|fault| discriminant(&fault.kind)).collect::<HashSet<_>>();
    assert_eq!(kinds(&plans.concat()).len(), Kind::ALL.len(), "every kind is drawn by some seed");
    assert!(plans.iter().all(|plan| kinds(plan).len() < Kind::ALL.len()), "no seed has every kind");
    assert!(
        plans.iter().any(|plan| plan.len() > 8 && kinds(plan).len() < 5),
        "some seeds have many faults of few kinds"
    );
    assert!(plans.concat().iter().all(|fault| fault.until.unwrap_or(fault.at) < secs(30)));
}

#[test]
fn a_minority_is_the_same_for_all_faults_of_a_seed() {
    let kinds = [Kind::Kill, Kind::Restart, Kind::Pause, Kind::Slowness];
    let mut most = 0;
    for seed in 0..30 {
        let plan = drawn(seed, move |nodes| faults::any().on_minority_of(nodes).only(kinds));
        let mut nodes: Vec<String> = plan.iter().map(|fault| format!("{:?}", node_of(fault))).collect();
        nodes.sort();
        nodes.dedup();
        assert!(nodes.len() <= 2, "seed {seed}: {nodes:?}");
        most = most.max(nodes.len());
    }
    assert_eq!(most, 2);
}

fn node_of(fault: &Fault) -> &str {
    match &fault.kind {
        FaultKind::Kill { node }
        | FaultKind::Restart { node }
        | FaultKind::Pause { node }
        | FaultKind::Slowness { node, .. } => node,
        other => panic!("{other} was not to be drawn"),
    }
}

#[test]
fn no_faults_and_no_nodes_give_an_empty_plan() {
    assert_eq!(drawn(1, |_| faults::none()), vec![]);
    assert_eq!(drawn(1, |nodes| faults::any().on_minority_of(&nodes[..2])), vec![]);
    assert_eq!(drawn(1, |_| faults::any().only([])), vec![]);
    assert_eq!(drawn(1, |_| faults::any().only([Kind::Refuse])), vec![]);
}

static TROUBLED: Scenario = Scenario {
    module: "plans",
    function: "troubled",
    package: "",
    summary: "",
    seeds: 1,
    body: |sim| {
        Box::pin(async move {
            let nodes = sim.nodes("n", 3, serve);
            sim.faults(faults::any().healed_by(secs(3)));
            for node in nodes.iter().cycle().take(12) {
                let _ = answers(node).await;
                sleep(millis(100)).await;
            }
        })
    },
};

#[test]
fn a_seed_with_its_own_plan_is_the_same_run_and_with_another_it_is_not() {
    for seed in 0..20 {
        let first = TROUBLED.run(seed);
        assert_eq!(first.trace, TROUBLED.run(seed).trace);
        let read = FaultPlan::from_json(&first.plan.to_json(), "plan.json").unwrap();
        let second = TROUBLED.run_with(seed, read);
        assert_eq!((first.trace, &first.faults), (second.trace, &second.faults), "seed {seed}");
        if !first.faults.is_empty() {
            let third = TROUBLED.run_with(seed, FaultPlan::default());
            assert!(third.trace != first.trace && third.faults.is_empty());
        }
    }
}

#[test]
fn what_makes_no_progress_after_the_heal_is_a_failure_that_shows_where_it_waits() {
    static STUCK: Scenario = Scenario {
        body: |sim| {
            Box::pin(async move {
                let nodes = sim.nodes("n", 1, serve);
                let healed = Fault::new(secs(1), secs(4), FaultKind::Pause { node: nodes[0].name().into() });
                sim.faults(FaultPlan::from(vec![healed]));
                sim.progress_within(millis(500), sleep(millis(4200))).await;
                let (_open, input) = windtunnel::channel::named::<u8>("never", 0);
                sim.progress_within(secs(2), input.recv()).await;
            })
        },
        ..TROUBLED
    };
    let outcome = STUCK.run(1);
    let Some(Cause::Panic { message, at }) = outcome.cause else { panic!("{:?}", outcome.cause) };
    assert_eq!(message, "no progress within 2s after the heal");
    assert!(at.starts_with("tests/it/plans.rs:"), "{at}");
    assert!(outcome.simulated >= millis(6200) && outcome.simulated < millis(6201), "{:?}", outcome.simulated);
    assert!(outcome.tasks.iter().any(|task| task.wait == "channel recv (never)"), "{:?}", outcome.tasks);
}

#[test]
fn a_bad_plan_is_refused_in_one_line_that_says_where_and_how_to_mend_it() {
    let fault = |fault: &str| format!("{{\n\"version\": 1,\n\"faults\": [\n{fault}\n]}}");
    let kill = r#"{"at": "1s", "until": "3s", "kind": "kill", "node": "n1"}"#;
    let cases = [
        (fault(r#"{"at": "-1s", "kind": "restart", "node": "n1"}"#), "plan.json:4: `at`: `-1s` is negative"),
        (
            fault(r#"{"at": "1 parsec", "kind": "restart", "node": "n1"}"#),
            "plan.json:4: `at`: `1 parsec` is not a duration",
        ),
        (fault(r#"{"at": 1, "kind": "restart", "node": "n1"}"#), "plan.json:4: `at` is 1: write a text"),
        (fault(r#"{"kind": "restart", "node": "n1"}"#), "plan.json:4: `at` is missing"),
        (
            fault(r#"{"at": "3s", "until": "2s", "kind": "kill", "node": "n1"}"#),
            "plan.json:4: `3.000 s kill n1 until 2.000 s` ends before",
        ),
        (
            fault(&format!("{kill},\n{kill}")),
            "plan.json:5: `1.000 s kill n1 until 3.000 s` overlaps with line 4 in the power of n1",
        ),
        (
            fault(
                r#"{"at": "1s", "until": "3s", "kind": "partition", "one": ["n1"], "other": ["n2"]},
                {"at": "2s", "until": "4s", "kind": "partition", "one": ["n3", "n2"], "other": ["n1"]}"#,
            ),
            "overlaps with line 4 in the links of",
        ),
        (fault(r#"{"at": "1s", "kind": "partition", "one": ["n1"], "other": ["n1"]}"#), "has `n1` on both sides"),
        (fault(r#"{"at": "1s", "kind": "partition", "one": ["n1"], "other": []}"#), "has an empty side"),
        (fault(r#"{"at": "1s", "kind": "loss", "share": 1.5}"#), "write a number from 0 to 1"),
        (fault(r#"{"at": "1s", "kind": "clog", "from": "n1"}"#), "give `from` and `to`"),
        (fault(r#"{"at": "1s", "kind": "bandwidth", "bytes_per_second": 0}"#), "above 0"),
        (fault(r#"{"at": "1s", "kind": "slowness", "node": "n1", "factor": 0}"#), "write 1 or more"),
        (fault(r#"{"at": "1s", "until": "2s", "kind": "restart", "node": "n1"}"#), "leave `until` away"),
        (fault(r#"{"at": "1s", "kind": "meteor", "node": "n1"}"#), "unknown variant `meteor`"),
        (fault(r#"{"at": "1s", "kind": "kill", "node": "n1", "why": 1}"#), "plan.json:4: unknown field `why`"),
        ("{\"version\": 1,\n\"fualts\": []}".into(), "plan.json:2: unknown field `fualts`"),
        ("{\"version\": 2}".into(), "plan.json: is of version 2 and not 1"),
        ("{\"faults\": []}".into(), "`version` is missing"),
        ("{\"version\": 1,\n\"faults\": [".into(), "plan.json:2: EOF while parsing a list: the file ends too early"),
        ("garbage\n\u{7}".into(), "plan.json:1: expected value"),
        (String::new(), "the file ends too early"),
    ];
    for (text, expected) in cases {
        let error = FaultPlan::from_json(&text, "plan.json").expect_err(&text).to_string();
        assert!(error.contains(expected) && error.starts_with("plan.json:") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_plan_that_does_not_fit_the_cluster_is_refused_and_the_nearest_name_suggested() {
    static CALM: Scenario = Scenario { body: |_| Box::pin(sleep(secs(1))), ..TROUBLED };
    let refused = |fault: &str| {
        let text = format!("{{\"version\": 1, \"faults\": [\n{fault}]}}");
        let outcome = TROUBLED.run_with(1, FaultPlan::from_json(&text, "plan.json").unwrap());
        outcome.refused.expect(&text).to_string()
    };
    let error = refused(r#"{"at": "1s", "kind": "restart", "node": "nn2"}"#);
    assert!(
        error.starts_with("plan.json:2: ") && error.ends_with("there is no node `nn2`: did you mean `n2`?"),
        "{error}"
    );
    let error = refused(r#"{"at": "1s", "kind": "restart", "node": "main"}"#);
    assert!(error.contains("`main` runs the scenario itself"), "{error}");
    let error = refused(r#"{"at": "1s", "kind": "clog"}, {"at": "2s", "kind": "clog"}"#);
    assert!(error.contains("overlaps with line 2 in the links of main to n1"), "{error}");
    let plan = vec![Fault::new(secs(1), None, FaultKind::Restart { node: name("n1") })];
    let error = CALM.run_with(1, plan.into()).refused.unwrap().to_string();
    assert!(error.contains("the scenario ended without `sim.faults(…)`"), "{error}");
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![(0..10_000_u64).prop_map(millis), (0..1_u64 << 62).prop_map(Duration::from_nanos)]
}

fn kinds() -> impl Strategy<Value = FaultKind> {
    let node = || "[a-z\"\\\\é]{1,5}";
    let link = || proptest::option::of((node(), node())).prop_map(Option::unzip);
    let sides = || proptest::collection::vec(node(), 1..3);
    prop_oneof![
        (sides(), sides(), any::<bool>()).prop_map(|(one, other, one_way)| FaultKind::Partition {
            one,
            other,
            one_way
        }),
        link().prop_map(|(from, to)| FaultKind::Clog { from, to }),
        (link(), durations()).prop_map(|((from, to), extra)| FaultKind::Latency { from, to, extra }),
        (link(), 0.0..1.0).prop_map(|((from, to), share)| FaultKind::Loss { from, to, share }),
        (link(), 0.0..1.0).prop_map(|((from, to), share)| FaultKind::Duplication { from, to, share }),
        (link(), 1..u64::MAX).prop_map(|((from, to), bytes_per_second)| FaultKind::Bandwidth {
            from,
            to,
            bytes_per_second
        }),
        node().prop_map(|node| FaultKind::Kill { node }),
        node().prop_map(|node| FaultKind::Restart { node }),
        node().prop_map(|node| FaultKind::Pause { node }),
        (node(), 1..u32::MAX).prop_map(|(node, factor)| FaultKind::Slowness { node, factor }),
        (node(), any::<i32>()).prop_map(|(node, ppm)| FaultKind::ClockSkew { node, ppm }),
        (node(), durations(), any::<bool>()).prop_map(|(node, by, back)| FaultKind::ClockJump { node, by, back }),
        (node(), any::<u16>()).prop_map(|(node, port)| FaultKind::Refuse { node, port }),
        node().prop_map(|name| FaultKind::FailLookups { name }),
    ]
}

proptest! {
    #[test]
    fn a_plan_comes_back_from_its_file_as_it_was(
        at in durations(),
        spell in proptest::option::of(durations()),
        kind in kinds(),
        seed in proptest::option::of(any::<u64>()),
        operations in proptest::collection::vec((any::<usize>(), "[sc]{0,5}"), 0..3),
    ) {
        let (operations, steps) = operations.into_iter().unzip();
        let until = spell.and_then(|spell| at.checked_add(spell));
        let mut plan = FaultPlan::from(vec![Fault::new(at, until, kind)]);
        plan.scenario = Some("a::b".into());
        plan.seed = seed;
        plan.workload = vec![Kept { operations, steps }];
        match FaultPlan::from_json(&plan.to_json(), "plan.json") {
            Ok(read) => {
                prop_assert_eq!(&read.faults, &plan.faults);
                prop_assert_eq!((&read.scenario, read.seed), (&plan.scenario, plan.seed));
                prop_assert_eq!(&read.workload, &plan.workload);
            }
            // A plan that makes no sense is refused for that, and not for its form.
            Err(error) => {
                let said = error.to_string();
                let senseless = ["ends before it has begun", "leave `until` away", "on both sides", "to itself"];
                prop_assert!(senseless.iter().any(|what| said.contains(what)), "{}", said);
            }
        }
    }
}
