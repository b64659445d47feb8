//! The client of a replicated service under every interleaving. A timer may fire at any time there: every call may find its
//! deadline past.

use std::pin::pin;
use std::sync::Arc;

use windtunnel::{go, spawn, time};
use windtunnel_patterns::call::{CallError, Failure, NoAnswer};
use windtunnel_patterns::replicated::{Client, Options};

use super::begun;
use super::task::forever;

const OPTIONS: Options = Options { stagger: time::millis(10), deadline: time::millis(100) };

type Outcome = Result<usize, NoAnswer<&'static str>>;

/// What a server does.
#[derive(Clone, Copy)]
enum Server {
    Answers(usize),
    Fails,
    Hangs,
}

async fn call_one(server: Server, (): ()) -> Result<usize, &'static str> {
    match server {
        Server::Answers(number) => Ok(spawn(async move { number }).await.expect("nobody aborts it")),
        Server::Fails => spawn(async { Err("no") }).await.expect("nobody aborts it"),
        Server::Hangs => {
            forever().await;
            Err("never")
        }
    }
}

async fn call(servers: &[Server]) -> (Outcome, usize) {
    let client = Client::new(servers.to_vec(), OPTIONS, call_one);
    (client.call(()).await, client.preferred().await)
}

fn timed_out(outcome: &Outcome) -> bool {
    matches!(outcome, Err(NoAnswer::TimedOut { .. }))
}

/// One server, and its answer.
#[windtunnel_model::test]
pub async fn one_server_answers() {
    let (outcome, preferred) = call(&[Server::Answers(0)]).await;
    assert!(outcome == Ok(0) || timed_out(&outcome), "{outcome:?}");
    assert_eq!(preferred, 0);
}

/// Hint 17, use a goto where it is clearest (here a return out of two loops): a server that hangs is overtaken, and the next
/// call begins with the one that answered.
#[windtunnel_model::test]
pub async fn a_server_that_hangs_is_overtaken() {
    let (outcome, preferred) = call(&[Server::Hangs, Server::Answers(1)]).await;
    assert!((outcome.as_ref(), preferred) == (Ok(&1), 1) || timed_out(&outcome), "{outcome:?}, {preferred}");
}

/// A server that fails is overtaken at once.
#[windtunnel_model::test]
pub async fn a_server_that_fails_is_overtaken() {
    let (outcome, preferred) = call(&[Server::Fails, Server::Answers(1)]).await;
    assert!((outcome.as_ref(), preferred) == (Ok(&1), 1) || timed_out(&outcome), "{outcome:?}, {preferred}");
}

/// When all fail, all their errors are told, and the preference stays.
#[windtunnel_model::test]
pub async fn all_failures_are_told() {
    match call(&[Server::Fails, Server::Fails]).await {
        (Err(NoAnswer::AllFailed(mut failures)), preferred) => {
            failures.sort_unstable_by_key(|failure| failure.replica);
            let failure = |replica| Failure { replica, error: CallError::Failed("no") };
            assert_eq!((failures, preferred), (vec![failure(0), failure(1)], 0));
        }
        (outcome, _) => assert!(timed_out(&outcome), "{outcome:?}"),
    }
}

/// Servers that all hang end in an error at the deadline, and no call is left.
#[windtunnel_model::test]
pub async fn servers_that_hang_end_at_the_deadline() {
    let (outcome, _) = call(&[Server::Hangs, Server::Hangs]).await;
    assert!(timed_out(&outcome), "{outcome:?}");
}

/// Nobody to ask is an error and not a wait for ever.
#[windtunnel_model::test]
pub async fn no_server_is_an_error() {
    assert_eq!(call(&[]).await, (Err(NoAnswer::NoReplicas), 0));
}

/// A server answers late, when the next one is asked: its answer counts.
#[windtunnel_model::test]
pub async fn a_late_answer_is_an_answer() {
    let late = go::named("late", 1);
    let call_one = |server, ()| {
        let late = late.clone();
        async move {
            if server == 1 {
                late.send(()).await.expect("never closed");
                forever().await;
            }
            late.recv().await;
            Ok::<_, &str>(server)
        }
    };
    let client = Client::new(vec![0, 1], OPTIONS, call_one);
    let outcome = client.call(()).await;
    assert!(outcome == Ok(0) || timed_out(&outcome), "{outcome:?}");
}

/// A call begins, another finds the preferred server dead, and the older one ends, with an answer that this server had given
/// before: it is not brought back.
#[windtunnel_model::test]
pub async fn an_older_call_does_not_bring_a_dead_server_back() {
    #[derive(Clone, Copy, PartialEq)]
    enum Request {
        Older,
        Newer,
    }
    let given = go::named("given", 1);
    let call_one = |server, request| {
        let given = given.clone();
        async move {
            match (request, server) {
                (Request::Older, 0) => drop(given.recv().await),
                (Request::Older, _) => forever().await,
                (Request::Newer, 0) => return Err("dead"),
                (Request::Newer, _) => {}
            }
            Ok(server)
        }
    };
    let client = Client::new(vec![0, 1], OPTIONS, call_one);
    let mut older = pin!(client.call(Request::Older));
    if !begun(older.as_mut()).await || client.call(Request::Newer).await != Ok(1) {
        return;
    }
    given.send(()).await.expect("never closed");
    let outcome = older.await;
    assert!(outcome == Ok(0) || timed_out(&outcome), "{outcome:?}");
    assert_eq!(client.preferred().await, 1);
}

/// Hint 16, use a mutex if that is the clearest way: two callers at once share the preference and nothing else.
#[windtunnel_model::test]
pub async fn two_callers_do_not_disturb_each_other() {
    let call_one = |server, fails: [bool; 2]| async move { if fails[server] { Err("no") } else { Ok(server) } };
    let client = Arc::new(Client::new(vec![0, 1], OPTIONS, call_one));
    let other = Arc::clone(&client);
    let other = spawn(async move { other.call([true, false]).await });
    assert_eq!(client.call([false, true]).await, Ok(0));
    assert_eq!(other.await, Ok(Ok(1)));
    assert!(client.preferred().await <= 1);
}

/// Dropped at any moment, a call leaves none of its calls behind.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_call() {
    let _ = time::timeout(time::secs(1), call(&[Server::Hangs, Server::Answers(1)])).await;
}

/// Three servers, at their times: one hangs, one takes longer than the stagger, one less. The answer is of one that answers, the next
/// call begins there, and no call is left.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn three_servers_in_time() {
    let call_one = |server, ()| async move {
        match server {
            0 => forever().await,
            1 => time::sleep(time::millis(15)).await,
            _ => time::sleep(time::millis(5)).await,
        }
        Ok::<_, &str>(server)
    };
    let client = Client::new(vec![0, 1, 2], OPTIONS, call_one);
    let outcome = client.call(()).await;
    let preferred = client.preferred().await;
    match outcome {
        Ok(server) => assert!(server > 0 && [server, 2].contains(&preferred), "{server}, {preferred}"),
        Err(_) => assert!(timed_out(&outcome), "{outcome:?}"),
    }
}

/// Two callers, one of whose servers fails after a while: both have an answer of the other, unless their time is up.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn two_callers_of_servers_one_of_which_fails_in_time() {
    let call_one = |server, ()| async move {
        if server == 0 {
            time::sleep(time::millis(5)).await;
            return Err("no");
        }
        Ok(server)
    };
    let client = Arc::new(Client::new(vec![0, 1], OPTIONS, call_one));
    let callers = [(); 2].map(|()| {
        let client = Arc::clone(&client);
        spawn(async move { client.call(()).await })
    });
    for caller in callers {
        let outcome = caller.await.expect("nobody aborts it");
        assert!(outcome == Ok(1) || timed_out(&outcome), "{outcome:?}");
    }
}
