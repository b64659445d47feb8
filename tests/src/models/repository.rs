//! The repository under every interleaving.

use std::collections::HashMap;
use std::pin::pin;

use windtunnel::{spawn, time};
use windtunnel_patterns::repository::{Closed, Repository};

use super::begun;

/// Of two inserts at one key the second has what the first put there.
#[windtunnel_model::test(preemptions = 3)]
pub async fn the_later_of_two_inserts_finds_the_earlier() {
    let map = Repository::new();
    let other = map.clone();
    let inserted = spawn(async move { other.insert(0, 'b').await });
    match (map.insert(0, 'a').await, inserted.await.expect("it ends")) {
        (Ok(Some('b')), Ok(None)) | (Ok(None), Ok(Some('a'))) => {}
        other => panic!("{other:?}"),
    }
}

/// Data is passed by channels: who has its answer sees what it did, and so does everybody later.
#[windtunnel_model::test]
pub async fn a_call_that_returned_was_executed() {
    let map = Repository::new();
    assert_eq!(map.insert(0, 'a').await, Ok(None));
    let other = map.clone();
    let read = spawn(async move { other.get(0).await });
    assert_eq!(read.await.expect("it ends"), Ok(Some('a')));
}

/// A key that is taken out is gone.
#[windtunnel_model::test(preemptions = 4)]
pub async fn what_is_removed_is_gone() {
    let map = Repository::new();
    assert_eq!(map.insert(0, 'a').await, Ok(None));
    assert_eq!(map.remove(0).await, Ok(Some('a')));
    assert_eq!(map.len().await, Ok(0));
}

/// Census `repo-abandoned-get`: a caller who is gone when the answer comes keeps nobody waiting.
#[windtunnel_model::test]
pub async fn an_abandoned_get_blocks_nobody() {
    let map = Repository::new();
    begun(pin!(map.get(0)).as_mut()).await;
    assert_eq!(map.insert(0, 'a').await, Ok(None));
}

/// Given up at any moment, an insert is done or not, and what returned in time was done.
#[windtunnel_model::test]
pub async fn an_abandoned_insert_is_done_or_not() {
    let map = Repository::new();
    let inserted = time::timeout(time::secs(1), map.insert(0, 'a')).await;
    let found = map.get(0).await;
    match inserted {
        Ok(inserted) => assert_eq!((inserted, found), (Ok(None), Ok(Some('a')))),
        Err(time::Elapsed) => assert!([Ok(None), Ok(Some('a'))].contains(&found), "{found:?}"),
    }
}

/// An insert against the end: it is in what the owner had, or its caller is told that it is not.
#[windtunnel_model::test]
pub async fn close_against_insert() {
    let map = Repository::new();
    let other = map.clone();
    let inserted = spawn(async move { other.insert(0, 'a').await });
    let left = map.close().await.expect("it is open");
    match inserted.await.expect("it ends") {
        Ok(before) => assert_eq!((before, left), (None, HashMap::from([(0, 'a')]))),
        Err(Closed) => assert_eq!(left, HashMap::new()),
    }
}

/// Census `safemap-insert-after-close`: a late call is refused, and nothing more comes of it.
#[windtunnel_model::test]
pub async fn a_closed_repository_refuses() {
    let map = Repository::new();
    assert_eq!(map.insert(0, 'a').await, Ok(None));
    assert_eq!(map.close().await, Ok(HashMap::from([(0, 'a')])));
    assert_eq!(map.insert(0, 'b').await, Err(Closed));
    assert_eq!(map.close().await, Err(Closed));
}

/// Of two who close it, one has what was in it.
#[windtunnel_model::test]
pub async fn one_of_two_closes_it() {
    let map = Repository::<u8, u8>::new();
    let other = map.clone();
    let closed = spawn(async move { other.close().await.is_ok() });
    assert_ne!(map.close().await.is_ok(), closed.await.expect("it ends"));
}

/// Hint 8, know why and when each task will exit (census `repo-no-shutdown`): the owner with the last handle.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_task() {
    let map = Repository::new();
    let other = map.clone();
    let caller = spawn(async move { begun(pin!(other.insert(0, 'a')).as_mut()).await });
    drop(map);
    caller.await.expect("it ends, with its answer or without");
}

/// Callers at one key, each in time or not, and a close: each call that returned was executed, in one order.
async fn callers_in_time_and_a_close<const CALLERS: usize>(values: [char; CALLERS]) {
    let map = Repository::new();
    let callers = values.map(|value| {
        let map = map.clone();
        spawn(async move { time::timeout(time::millis(10), map.insert(0, value)).await })
    });
    let left = map.close().await.expect("it is open");
    let mut before = Vec::new();
    for caller in callers {
        if let Ok(Ok(found)) = caller.await.expect("nobody aborts it") {
            before.push(found);
        }
    }
    assert!(before.is_empty() || left.contains_key(&0), "{before:?}, {left:?}");
    let distinct: std::collections::HashSet<_> = before.iter().collect();
    assert_eq!(distinct.len(), before.len(), "no two found the same: {before:?}");
}

/// A caller in time or not, and a close.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn a_caller_in_time_and_a_close() {
    callers_in_time_and_a_close(['a']).await;
}

/// Two callers at one key, each in time or not, and a close: each call that returned was executed, in one order.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn two_callers_in_time_and_a_close() {
    callers_in_time_and_a_close(['a', 'b']).await;
}
