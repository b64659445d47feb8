//! The reader of quoted strings whose state a task holds, under every interleaving of the task and its owner.

use std::pin::pin;

use windtunnel::{spawn, time};
use windtunnel_patterns::quoted::{Ended, Held, Status};

use super::begun;

/// Hint 4, use additional tasks to hold additional code state: each character has its status, and the task ends with the last one.
#[windtunnel_model::test]
pub async fn each_character_has_its_status() {
    let mut reader = Held::new();
    for c in ['"', '\\', '"'] {
        assert_eq!(reader.process(c).await, Ok(Status::NeedMoreInput));
    }
    assert_eq!(reader.process('"').await, Ok(Status::Success));
}

/// What no string begins with is told at once.
#[windtunnel_model::test]
pub async fn bad_input_is_told_at_once() {
    assert_eq!(Held::new().process('x').await, Ok(Status::BadInput));
}

/// A character after the end of the string is an error and not a wait for ever (census `quote-call-after-done`).
#[windtunnel_model::test]
pub async fn a_character_after_the_end_is_an_error() {
    let mut reader = Held::new();
    assert_eq!(reader.process('x').await, Ok(Status::BadInput));
    assert_eq!([reader.process('"').await, reader.process('"').await], [Err(Ended); 2]);
}

/// An owner that stops early leaves no task, whatever the task was about to do (census `quote-early-stop-leak`).
#[windtunnel_model::test]
pub async fn an_owner_that_stops_early_leaves_no_task() {
    drop(Held::new());
    let mut reader = Held::new();
    assert_eq!(reader.process('"').await, Ok(Status::NeedMoreInput));
}

/// A call that was dropped has read its character, and its status is not taken for that of the next.
#[windtunnel_model::test]
pub async fn a_dropped_call_has_read_its_character() {
    let mut reader = Held::new();
    if !begun(pin!(reader.process('"'))).await {
        return;
    }
    assert_eq!(reader.process('"').await, Ok(Status::Success));
}

/// A call dropped at any moment leaves no task once its reader is gone.
#[windtunnel_model::test]
pub async fn dropped_in_a_call_it_leaves_no_task() {
    let reading = spawn(async {
        let mut reader = Held::new();
        time::timeout(time::millis(10), reader.process('"')).await
    });
    let status = reading.await.expect("nobody aborts it");
    assert!(matches!(status, Ok(Ok(Status::NeedMoreInput)) | Err(time::Elapsed)), "{status:?}");
}

/// Reads a string, each call of which may be given up in time: what was given up was read, and has no other's status.
async fn calls_that_may_be_given_up(string: &str) {
    let mut reader = Held::new();
    for (place, c) in string.chars().enumerate() {
        let expected = if place + 1 == string.len() { Status::Success } else { Status::NeedMoreInput };
        if let Ok(status) = time::timeout(time::millis(10), reader.process(c)).await {
            assert_eq!(status, Ok(expected), "at {place}");
        }
    }
}

/// A string of three characters, each call of which may be given up in time: what was given up was read, and has no other's status.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn three_calls_that_may_be_given_up() {
    calls_that_may_be_given_up("\"a\"").await;
}

/// The same with five characters, one of which is escaped.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn a_string_of_calls_that_may_be_given_up() {
    calls_that_may_be_given_up("\"a\\\"\"").await;
}
