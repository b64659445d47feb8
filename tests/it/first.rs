//! The first answer of several replicas on tokio and madsim, by the bodies of its models; over real TCP; and panics.

use std::net::SocketAddr;

use windtunnel::io::AsyncWriteExt;
use windtunnel::net::TcpListener;
use windtunnel::task::JoinError;
use windtunnel::{spawn, time};
use windtunnel_patterns::call::{CallError, Failure, NoAnswer};
use windtunnel_patterns::first;
use windtunnel_suite::models::first as models;
use windtunnel_suite::scenarios::first::ask;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    one_answer_wins
    a_failure_is_passed_over
    all_failures_are_told
    no_replica_is_an_error
    the_loser_is_dropped
    the_limit_drops_what_hangs
    dropped_it_leaves_no_call
}

/// A server on loopback that answers every connection with `number`.
pub(crate) async fn server(number: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_u8(number).await.unwrap();
        }
    });
    addr
}

/// Nobody listens there.
pub(crate) fn nobody() -> SocketAddr {
    "127.0.0.1:1".parse().unwrap()
}

/// A server that accepts nobody: its backlog does, and nothing comes.
async fn silent() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

#[test]
fn over_real_tcp_the_one_that_is_well_answers() {
    on_two_threads(async {
        let (silent, _listener) = silent().await;
        let replicas = [nobody(), silent, server(7).await];
        assert_eq!(first::response(replicas.map(ask), time::secs(60)).await.unwrap(), 7);
    });
}

/// Census `first-wrong-fast-replica`: the call itself says which answers it accepts.
#[test]
fn an_answer_that_a_call_does_not_accept_is_a_failure_and_another_wins() {
    on_two_threads(async {
        let replicas = [(time::Duration::ZERO, 5), (time::millis(5), 4)];
        let calls = replicas.map(|(pause, answer)| async move {
            time::sleep(pause).await;
            if answer == 2 + 2 { Ok(answer) } else { Err(format!("2 + 2 is not {answer}")) }
        });
        assert_eq!(first::response(calls, time::secs(60)).await, Ok(4));
    });
}

#[test]
fn a_call_that_panics_has_failed_and_the_caller_goes_on() {
    on_two_threads(async {
        let calls = [0, 1].map(|n| async move {
            assert!(n > 0, "none");
            Err::<(), _>("no")
        });
        let failed = first::response(calls, time::secs(60)).await;
        let panicked = CallError::Died(JoinError::Panicked("none".into()));
        let failures = [panicked, CallError::Failed("no")];
        let failures = failures.into_iter().enumerate().map(|(replica, error)| Failure { replica, error }).collect();
        assert_eq!(failed, Err(NoAnswer::AllFailed(failures)));
    });
}

#[test]
fn an_error_says_in_one_line_what_happened() {
    let no = || vec![Failure { replica: 1, error: CallError::Failed("no") }];
    let died = CallError::Died(JoinError::Panicked("none".into()));
    let lines = [
        NoAnswer::<&str>::NoReplicas.to_string(),
        NoAnswer::AllFailed(vec![Failure { replica: 0, error: died }, no().remove(0)]).to_string(),
        NoAnswer::TimedOut { limit: time::secs(2), failures: no() }.to_string(),
        NoAnswer::<&str>::TimedOut { limit: time::secs(2), failures: Vec::new() }.to_string(),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    there is no replica to ask: give one at least
    none of 2 replicas gave an answer; the last to fail was replica 1: no
    no answer within 2s; the last to fail was replica 1: no
    no answer within 2s
    ");
}
