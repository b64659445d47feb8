//! The client of a replicated service on tokio and madsim, by the bodies of its models; over real TCP; and its timers.

use windtunnel::task::dump;
use windtunnel::{spawn, time};
use windtunnel_patterns::replicated::{Client, Options};
use windtunnel_suite::models::replicated as models;
use windtunnel_suite::scenarios::first::ask;

use crate::common::{on_tokio_and_madsim, on_two_threads, simulate};
use crate::first::{nobody, server};

on_tokio_and_madsim! {
    models:
    one_server_answers
    a_server_that_hangs_is_overtaken
    a_server_that_fails_is_overtaken
    all_failures_are_told
    servers_that_hang_end_at_the_deadline
    no_server_is_an_error
    a_late_answer_is_an_answer
    an_older_call_does_not_bring_a_dead_server_back
    two_callers_do_not_disturb_each_other
    dropped_it_leaves_no_call
}

#[test]
fn over_real_tcp_a_dead_server_is_asked_once() {
    on_two_threads(async {
        let client = Client::new(vec![nobody(), server(1).await, nobody()], Options::default(), |addr, ()| ask(addr));
        for _ in 0..3 {
            assert_eq!(client.call(()).await.unwrap(), 1);
            assert_eq!(client.preferred().await, 1);
        }
    });
}

#[test]
fn a_call_that_panics_has_failed_and_the_next_server_is_asked() {
    on_two_threads(async {
        let call_one = |server: usize, ()| async move {
            assert!(server > 0, "this server is cursed");
            Ok::<_, String>(server)
        };
        let client = Client::new(vec![0, 1], Options::default(), call_one);
        assert_eq!((client.call(()).await, client.preferred().await), (Ok(1), 1));
    });
}

const CALLS: usize = 1_000;

/// Tasks that do nothing but sleep.
fn timers() -> usize {
    dump().groups.iter().flat_map(|group| &group.tasks).filter(|task| task.wait == "sleep").count()
}

/// Hint 14, stop timers you don't need (census `client-timer-not-stopped`, `first-timer-left`): a timer that is a task goes on
/// when the call it was for has ended; one that is a part of the call goes with it.
#[test]
fn a_call_takes_its_timers_with_it() {
    simulate("timers", |_| {
        Box::pin(async {
            for _ in 0..CALLS {
                spawn(time::sleep(time::secs(1)));
            }
            time::sleep(time::millis(1)).await;
            assert_eq!(timers(), CALLS, "a timer for each call, which nobody stops");
            time::sleep(time::secs(2)).await;
            let client = Client::new(vec![0, 1], Options::default(), |_, ()| async { Ok::<_, String>(()) });
            for _ in 0..CALLS {
                client.call(()).await.unwrap();
            }
            time::sleep(time::millis(1)).await;
            assert_eq!(timers(), 0);
        })
    });
}
