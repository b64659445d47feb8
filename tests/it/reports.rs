//! Every report a person reads, word for word.

use insta::assert_snapshot;
use tracing::Instrument;
use windtunnel::net::TcpStream;
use windtunnel::task::spawn_named;
use windtunnel::{channel, go, spawn, time};
use windtunnel_model::{Builder, Report};
use windtunnel_sim::{Failure, Scenario, scenarios};

fn check<F: Future<Output = ()> + 'static>(name: &str, body: fn() -> F) -> Report {
    Builder::new().max_steps(200).check(name, body)
}

#[test]
fn a_complete_model() {
    assert_snapshot!(check("complete", || async {
        let (values, input) = channel::named("values", 0);
        spawn_named("sender", async move { values.send(1).await.unwrap() });
        assert_eq!(input.recv().await, Some(1));
    }));
}

#[test]
fn no_progress() {
    assert_snapshot!(check("no progress", || async {
        let (_values, input) = channel::named::<u8>("values", 1);
        while input.try_recv().is_err() {}
    }));
}

#[test]
fn too_many_tasks() {
    assert_snapshot!(check("too many", || async {
        for _ in 0..7 {
            spawn(async {});
        }
    }));
}

#[test]
fn deadlock_in_a_select() {
    assert_snapshot!(check("select", || async {
        let (a, b) = (go::named::<u8>("a", 0), go::named::<u8>("b", 0));
        windtunnel::select! {
            _ = a.recv() => {}
            _ = b.send(1) => {}
        }
    }));
}

/// Fails at once, under faults, with tasks blocked.
static FAILING: Scenario = Scenario {
    module: "reports",
    function: "failing",
    package: "",
    summary: "",
    seeds: 1,
    body: |sim| {
        Box::pin(async move {
            let nodes = sim.nodes("n", 3, |node| async move {
                let listener = windtunnel::net::TcpListener::bind(node.addr(80)).await.unwrap();
                loop {
                    drop(listener.accept().await);
                }
            });
            time::sleep(time::secs(1)).await;
            sim.partition(&[&nodes[1]], &[&nodes[0], &nodes[2]]);
            sim.slow_link(&nodes[0], sim.main(), time::millis(20));
            sim.kill(&nodes[0]);
            time::sleep(time::millis(203)).await;
            assert!(TcpStream::connect(nodes[0].addr(80)).await.is_ok(), "n1 does not answer");
        })
    },
};

static DEADLOCKED: Scenario = Scenario {
    function: "deadlocked",
    body: |_| {
        Box::pin(async {
            let (values, input) = channel::named::<u8>("values", 0);
            let waiting = spawn_named("reader", async move { input.recv().await });
            let _open = values;
            waiting.await.unwrap();
        })
    },
    ..FAILING
};

fn simulated_report(scenario: &Scenario) -> Failure {
    let mut failure = Failure::examine(scenario, scenario.run(8412)).expect("it fails");
    failure.show_real_time = false;
    failure.position = Some((113, 256));
    failure
}

#[test]
fn a_failing_seed() {
    assert_snapshot!(simulated_report(&FAILING));
}

#[test]
fn a_deadlocked_seed() {
    assert_snapshot!(simulated_report(&DEADLOCKED));
}

#[test]
fn a_seeded_trace() {
    let scenario = scenarios().into_iter().find(|it| it.function == "a_dead_server_is_done_without").unwrap();
    let lines: Vec<String> = scenario.run_traced(1).lines.iter().map(ToString::to_string).collect();
    assert_snapshot!(lines.join("\n"));
}

static SPEAKING: Scenario = Scenario {
    function: "speaking",
    body: |sim| {
        Box::pin(async move {
            let _nodes = [1, 2].map(|id| sim.node(format!("n{id}"), move |_| speaks(id)));
            time::sleep(time::millis(50)).await;
        })
    },
    ..FAILING
};

async fn speaks(id: u64) {
    let span = tracing::info_span!("request", id, size = tracing::field::Empty);
    let handle = async {
        tracing::info!(attempt = 1, "begins");
        time::sleep(time::millis(10)).await;
        tracing::Span::current().record("size", 3);
        async { tracing::warn!("half done") }.instrument(tracing::debug_span!("inner")).await;
        time::sleep(time::millis(10)).await;
    };
    handle.instrument(span).await;
    tracing::info!("is outside");
}

#[test]
fn a_trace_names_the_spans_of_each_task() {
    let said = || -> Vec<String> {
        let lines = SPEAKING.run_traced(1).lines.into_iter().filter(|line| line.level <= tracing::Level::DEBUG);
        lines.map(|line| line.to_string()).collect()
    };
    let lines = said();
    assert_eq!(lines, said());
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_dump_of_a_live_process() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dump = runtime.block_on(async {
        let values = go::named("values", 0);
        for _ in 0..100 {
            let values = values.clone();
            spawn_named("planted leak", async move { values.send(1).await });
        }
        spawn(std::future::pending::<()>());
        spawn(async { time::sleep(time::secs(100)).await });
        // tokio polls some sixty tasks before it looks at this one again.
        for _ in 0..10 {
            windtunnel::task::yield_now().await;
        }
        windtunnel::task::dump()
    });
    let mut groups =
        dump.groups.into_iter().filter(|group| group.tasks[0].spawned_at.unwrap().file().ends_with("reports.rs"));
    let top = groups.next().unwrap();
    assert_eq!(top.tasks.len(), 100, "the leak is at the top");
    let rest = groups.flat_map(|group| group.tasks);
    assert_snapshot!(windtunnel::task::Dump::new(top.tasks.into_iter().chain(rest).collect()));
}
