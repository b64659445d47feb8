//! Loops over `select!`: whom they serve.

use std::sync::atomic::AtomicBool;

use windtunnel::{channel, select, task};
use windtunnel_sim::{Body, Scenario, Sweep};

const ROUNDS: usize = 3_000;

/// How often each of three arms is taken that are always ready: two channels and a future.
async fn served() -> [usize; 3] {
    let (one, ones) = channel(1);
    let (two, twos) = channel(1);
    let mut served = [0; 3];
    for _ in 0..ROUNDS {
        let _ = (one.try_send(()), two.try_send(()));
        select! {
            _ = ones.recv() => served[0] += 1,
            _ = twos.recv() => served[1] += 1,
            () = std::future::ready(()) => served[2] += 1,
        }
    }
    served
}

async fn a_loop_serves_every_arm() {
    let served = served().await;
    // Each is expected a third of the rounds; a sixth is eleven standard deviations away.
    assert!(served.iter().all(|count| *count > ROUNDS / 6), "{served:?}");
}

/// One producer that always has something, and one that speaks up once.
async fn a_busy_channel_does_not_hold_up_another() {
    let (busy, values) = channel(0);
    let (once, quits) = channel(0);
    windtunnel::spawn(async move { while busy.send(()).await.is_ok() {} });
    windtunnel::spawn(async move { once.send(()).await });
    for _ in 0..ROUNDS {
        select! {
            value = values.recv() => value.expect("it goes on for ever"),
            _ = quits.recv() => return,
        }
        task::yield_now().await;
    }
    panic!("the second arm was not taken in {ROUNDS} rounds");
}

macro_rules! on_tokio_and_madsim {
    ($($body:ident)*) => {$(mod $body {
        #[test]
        fn tokio() {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(super::$body());
        }

        #[test]
        fn madsim() {
            super::simulate(stringify!($body), |_| Box::pin(super::$body()));
        }
    })*};
}

on_tokio_and_madsim!(a_loop_serves_every_arm a_busy_channel_does_not_hold_up_another);

fn simulate(name: &'static str, body: fn(windtunnel_sim::Sim) -> Body) {
    let scenario = Scenario { module: "select", function: name, package: "", summary: "", seeds: 4, body };
    let report = Sweep::new(0..4).run(&scenario, &AtomicBool::new(false), &|| {});
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
}
