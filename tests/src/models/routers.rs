//! A task for each router, under every interleaving.

use std::sync::Arc;

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel::{spawn, time};
use windtunnel_patterns::routers::{Calculator, EventError, Options, Policy, QueryError, Routers};

use super::task::forever;

/// The event that keeps its router busy until it is let go.
const SLOW: u8 = 100;
/// The event that keeps it busy for ever.
const NEVER: u8 = 200;

/// How long what may be given up is waited for.
const LIMIT: time::Duration = time::millis(50);

/// The state of a router is what it has heard, in order. States at the end are kept.
#[derive(Clone)]
struct Log {
    go: Channel<()>,
    /// Holds a value while a router has a task.
    alive: Channel<()>,
    ended: Channel<Vec<u8>>,
}

impl Log {
    fn new() -> Self {
        Self { go: go::named("go", 0), alive: go::named("alive", 2), ended: go::named("ended", 4) }
    }

    fn let_go(&self) {
        self.go.close().expect("closed once");
    }

    /// What has ended, one after the other.
    fn ended(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.ended.try_recv().ok()).collect()
    }
}

impl Calculator for Log {
    type Id = u8;
    type Event = u8;
    type State = Vec<u8>;

    async fn begin(&self, _router: &u8) -> Vec<u8> {
        self.alive.try_send(()).expect("two routers at most");
        Vec::new()
    }

    async fn event(&self, heard: &mut Vec<u8>, event: u8) {
        match event {
            SLOW => assert_eq!(self.go.recv().await, None),
            NEVER => forever().await,
            _ => {}
        }
        heard.push(event);
    }

    async fn end(&self, _router: &u8, heard: Vec<u8>) {
        self.alive.try_recv().expect("it began");
        self.ended.send(heard).await.expect("never closed");
    }
}

fn routers(policy: Policy) -> (Arc<Routers<Log>>, Log) {
    let (log, options) = (Log::new(), Options { policy, ..Options::default() });
    (Arc::new(Routers::new(options, log.clone())), log)
}

/// The first event of a router begins its task, and so do two at once: one task.
#[windtunnel_model::test]
pub async fn two_first_events_begin_one_task() {
    let (routers, log) = routers(Policy::Wait(0));
    let other = Arc::clone(&routers);
    let other = spawn(async move { other.event(1, 2).await });
    assert_eq!(routers.event(1, 1).await, Ok(()));
    assert_eq!(other.await, Ok(Ok(())));
    assert_eq!(routers.count().await, 1);
    routers.stop().await;
    let ended = log.ended();
    assert!(ended == [[1, 2]] || ended == [[2, 1]], "{ended:?}");
}

/// A query has every event that was accepted before, in order; of a router that nobody has heard of there is no state.
#[windtunnel_model::test]
pub async fn a_query_has_every_event_accepted_before() {
    let (routers, log) = routers(Policy::Wait(1));
    for event in [1, 2] {
        assert_eq!(routers.event(1, event).await, Ok(()));
    }
    assert_eq!(routers.query(&2).await, Err(QueryError::Unknown));
    assert_eq!(routers.query(&1).await, Ok(vec![1, 2]));
    routers.stop().await;
    assert_eq!(log.ended(), [[1, 2]]);
}

/// While they are stopped, an event is accepted, and in the state that is handed over, or it is given back.
#[windtunnel_model::test]
pub async fn stop_against_event() {
    let (routers, log) = routers(Policy::Wait(0));
    assert_eq!(routers.event(1, 1).await, Ok(()));
    let other = Arc::clone(&routers);
    let other = spawn(async move { other.event(1, 2).await });
    routers.stop().await;
    match other.await.expect("it ends") {
        Ok(()) => assert_eq!(log.ended(), [[1, 2]]),
        Err(error) => assert_eq!((error, log.ended()), (EventError::Stopped(2), vec![vec![1]])),
    }
    assert_eq!(routers.event(1, 3).await, Err(EventError::Stopped(3)));
    assert_eq!((routers.query(&1).await, routers.count().await), (Err(QueryError::Stopped), 0));
}

/// A query that meets the stop is answered, or told.
#[windtunnel_model::test(preemptions = 3)]
pub async fn stop_against_query() {
    let (routers, _) = routers(Policy::Wait(0));
    assert_eq!(routers.event(1, 1).await, Ok(()));
    let other = Arc::clone(&routers);
    let other = spawn(async move { other.query(&1).await });
    routers.stop().await;
    let answer = other.await.expect("it ends");
    assert!(answer == Ok(vec![1]) || answer == Err(QueryError::Stopped), "{answer:?}");
}

/// Census `router-head-of-line-blocking`: a router is busy, somebody waits for it, and another router hears and answers.
#[windtunnel_model::test(preemptions = 2)]
pub async fn a_slow_router_keeps_nobody_else_waiting() {
    let (routers, log) = routers(Policy::Wait(0));
    assert_eq!(routers.event(1, SLOW).await, Ok(()));
    let other = Arc::clone(&routers);
    let other = spawn_named("source of router 1", async move { other.event(1, 2).await });
    assert_eq!(routers.event(2, 3).await, Ok(()));
    assert_eq!(routers.query(&2).await, Ok(vec![3]));
    log.let_go();
    assert_eq!(other.await, Ok(Ok(())));
    routers.stop().await;
    let mut ended = log.ended();
    ended.sort();
    assert_eq!(ended, [vec![3], vec![SLOW, 2]]);
}

/// What does not fit the queue of a slow router is given back and counted.
#[windtunnel_model::test]
pub async fn what_does_not_fit_is_lost_and_counted() {
    let (routers, log) = routers(Policy::Drop(std::num::NonZeroUsize::MIN));
    for event in [SLOW, 2] {
        assert_eq!(routers.event(1, event).await, Ok(()));
    }
    assert_eq!(routers.event(1, 3).await, Err(EventError::Lost(3)));
    assert_eq!(routers.lost().await, 1);
    log.let_go();
    routers.stop().await;
    assert_eq!(log.ended(), [[SLOW, 2]]);
}

/// A router that may end at any moment, since nothing has come for too long: each event is in one of its states, in order, and its
/// next task begins when the one before has ended.
#[windtunnel_model::test(preemptions = 3)]
pub async fn eviction_against_event() {
    let options = Options { policy: Policy::Wait(1), idle: Some(time::secs(1)), ..Options::default() };
    let log = Log::new();
    let log = Log { alive: go::named("alive", 1), ..log };
    let routers = Routers::new(options, log.clone());
    for event in [1, 2] {
        assert_eq!(routers.event(1, event).await, Ok(()));
    }
    assert!(routers.count().await <= 1);
    routers.stop().await;
    assert_eq!(log.ended().concat(), [1, 2]);
}

/// Nothing is known of a router that has ended; until then its query is answered.
#[windtunnel_model::test(preemptions = 3)]
pub async fn eviction_against_query() {
    let (log, options) = (Log::new(), Options { idle: Some(time::secs(1)), ..Options::default() });
    let routers = Routers::new(options, log.clone());
    assert_eq!(routers.event(1, 1).await, Ok(()));
    let answer = routers.query(&1).await;
    assert!(answer == Ok(vec![1]) || answer == Err(QueryError::Unknown), "{answer:?}");
    routers.stop().await;
    assert_eq!(log.ended(), [[1]]);
}

/// There are as many as may be: one more is refused, those that are there go on.
#[windtunnel_model::test]
pub async fn too_many_are_refused() {
    let options = Options { routers: std::num::NonZeroUsize::MIN, ..Options::default() };
    let routers = Routers::new(options, Log::new());
    assert_eq!(routers.event(1, 1).await, Ok(()));
    assert_eq!(routers.event(2, 2).await, Err(EventError::TooMany(2)));
    assert_eq!(routers.event(1, 3).await, Ok(()));
    assert_eq!(routers.query(&1).await, Ok(vec![1, 3]));
    routers.stop().await;
}

/// An event that is given up is in the state or it is not; one that was accepted is.
#[windtunnel_model::test(preemptions = 3)]
pub async fn a_dropped_event_is_in_or_not() {
    let (routers, log) = routers(Policy::Wait(0));
    assert_eq!(routers.event(1, SLOW).await, Ok(()));
    let given_up = time::timeout(LIMIT, routers.event(1, 2));
    let accepted = {
        let other = log.clone();
        let letting_go = spawn(async move { other.let_go() });
        let accepted = given_up.await.is_ok();
        letting_go.await.expect("it ends");
        accepted
    };
    assert_eq!(routers.event(1, 3).await, Ok(()));
    routers.stop().await;
    let ended = log.ended();
    assert!(ended == [[SLOW, 2, 3]] || (!accepted && ended == [[SLOW, 3]]), "{ended:?}");
}

/// Hint 8, know why and when each task will exit (census `router-goroutines-never-exit`): with the whole, whatever they are at.
#[windtunnel_model::test]
pub async fn a_dropped_whole_leaves_no_task() {
    let (routers, _) = routers(Policy::Wait(0));
    assert_eq!(routers.event(1, NEVER).await, Ok(()));
    assert_eq!(routers.event(2, 1).await, Ok(()));
}

/// A stop that is given up drops the routers that have not ended.
#[windtunnel_model::test]
pub async fn a_dropped_stop_leaves_no_task() {
    let (routers, _) = routers(Policy::Wait(0));
    assert_eq!(routers.event(1, NEVER).await, Ok(()));
    assert_eq!(routers.event(2, 1).await, Ok(()));
    assert!(time::timeout(LIMIT, routers.stop()).await.is_err());
}

/// Sources of events, with their routers, which end when nothing comes for a while: each event that was accepted is in one state, in
/// order.
async fn sources_of_routers_that_may_end<const SOURCES: usize>(sources: [&'static [(u8, u8)]; SOURCES]) {
    let log = Log { alive: go::named("alive", 2), ended: go::named("ended", 8), ..Log::new() };
    let options = Options { policy: Policy::Wait(1), idle: Some(time::secs(1)), ..Options::default() };
    let routers = Arc::new(Routers::new(options, log.clone()));
    let mut accepted = sources.concat();
    let sources = sources.map(|events| {
        let routers = Arc::clone(&routers);
        spawn_named("source", async move {
            for &(router, event) in events {
                assert_eq!(routers.event(router, event).await, Ok(()));
            }
        })
    });
    for source in sources {
        source.await.expect("it ends");
    }
    routers.stop().await;
    let mut heard = log.ended().concat();
    heard.sort_unstable();
    accepted.sort_unstable_by_key(|(_, event)| *event);
    assert_eq!(heard, accepted.iter().map(|(_, event)| *event).collect::<Vec<_>>());
}

/// A source, and a router that may end between its two events.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn two_events_of_a_router_that_may_end() {
    sources_of_routers_that_may_end([&[(1, 1), (1, 2)]]).await;
}

/// Two sources and two routers.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn two_sources_and_two_routers_that_may_end() {
    sources_of_routers_that_may_end([&[(1, 1), (2, 2)], &[(2, 3)]]).await;
}
