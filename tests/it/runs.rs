//! Runs do not disturb each other: objects know theirs, failures end only theirs, and a cluster drops all it had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use windtunnel::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use windtunnel::{channel, go, spawn, time};
use windtunnel_model::{Builder, FailureKind};
use windtunnel_sim::{Cause, Scenario, Sim, Sweep};

fn scenario(body: fn(Sim) -> windtunnel_sim::Body) -> Scenario {
    Scenario { module: "runs", function: "body", package: "", summary: "", seeds: 8, body }
}

#[test]
fn an_object_used_in_another_run_panics_and_names_both() {
    let values = go::channel::<u8>(1);
    let report = Builder::new().check("foreign object", move || {
        let values = values.clone();
        async move { assert_eq!(values.recv().await, None) }
    });
    match report.failure.map(|failure| failure.kind) {
        Some(FailureKind::Panic { message, .. }) => {
            assert!(message.contains("belongs to tokio and was used in model execution"), "{message}");
        }
        other => panic!("expected a panic, got {other:?}"),
    }
}

#[test]
fn failing_models_and_simulations_leave_the_process_and_other_runtimes_alone() {
    let failing = || async {
        let (_values, input) = channel::<u8>(0);
        let mutex = windtunnel::sync::Mutex::new(());
        let _held = mutex.lock().await;
        let _ = time::timeout(time::secs(1), mutex.lock()).await;
        spawn(async move { assert_eq!(input.recv().await, None) });
        go::channel::<u8>(0).recv().await;
    };
    for _ in 0..50 {
        assert_eq!(Builder::new().check("failing", failing).failure.map(|it| it.kind), Some(FailureKind::Deadlock));
    }
    let deadlock = scenario(|_| Box::pin(async { assert_eq!(go::channel::<u8>(0).recv().await, None) }));
    assert_eq!(deadlock.run(1).cause, Some(Cause::Deadlock));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (values, input) = channel(0);
        spawn(async move { values.send(1).await.unwrap() });
        assert_eq!(input.recv().await, Some(1));
    });
}

#[test]
fn a_panicking_task_on_tokio_is_its_joiners_to_handle() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(spawn_in(&runtime, || async { panic!("{}", "as planned") }));
    assert_eq!(result, Err(windtunnel::task::JoinError::Panicked("as planned".into())));
}

fn spawn_in<F: Future<Output = ()> + Send + 'static>(
    runtime: &tokio::runtime::Runtime,
    task: impl FnOnce() -> F,
) -> windtunnel::task::JoinHandle<()> {
    let _inside = runtime.enter();
    spawn(task())
}

#[test]
fn every_destructor_of_a_simulation_runs_inside_it() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Dropped;
    impl Drop for Dropped {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let unfinished = scenario(|sim| {
        Box::pin(async move {
            sim.nodes("node", 2, |_| async {
                let _dropped = Dropped;
                std::future::pending::<()>().await;
            });
            spawn(async {
                let _dropped = Dropped;
                time::sleep(time::secs(1000)).await;
            });
            time::sleep(time::secs(1)).await;
        })
    });
    for seed in 0..10 {
        assert_eq!(unfinished.run(seed).cause, None);
    }
    assert_eq!(DROPS.load(Ordering::Relaxed), 30);
}

#[test]
fn a_restarted_node_runs_anew_after_its_old_tasks_are_dropped() {
    let restarting = scenario(|sim| {
        Box::pin(async move {
            struct Alive(Arc<AtomicBool>);
            impl Drop for Alive {
                fn drop(&mut self) {
                    self.0.store(false, Ordering::Relaxed);
                }
            }
            let (alive, starts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
            let (up, count) = (Arc::clone(&alive), Arc::clone(&starts));
            let node = sim.node("node", move |node| {
                let (up, count) = (Arc::clone(&up), Arc::clone(&count));
                async move {
                    assert!(!up.swap(true, Ordering::Relaxed), "the old incarnation still runs");
                    let _alive = Alive(up);
                    count.fetch_add(1, Ordering::Relaxed);
                    let listener = TcpListener::bind(node.addr(80)).await.expect("the old socket is gone");
                    loop {
                        drop(listener.accept().await);
                    }
                }
            });
            for _ in 0..3 {
                time::sleep(time::secs(1)).await;
                drop(TcpStream::connect(node.addr(80)).await.expect("the node listens"));
                sim.restart(&node).await;
            }
            time::sleep(time::secs(1)).await;
            assert_eq!(starts.load(Ordering::Relaxed), 4);
        })
    });
    let report = Sweep::new(0..200).run(&restarting, &AtomicBool::new(false), &|| {});
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
}

#[test]
fn a_slow_link_delays_one_way_and_a_partition_until_it_heals() {
    use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
    let links = scenario(|sim| {
        Box::pin(async move {
            let server = sim.node("server", |node| async move {
                let listener = TcpListener::bind(node.addr(80)).await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    stream.write_all(&byte).await.unwrap();
                }
            });
            time::sleep(time::secs(1)).await;
            let mut stream = TcpStream::connect(server.addr(80)).await.unwrap();
            let mut echo = async || {
                let start = time::Instant::now();
                stream.write_all(b"x").await.unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                start.elapsed()
            };
            assert!(echo().await < time::millis(30));
            sim.slow_link(&server, sim.main(), time::millis(400));
            let slow = echo().await;
            assert!((time::millis(400)..time::millis(430)).contains(&slow), "{slow:?}");
            sim.slow_link(&server, sim.main(), time::secs(0));
            sim.partition(&[&server], &[sim.main()]);
            let healing = sim.clone();
            spawn(async move {
                time::sleep(time::secs(7)).await;
                healing.heal();
            });
            assert!(echo().await >= time::secs(7));
        })
    });
    let report = Sweep::new(0..50).run(&links, &AtomicBool::new(false), &|| {});
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
}

#[test]
fn a_model_has_no_network_and_says_so() {
    let report = Builder::new().check("network", || async {
        let error = TcpStream::connect("127.0.0.1:1").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("use a simulation"), "{error}");
        assert_eq!(TcpListener::bind("127.0.0.1:0").await.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
        assert_eq!(UdpSocket::bind("127.0.0.1:0").await.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
        let error = lookup_host("name:80").await.unwrap_err();
        assert!(error.to_string().starts_with("cannot look a name up in a model"), "{error}");
    });
    assert!(report.is_complete(), "\n{report}");
}
