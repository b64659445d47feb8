//! Finger over a pipe: one question, under every interleaving of a few. Each limit of time may pass at any moment. The client and the
//! server are tasks of their own, since loom gives those more stack than main.

use std::num::NonZeroUsize;

use windtunnel::sync::Context;
use windtunnel::task::spawn_named;
use windtunnel::time;
use windtunnel_patterns::finger::{self, AskError, Finger, Limits, Question};
use windtunnel_patterns::pipe::{Pipe, pipe};
use windtunnel_patterns::service::{Drained, Options, Service, serve};

use super::Once;

fn server() -> Finger<impl Fn(Question) -> std::future::Ready<String> + Clone> {
    Finger::new(Limits::default(), |question: Question| {
        std::future::ready(question.user().unwrap_or("nobody").to_owned())
    })
}

fn options() -> Options {
    Options { connections: NonZeroUsize::MIN, drain: time::secs(1) }
}

/// What a client hears: the answer; or nothing, or an error, when a limit has passed or the connection was cut off.
async fn ask(conn: Pipe) -> Option<String> {
    match finger::ask(conn, "a", &Limits::default()).await {
        Ok(answer) => {
            assert!(answer.is_empty() || answer == "a\n", "whole or nothing: {answer:?}");
            (!answer.is_empty()).then_some(answer)
        }
        Err(AskError::TimedOut(_) | AskError::Io(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// A question has its answer, or a limit of time has passed; either way both sides end.
#[windtunnel_model::test(preemptions = 2)]
pub async fn a_question_has_its_answer() {
    let (here, there) = pipe(1);
    let serving = spawn_named("server", async move { server().handle(there, Context::new()).await });
    let asking = spawn_named("client", ask(here));
    asking.await.expect("nobody aborts it");
    serving.await.expect("nobody aborts it");
}

/// The service is to stop at any moment: the question is answered whole or not at all, and nothing is left.
#[windtunnel_model::test(preemptions = 1)]
pub async fn drained_at_any_moment_it_ends() {
    let (here, there) = pipe(1);
    let stop = Context::named("stop");
    let serving = spawn_named("service", serve(Once::new(there), server(), options(), stop.clone()));
    let asking = spawn_named("client", ask(here));
    stop.cancel();
    asking.await.expect("nobody aborts it");
    assert!(matches!(serving.await, Ok(Drained { cut_off: 0 | 1 })));
}

/// Dropped at any moment, it leaves no connection behind, and the client is not kept waiting.
#[windtunnel_model::test(preemptions = 1)]
pub async fn dropped_it_leaves_no_task() {
    let (here, there) = pipe(1);
    let serving = serve(Once::new(there), server(), options(), Context::named("stop"));
    let serving = spawn_named("service", time::timeout(time::secs(1), serving));
    let asking = spawn_named("client", ask(here));
    assert_eq!(serving.await, Ok(Err(time::Elapsed)));
    asking.await.expect("nobody aborts it");
}

/// A question whose limits of time are those of its client and its server, over every order of theirs.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn a_question_in_time() {
    let (here, there) = pipe(1);
    let serving = spawn_named("server", async move { server().handle(there, Context::new()).await });
    let asking = spawn_named("client", ask(here));
    asking.await.expect("nobody aborts it");
    serving.await.expect("nobody aborts it");
}
