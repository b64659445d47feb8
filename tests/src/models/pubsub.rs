//! Publish/subscribe under every interleaving: the same bodies for the three forms of the server.

use std::num::NonZeroUsize;
use std::sync::Arc;

use windtunnel::task::spawn_named;
use windtunnel::{spawn, time};
use windtunnel_patterns::pubsub::{Notice, Options, Policy, PubSub, PublishError, SubscribeError, Subscription};

/// Makes a body a model of each form that is too large for loom.
macro_rules! large_of_every_form {
    ($body:ident: $(#[doc = $doc:tt] $name:ident of $server:ident, bound($($bound:tt)*);)*) => {
        $(
            #[doc = $doc]
            #[windtunnel_model::test(engine = explore, test_executions = 300 $($bound)*)]
            pub async fn $name() {
                $body(windtunnel_patterns::pubsub::$server::new()).await;
            }
        )*
    };
}

large_of_every_form! {
    two_by_two_by_two:
    /// Two publishers, two subscribers, two events of each, and a cancel, with a mutex.
    two_by_two_by_two_with_a_mutex of MutexServer, bound();
    /// Two publishers, two subscribers, two events of each, and a cancel, with a loop.
    two_by_two_by_two_with_a_loop of LoopServer, bound(, max_executions = 200_000);
    /// Two publishers, two subscribers, two events of each, and a cancel, with helpers.
    two_by_two_by_two_with_helpers of HelperServer, bound(, max_executions = 200_000);
}

/// Makes each body a model of each form. All interleavings of a loop, and more so of its helpers, are too many for most bodies:
/// there the preemptions are limited, as far as that takes a second or so.
macro_rules! of_every_form {
    ($($(#[doc = $doc:tt])* $body:ident, event_loop($($of_loop:tt)*), helpers($($of_helpers:tt)*);)*) => {
        of_every_form! { in pubsub_mutex, MutexServer: $($(#[doc = $doc])* $body();)* }
        of_every_form! { in pubsub_loop, LoopServer: $($(#[doc = $doc])* $body($($of_loop)*);)* }
        of_every_form! { in pubsub_helpers, HelperServer: $($(#[doc = $doc])* $body($($of_helpers)*);)* }
    };
    (in $form:ident, $server:ident: $($(#[doc = $doc:tt])* $body:ident($($limits:tt)*);)*) => {
        #[doc = concat!("The models of [`", stringify!($server), "`](windtunnel_patterns::pubsub::", stringify!($server), ").")]
        pub mod $form {
            use windtunnel_patterns::pubsub::$server;
            $(
                $(#[doc = $doc])*
                #[windtunnel_model::test($($limits)*)]
                pub async fn $body() {
                    super::$body($server::new()).await;
                }
            )*
        }
    };
}

of_every_form! {
    /// The receiving task cancels while an event is on its way to it.
    cancel_against_publish, event_loop(preemptions = 3), helpers(preemptions = 2);
    /// What was published before a cancel arrives, and nothing later, and then the end.
    a_cancel_is_exact, event_loop(preemptions = 3), helpers(preemptions = 2);
    /// A cancel that is given up loses nothing.
    a_dropped_cancel_loses_nothing, event_loop(preemptions = 2), helpers(preemptions = 1);
    /// Close against publish: the event reaches everybody or its publisher is told.
    close_against_publish, event_loop(), helpers(preemptions = 2);
    /// A subscription is dropped while an event is on its way to it: the publisher goes on.
    drop_against_publish, event_loop(), helpers(preemptions = 2);
    /// Two publishers, two subscribers: both see the same order, with every event.
    everybody_sees_one_order, event_loop(preemptions = 2), helpers(preemptions = 0);
    /// What is told as missed and what arrives add up to what was published, in order.
    coalesced_events_add_up, event_loop(preemptions = 2), helpers(preemptions = 1);
    /// What is counted as dropped and what arrives add up to what was published, in order.
    dropped_events_are_counted, event_loop(preemptions = 2), helpers(preemptions = 1);
    /// A subscriber that is too slow is disconnected, and knows.
    too_slow_is_disconnected, event_loop(preemptions = 2), helpers(preemptions = 1);
    /// Hint 8, know why and when each task will exit: with the server, all end.
    a_dropped_server_leaves_no_task, event_loop(preemptions = 3), helpers(preemptions = 2);
}

const ONE: NonZeroUsize = NonZeroUsize::MIN;

type Notices = Vec<Notice<u64>>;

async fn subscribed(server: &impl PubSub<u64>, policy: Policy) -> Subscription<u64> {
    server.subscribe(Options::new(policy)).await.expect("it is open")
}

async fn rest(mut subscription: Subscription<u64>) -> (Notices, u64) {
    let mut notices = Vec::new();
    while let Some(notice) = subscription.recv().await {
        notices.push(notice);
    }
    (notices, subscription.missed())
}

async fn publish(server: &impl PubSub<u64>, events: impl IntoIterator<Item = u64>) {
    for event in events {
        server.publish(event).await.expect("it is open");
    }
}

async fn cancel_against_publish(server: impl PubSub<u64>) {
    let mut subscription = subscribed(&server, Policy::Wait(0)).await;
    let publisher = spawn(async move { publish(&server, [0]).await });
    subscription.cancel().await;
    let (notices, _) = rest(subscription).await;
    assert!(notices.is_empty() || notices == [Notice::Event(0)], "{notices:?}");
    publisher.await.expect("it ends");
}

async fn a_cancel_is_exact(server: impl PubSub<u64>) {
    let mut subscription = subscribed(&server, Policy::Wait(1)).await;
    publish(&server, [0]).await;
    subscription.cancel().await;
    publish(&server, [1]).await;
    assert_eq!(rest(subscription).await.0, [Notice::Event(0)]);
}

async fn a_dropped_cancel_loses_nothing(server: impl PubSub<u64>) {
    let mut subscription = subscribed(&server, Policy::Wait(1)).await;
    publish(&server, [0]).await;
    let publisher = spawn(async move {
        publish(&server, [1]).await;
        server.close().await;
    });
    let _ = time::timeout(time::secs(1), subscription.cancel()).await;
    let (notices, _) = rest(subscription).await;
    assert!([1, 2].iter().any(|seen| notices.iter().copied().eq((0..*seen).map(Notice::Event))), "{notices:?}");
    publisher.await.expect("it ends");
}

async fn close_against_publish(server: impl PubSub<u64>) {
    let server = Arc::new(server);
    let subscription = subscribed(&*server, Policy::Wait(1)).await;
    let publishing = Arc::clone(&server);
    let publisher = spawn(async move { publishing.publish(0).await });
    server.close().await;
    let (notices, _) = rest(subscription).await;
    match publisher.await.expect("it ends") {
        Ok(()) => assert_eq!(notices, [Notice::Event(0)]),
        Err(PublishError(event)) => assert_eq!((event, notices), (0, vec![])),
    }
    assert_eq!(server.publish(1).await, Err(PublishError(1)));
    assert_eq!(server.subscribe(Options::default()).await.err(), Some(SubscribeError));
    server.close().await;
}

async fn drop_against_publish(server: impl PubSub<u64>) {
    let subscription = subscribed(&server, Policy::Wait(0)).await;
    let subscriber = spawn(async move { drop(subscription) });
    publish(&server, [0, 1]).await;
    subscriber.await.expect("it ends");
    server.close().await;
}

/// Publishes [`PUBLISHED`] events and closes, while another task subscribes to the end.
async fn overrun(server: impl PubSub<u64>, policy: fn(NonZeroUsize) -> Policy) -> (Notices, u64) {
    let subscription = subscribed(&server, policy(ONE)).await;
    let subscriber = spawn(rest(subscription));
    publish(&server, 0..PUBLISHED).await;
    server.close().await;
    subscriber.await.expect("it ends")
}

const PUBLISHED: u64 = 3;

async fn coalesced_events_add_up(server: impl PubSub<u64>) {
    let (notices, missed) = overrun(server, Policy::Coalesce).await;
    let (mut next, mut told) = (0, 0);
    for notice in &notices {
        match notice {
            Notice::Event(event) => {
                assert_eq!(*event, next, "{notices:?}");
                next += 1;
            }
            Notice::Missed(count) => {
                next += count;
                told += count;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((next, told), (PUBLISHED, missed), "{notices:?}");
}

async fn dropped_events_are_counted(server: impl PubSub<u64>) {
    let (notices, missed) = overrun(server, Policy::Drop).await;
    assert!(
        notices.windows(2).all(|pair| matches!(pair, [Notice::Event(a), Notice::Event(b)] if a < b)),
        "{notices:?}"
    );
    assert_eq!(notices.len() as u64 + missed, PUBLISHED, "{notices:?}");
    assert_eq!(notices[0], Notice::Event(0), "one event fits");
}

async fn too_slow_is_disconnected(server: impl PubSub<u64>) {
    let (mut notices, _) = overrun(server, Policy::Disconnect).await;
    let disconnected = notices.pop_if(|last| *last == Notice::Disconnected).is_some();
    let seen = notices.len() as u64;
    assert!(notices.into_iter().eq((0..seen).map(Notice::Event)), "what came before is complete");
    assert_eq!(disconnected, seen < PUBLISHED, "{seen} events seen");
    assert!(seen > 0, "one event fits");
}

async fn a_dropped_server_leaves_no_task(server: impl PubSub<u64>) {
    let subscription = subscribed(&server, Policy::Wait(0)).await;
    let mut cancelled = subscribed(&server, Policy::Wait(0)).await;
    drop(server);
    cancelled.cancel().await;
    assert_eq!(rest(cancelled).await.0, []);
    assert_eq!(rest(subscription).await.0, []);
}

async fn everybody_sees_one_order(server: impl PubSub<u64>) {
    let server = Arc::new(server);
    let subscriptions = [subscribed(&*server, Policy::Wait(2)).await, subscribed(&*server, Policy::Wait(2)).await];
    let other = Arc::clone(&server);
    let other = spawn(async move { publish(&*other, [1]).await });
    publish(&*server, [0]).await;
    other.await.expect("it ends");
    server.close().await;
    let [a, b] = subscriptions;
    let (mut seen, _) = rest(a).await;
    assert_eq!(rest(b).await.0, seen, "everybody sees the same order");
    seen.sort_unstable_by_key(|notice| matches!(notice, Notice::Event(1)));
    assert_eq!(seen, [0, 1].map(Notice::Event));
}

/// Two publishers of two events, a subscriber who stays and one who cancels when it likes: who stays has all, each publisher's in
/// order, and the other one the beginning of that.
async fn two_by_two_by_two(server: impl PubSub<u64>) {
    let server = Arc::new(server);
    let stays = subscribed(&*server, Policy::Wait(4)).await;
    let mut goes = subscribed(&*server, Policy::Wait(4)).await;
    let publishers = [[0, 1], [10, 11]].map(|events| {
        let server = Arc::clone(&server);
        spawn_named("publisher", async move { publish(&*server, events).await })
    });
    let going = spawn_named("goes", async move {
        goes.cancel().await;
        rest(goes).await
    });
    for publisher in publishers {
        publisher.await.expect("it ends");
    }
    server.close().await;
    let (all, missed) = rest(stays).await;
    let (some, _) = going.await.expect("it ends");
    assert!(all.starts_with(&some), "{some:?} of {all:?}");
    let of = |events: [u64; 2]| all.iter().copied().filter(move |it| events.map(Notice::Event).contains(it));
    assert!(of([0, 1]).eq([0, 1].map(Notice::Event)) && of([10, 11]).eq([10, 11].map(Notice::Event)), "{all:?}");
    assert_eq!((all.len(), missed), (4, 0), "{all:?}");
}
