//! Aborts and sets of tasks on tokio and madsim, by the bodies of their models; and what a model cannot say.

use std::future::Future;
use std::panic;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use windtunnel::task::{JoinError, JoinSet, dump, spawn_blocking, spawn_named, yield_now};
use windtunnel::{channel, select, spawn, task, time};
use windtunnel_model::{Builder, FailureKind};
use windtunnel_sim::{Cause, Scenario};
use windtunnel_suite::models::task as models;

use crate::common::{on_every_runtime, on_one_thread, on_tokio_and_madsim, on_two_threads};
use crate::task as bodies;

mod as_in_models {
    use super::{models, on_tokio_and_madsim};

    on_tokio_and_madsim! {
        models:
        abort_against_completion
        abort_drops_a_task_that_waits
        abort_twice
        abort_of_a_blocked_receive_loses_no_message
        abort_of_a_blocked_send_leaves_the_channel_usable
        abort_from_inside
        set_gives_each_result_once
        set_dropped_join_loses_no_result
        set_last_result_lets_every_join_go
        set_limit_holds
        set_place_of_an_aborted_task_is_given_on
        set_dropped_aborts_its_tasks
        set_shutdown_waits_for_all
        set_detached_tasks_go_on
    }
}

on_every_runtime! {
    bodies:
    an_aborted_task_that_never_ran_is_cancelled
    a_dropped_handle_detaches
    a_set_without_a_place_gives_the_future_back
    a_set_tells_its_length
    a_blocking_task_gives_its_result
    tasks_know_their_number_and_name
}

async fn an_aborted_task_that_never_ran_is_cancelled() {
    let task = spawn(models::forever());
    let abort = task.abort_handle();
    abort.abort();
    assert_eq!(task.await, Err(JoinError::Cancelled));
    assert!(abort.is_finished());
}

async fn a_dropped_handle_detaches() {
    let (values, input) = channel(0);
    drop(spawn(async move { values.send(7).await }));
    assert_eq!(input.recv().await, Some(7));
}

async fn a_set_without_a_place_gives_the_future_back() {
    let set = JoinSet::with_limit(1);
    let (go, gone) = channel::<()>(0);
    let member = |n| {
        let gone = gone.clone();
        async move {
            gone.recv().await;
            n
        }
    };
    assert!(set.try_spawn(member(1)).is_ok());
    let refused = set.try_spawn(member(2)).expect_err("the place is taken");
    drop(go);
    assert_eq!((set.join_next().await, refused.await), (Some(Ok(1)), 2));
}

async fn a_set_tells_its_length() {
    let set = JoinSet::new();
    assert!(set.is_empty() && set.join_next().await.is_none());
    set.spawn(async {}).await;
    set.spawn(models::forever()).await;
    assert_eq!(set.len(), 2);
    assert_eq!((set.join_next().await, set.len()), (Some(Ok(())), 1));
    set.abort_all();
    assert_eq!((set.join_next().await, set.len()), (Some(Err(JoinError::Cancelled)), 0));
}

async fn a_blocking_task_gives_its_result() {
    assert_eq!(spawn_blocking(|| 6 * 7).await, Ok(42));
}

#[test]
fn a_task_may_not_block_its_thread() {
    const MENDED: &str = "await it, or use `spawn_blocking`";
    let body = async || channel(1).0.send_blocking(1);
    on_one_thread(async {
        let refused = spawn(body()).await;
        assert!(matches!(&refused, Err(JoinError::Panicked(message)) if message.contains(MENDED)), "{refused:?}");
    });
    let (outcome, _) = windtunnel_sim::simulate(0, move |_| body());
    assert!(matches!(&outcome.cause, Some(Cause::Panic { message, .. }) if message.contains(MENDED)), "{outcome:?}");
}

async fn a_blocking_task_may_wait_for_others() {
    let (questions, asked) = channel(0);
    let (answer, answers) = channel(0);
    let thinker = spawn_blocking(move || {
        let question: u32 = asked.recv_blocking().expect("there is a question");
        answer.send_blocking(question + 1).expect("somebody wants the answer");
        asked.recv_blocking()
    });
    questions.send(41).await.unwrap();
    assert_eq!(answers.recv().await, Some(42));
    drop(questions);
    assert_eq!(thinker.await, Ok(None));
}

#[test]
fn on_tokio_a_blocking_task_may_wait_for_others() {
    on_one_thread(a_blocking_task_may_wait_for_others());
}

#[test]
fn in_a_model_a_blocking_task_may_wait_for_others() {
    let report = Builder::new().check("blocking", a_blocking_task_may_wait_for_others);
    assert!(report.is_complete(), "\n{report}");
}

#[test]
fn a_thread_without_a_task_may_block() {
    let (sender, input) = channel(0);
    let thread = std::thread::spawn(move || input.recv_blocking());
    assert_eq!(sender.send_blocking(7), Ok(()));
    assert_eq!(thread.join().unwrap(), Some(7));
}

async fn tasks_know_their_number_and_name() {
    let named = spawn_named("worker", async { (task::id(), task::name()) });
    let (id, abort) = (named.id(), named.abort_handle());
    assert_eq!((named.await, abort.id()), (Ok((Some(id), Some("worker".into()))), id));
    let other = spawn(async { (task::id(), task::name()) });
    assert!(other.id() > id, "in order of spawning");
    assert_eq!(other.await.unwrap().1, None);
}

/// Panics when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the destructor fails");
    }
}

/// A task with a bomb, aborted where it waits.
async fn abort_a_bomb() -> Result<(), JoinError> {
    let (reached, reads) = channel(1);
    let task = spawn(async move {
        let _bomb = Bomb;
        reached.send(()).await.unwrap();
        std::future::pending::<()>().await;
    });
    reads.recv().await;
    yield_now().await;
    task.abort();
    task.await
}

#[test]
fn a_destructor_that_panics_in_an_aborted_task_is_its_joiners_to_handle() {
    for run in [on_one_thread, on_two_threads] {
        run(Box::pin(async {
            let failed = JoinError::Panicked("the destructor fails".into());
            assert_eq!(abort_a_bomb().await, Err(failed));
            assert_eq!(spawn(async { 1 }).await, Ok(1), "the process goes on");
        }) as std::pin::Pin<Box<dyn Future<Output = ()>>>);
    }
}

#[test]
fn a_destructor_that_panics_in_an_aborted_task_ends_a_simulation_and_a_model() {
    let body = || Box::pin(async { drop(abort_a_bomb().await) });
    let report = Builder::new().check("bomb", body);
    match report.failure.map(|failure| failure.kind) {
        Some(FailureKind::Panic { message, .. }) => assert_eq!(message, "the destructor fails"),
        other => panic!("{other:?}"),
    }
    let scenario = scenario(|_| Box::pin(async { drop(abort_a_bomb().await) }));
    match scenario.run(1).cause {
        Some(Cause::Panic { message, .. }) => assert_eq!(message, "the destructor fails"),
        other => panic!("{other:?}"),
    }
}

fn scenario(body: fn(windtunnel_sim::Sim) -> windtunnel_sim::Body) -> Scenario {
    Scenario { module: "task", function: "body", package: "", summary: "", seeds: 8, body }
}

#[test]
fn a_panic_of_a_member_is_told_to_who_joins() {
    on_two_threads(async {
        let set = JoinSet::new();
        set.spawn(async { panic!("{}", "as planned") }).await;
        set.spawn(async {}).await;
        let both = [set.join_next().await, set.join_next().await];
        assert!(both.contains(&Some(Err(JoinError::Panicked("as planned".into())))), "{both:?}");
        assert!(both.contains(&Some(Ok(()))), "{both:?}");
    });
}

#[test]
fn ten_thousand_tasks_run_ten_at_a_time() {
    static RUNNING: AtomicU32 = AtomicU32::new(0);
    on_two_threads(async {
        let set = Arc::new(JoinSet::with_limit(10));
        let spawner = Arc::clone(&set);
        let spawns = spawn(async move {
            for n in 0..10_000_u64 {
                let member = async move {
                    assert!(RUNNING.fetch_add(1, Ordering::SeqCst) < 10, "the limit holds");
                    yield_now().await;
                    RUNNING.fetch_sub(1, Ordering::SeqCst);
                    n
                };
                spawner.spawn(member).await;
            }
        });
        spawns.await.unwrap();
        let mut sum = 0;
        while let Some(n) = set.join_next().await {
            sum += n.expect("no member fails");
        }
        assert_eq!(sum, 49_995_000);
    });
}

#[test]
fn aborts_under_stress_lose_no_message_and_leave_no_task() {
    on_two_threads(async {
        let (values, input) = channel(0);
        let set = JoinSet::new();
        let mut received = 0;
        let sender = spawn(async move {
            for n in 0..2_000 {
                values.send(n).await.expect("somebody receives");
            }
        });
        loop {
            let reader = input.clone();
            let abort = set.spawn(async move { reader.recv().await }).await;
            if received % 2 == 0 {
                yield_now().await;
            }
            abort.abort();
            match set.join_next().await.expect("one member") {
                Ok(Some(n)) => {
                    assert_eq!(n, received, "in order, and none lost");
                    received += 1;
                }
                Ok(None) => break,
                Err(JoinError::Cancelled) => select! {
                    n = input.recv() => match n {
                        Some(n) => { assert_eq!(n, received); received += 1; }
                        None => break,
                    },
                    default => yield_now().await,
                },
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((received, sender.await, set.len()), (2_000, Ok(()), 0));
    });
}

#[test]
fn a_blocking_task_holds_up_no_other_and_is_in_the_dump() {
    on_one_thread(async {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (line, task) = (line!(), spawn_blocking(move || gone.recv().is_ok()));
        assert_eq!(spawn(async { 1 }).await, Ok(1), "the only worker goes on");
        let table = dump().to_string();
        let row = table.lines().find(|row| row.contains(&format!("tests/it/task.rs:{line}")));
        assert!(row.is_some_and(|row| row.contains("running")), "\n{table}");
        go.send(()).unwrap();
        assert_eq!(task.await, Ok(true));
        let failed = spawn_blocking(|| -> u8 { panic!("as planned") }).await;
        assert_eq!(failed, Err(JoinError::Panicked("as planned".into())));
    });
}

#[test]
fn numbers_follow_the_order_of_spawning_in_every_run() {
    let scenario = scenario(|_| {
        Box::pin(async {
            let ids: Vec<u64> = (0..5).map(|_| spawn(async {}).id()).collect();
            assert!(ids.is_sorted(), "{ids:?}");
            let nested = spawn(async { (task::id(), spawn(async {}).id()) }).await.unwrap();
            tracing::info!(?ids, ?nested, "numbers");
            time::sleep(time::secs(1)).await;
        })
    });
    let (one, again) = (scenario.run_traced(3), scenario.run_traced(3));
    assert_eq!(one.cause, None);
    assert_eq!(one.lines, again.lines);
    assert!(one.lines.iter().any(|line| line.text.contains("numbers")), "{:?}", one.lines);
}

#[test]
fn a_task_dropped_with_its_runtime_is_cancelled_for_its_joiner() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let task = {
        let _inside = runtime.enter();
        spawn(std::future::pending::<()>())
    };
    drop(runtime);
    on_one_thread(async { assert_eq!(time::timeout(time::millis(200), task).await, Ok(Err(JoinError::Cancelled))) });
}

#[test]
fn who_joins_a_task_sees_what_its_destructors_did() {
    /// Ready, and still the owner of what it had.
    struct Holding(#[expect(dead_code, reason = "held for its Drop")] channel::Sender<u8>);

    impl Future for Holding {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    let joined = || async {
        let (sender, input): (_, channel::Receiver<u8>) = channel(0);
        spawn(Holding(sender)).await.unwrap();
        assert_eq!(input.try_recv(), Err(channel::TryRecvError::Closed));
    };
    let report = Builder::new().check("joined", joined);
    assert!(report.is_complete(), "\n{report}");
}
