//! Signals: one contract on tokio, where the system sends them, and in a simulation.

use std::process::Command;

use windtunnel::signal::{Signal, Signals};
use windtunnel::{spawn, time};
use windtunnel_patterns::shutdown;
use windtunnel_sim::{Sim, simulate};

use crate::common::{on_one_thread, on_two_threads};

/// Sends a signal to this process.
fn to_this_process(signal: Signal) {
    let command = format!("kill -{} {}", &signal.to_string()[3..], std::process::id());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
}

async fn one_of_each_kind_is_kept(send: impl Fn(Signal)) {
    let mut signals = Signals::listen([Signal::Hangup, Signal::Terminate]).unwrap();
    let mut quit = Signals::listen([Signal::Quit]).unwrap();
    assert!(time::timeout(time::millis(1), signals.recv()).await.is_err(), "none yet, and a dropped wait takes none");
    for signal in [Signal::Hangup, Signal::Hangup, Signal::Terminate, Signal::Quit] {
        send(signal);
    }
    let mut received = [signals.recv().await, signals.recv().await];
    received.sort();
    assert_eq!(received, [Signal::Hangup, Signal::Terminate]);
    assert!(time::timeout(time::millis(20), signals.recv()).await.is_err(), "two of a kind are one");
    assert_eq!(quit.recv().await, Signal::Quit);
    let waiting = spawn(async move { quit.recv().await });
    time::sleep(time::millis(1)).await;
    send(Signal::Quit);
    assert_eq!(waiting.await, Ok(Signal::Quit));
}

/// All in one test: a signal is to the whole process.
#[test]
fn one_of_each_kind_is_kept_on_tokio() {
    on_two_threads(one_of_each_kind_is_kept(to_this_process));
    on_one_thread(one_of_each_kind_is_kept(to_this_process));
}

#[test]
fn one_of_each_kind_is_kept_in_a_simulation() {
    for seed in 0..16 {
        let (outcome, _) = simulate(seed, |sim: Sim| async move {
            one_of_each_kind_is_kept(|signal| sim.signal(sim.main(), signal)).await;
        });
        assert_eq!(outcome.cause, None);
    }
}

/// A node that says, for each of its starts, what it received.
#[test]
fn a_signal_is_for_one_node_and_ends_one_that_does_not_listen() {
    let (outcome, received) = simulate(1, |sim: Sim| async move {
        let (said, heard) = windtunnel::channel(9);
        let listen = |kinds: &'static [Signal]| {
            let said = said.clone();
            move |node: windtunnel_sim::Node| {
                let (said, name) = (said.clone(), node.name().to_owned());
                async move {
                    let mut signals = Signals::listen(kinds.iter().copied()).unwrap();
                    loop {
                        said.send((name.clone(), signals.recv().await)).await.unwrap();
                    }
                }
            }
        };
        let (a, b) = (sim.node("a", listen(&[Signal::Terminate])), sim.node("b", listen(&[Signal::Hangup])));
        time::sleep(time::millis(1)).await;
        sim.signal(&a, Signal::Terminate);
        time::sleep(time::millis(1)).await;
        sim.signal(&b, Signal::Terminate);
        time::sleep(time::millis(1)).await;
        let of_b = || {
            windtunnel::task::dump().groups.iter().flat_map(|it| &it.tasks).any(|it| it.node.as_deref() == Some("b"))
        };
        assert!(!of_b(), "nobody there listened for it");
        sim.restart(&b).await;
        time::sleep(time::millis(1)).await;
        assert!(of_b());
        sim.signal(&b, Signal::Hangup);
        time::sleep(time::millis(1)).await;
        std::iter::from_fn(|| heard.try_recv().ok()).collect::<Vec<_>>()
    });
    assert_eq!(outcome.cause, None);
    assert_eq!(received.unwrap(), [("a".to_owned(), Signal::Terminate), ("b".to_owned(), Signal::Hangup)]);
}

#[test]
fn none_comes_in_a_model_and_a_service_that_ends_by_itself_ends_the_wait() {
    let report = windtunnel_model::Builder::new().check("signals", || async {
        let signals = Signals::listen([Signal::Terminate]).unwrap();
        let ended = shutdown::on(signals, |stop| async move {
            windtunnel::task::yield_now().await;
            stop.is_cancelled()
        });
        assert!(!ended.await);
    });
    assert!(report.is_complete(), "\n{report}");
}
