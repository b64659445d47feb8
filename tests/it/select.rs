//! Loops over `select!`: whom they serve.

use windtunnel::{channel, select, task};

use crate::common::on_tokio_and_madsim;
use crate::select as bodies;

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

on_tokio_and_madsim! {
    bodies:
    a_loop_serves_every_arm
    a_busy_channel_does_not_hold_up_another
}
