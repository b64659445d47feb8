//! Publish/subscribe in simulated time: slow subscribers, and such as go.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rand::Rng;
use windtunnel::rand::rng;
use windtunnel::task::{JoinHandle, spawn};
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::pubsub::{
    HelperServer, LoopServer, MutexServer, Notice, Options, Policy, PubSub, Subscription,
};
use windtunnel_sim::Sim;
use windtunnel_sim::history::{assert_nothing_lost_or_doubled, assert_program_order, assert_same_order};

use super::live_tasks_of_patterns;

const EVENTS: u64 = 20;
const PUBLISHERS: u64 = 3;

/// An event: who published it, and which of theirs it is.
type Event = (u64, u64);

/// What a subscriber saw.
struct Seen {
    notices: Vec<Notice<Event>>,
    policy: Policy,
    /// It stayed to the end.
    stayed: bool,
    missed: u64,
}

impl Seen {
    fn events(&self) -> Vec<Event> {
        self.notices
            .iter()
            .filter_map(|notice| if let Notice::Event(event) = notice { Some(*event) } else { None })
            .collect()
    }
}

/// How long a random somebody takes for an event.
fn pace() -> Duration {
    let slowest = [0, 2, 20][rng().random_range(0..3)];
    time::millis(rng().random_range(0..=slowest))
}

fn any_policy() -> Policy {
    let queue = rng().random_range(1..6);
    let some = NonZeroUsize::new(queue).expect("one at least");
    [Policy::Wait(queue - 1), Policy::Drop(some), Policy::Coalesce(some), Policy::Disconnect(some)]
        [rng().random_range(0..4)]
}

/// Receives at its own pace. It may cancel after some events, and go on to the end, or go without a word.
async fn receive(mut subscription: Subscription<Event>, policy: Policy) -> Seen {
    let (pace, leaves, after) = (pace(), rng().random_range(0..4), rng().random_range(0..2 * EVENTS));
    let mut seen = Seen { notices: Vec::new(), policy, stayed: leaves > 1, missed: 0 };
    while let Some(notice) = subscription.recv().await {
        seen.notices.push(notice);
        time::sleep(pace).await;
        match leaves {
            0 if seen.notices.len() as u64 == after => return seen,
            1 if seen.notices.len() as u64 == after => subscription.cancel().await,
            _ => {}
        }
    }
    seen.missed = subscription.missed();
    seen
}

async fn publish(server: Arc<impl PubSub<Event>>, publisher: u64) {
    let pace = pace();
    for number in 0..EVENTS {
        server.publish((publisher, number)).await.expect("it is open");
        time::sleep(pace).await;
    }
}

/// Subscribers with any policy and pace, and publishers.
async fn crowd(server: impl PubSub<Event>) -> Vec<Seen> {
    let server = Arc::new(server);
    let mut subscribers: Vec<JoinHandle<Seen>> = Vec::new();
    for _ in 0..rng().random_range(1..6) {
        let policy = any_policy();
        let subscription = server.subscribe(Options::new(policy)).await.expect("it is open");
        subscribers.push(spawn(receive(subscription, policy)));
    }
    let publishers: Vec<_> = (0..PUBLISHERS).map(|publisher| spawn(publish(Arc::clone(&server), publisher))).collect();
    for publisher in publishers {
        publisher.await.expect("whatever becomes of the subscribers, it goes on");
    }
    server.close().await;
    let mut seen = Vec::new();
    for subscriber in subscribers {
        seen.push(subscriber.await.expect("it sees the end"));
    }
    seen
}

/// The contract, of what all subscribers saw.
fn check(seen: &[Seen]) {
    let sent: Vec<(u64, Vec<Event>)> =
        (0..PUBLISHERS).map(|publisher| (publisher, (0..EVENTS).map(|number| (publisher, number)).collect())).collect();
    let all: Vec<Vec<Event>> = seen.iter().map(Seen::events).collect();
    assert_same_order(&all);
    for (seen, events) in seen.iter().zip(&all) {
        assert_program_order(&sent, events);
        if !seen.stayed {
            continue;
        }
        let told: u64 =
            seen.notices.iter().map(|notice| if let Notice::Missed(count) = notice { *count } else { 0 }).sum();
        let (got, published) = (events.len() as u64, PUBLISHERS * EVENTS);
        match seen.policy {
            Policy::Wait(_) => assert_nothing_lost_or_doubled(sent.iter().flat_map(|(_, events)| events), events),
            Policy::Drop(_) => assert_eq!((got + seen.missed, told), (published, 0)),
            Policy::Coalesce(_) => assert_eq!((got + told, told), (published, seen.missed)),
            Policy::Disconnect(_) => {
                let complete = got == published && !seen.notices.contains(&Notice::Disconnected);
                assert!(complete || seen.notices.last() == Some(&Notice::Disconnected), "{:?}", seen.notices);
            }
        }
    }
}

/// Whoever is slow, cancels or goes: all see one order, nothing is lost that the policy does not lose, and no task is left.
#[windtunnel_sim::test(seeds = 64)]
pub async fn everybody_sees_one_order(_sim: Sim) {
    check(&crowd(MutexServer::new()).await);
    check(&crowd(LoopServer::new()).await);
    check(&crowd(HelperServer::new()).await);
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}

const SLOW: Duration = time::millis(20);

/// A slow subscriber and one that is fast. Two events at once, each tenth of a second: the longest time that one of them took to
/// the fast one.
async fn latency_beside_a_slow_subscriber(server: impl PubSub<Instant>, policy: Policy) -> Duration {
    let mut slow = server.subscribe(Options::new(policy)).await.expect("it is open");
    let mut fast = server.subscribe(Options::new(Policy::Wait(0))).await.expect("it is open");
    let slow = spawn(async move {
        while slow.recv().await.is_some() {
            time::sleep(SLOW).await;
        }
    });
    let fast = spawn(async move {
        let mut longest = Duration::ZERO;
        while let Some(Notice::Event(published)) = fast.recv().await {
            longest = longest.max(published.elapsed());
        }
        longest
    });
    for _ in 0..5 {
        let published = Instant::now();
        server.publish(published).await.expect("it is open");
        server.publish(published).await.expect("it is open");
        time::sleep(time::millis(100)).await;
    }
    server.close().await;
    slow.await.expect("it sees the end");
    fast.await.expect("it sees the end")
}

/// Hint 5, let independent concerns run independently: a slow subscriber delays the others, but with a helper (census `pubsub-slow-subscriber-stalls-all`).
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_helper_takes_the_delay_of_a_slow_subscriber(_sim: Sim) {
    let wait = Policy::Wait(0);
    let a_moment = time::millis(5);
    let by_mutex = latency_beside_a_slow_subscriber(MutexServer::new(), wait).await;
    assert!((SLOW..SLOW + a_moment).contains(&by_mutex), "{by_mutex:?}");
    let by_loop = latency_beside_a_slow_subscriber(LoopServer::new(), wait).await;
    assert!((SLOW..SLOW + a_moment).contains(&by_loop), "{by_loop:?}");
    let by_helpers = latency_beside_a_slow_subscriber(HelperServer::new(), wait).await;
    assert!(by_helpers < a_moment, "{by_helpers:?}");
}

/// Under any other policy than to wait for it, a slow subscriber delays nobody, whatever the form.
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_slow_subscriber_that_nobody_waits_for_delays_nobody(_sim: Sim) {
    for policy in [Policy::Drop, Policy::Coalesce, Policy::Disconnect].map(|policy| policy(NonZeroUsize::MIN)) {
        let latencies = [
            latency_beside_a_slow_subscriber(MutexServer::new(), policy).await,
            latency_beside_a_slow_subscriber(LoopServer::new(), policy).await,
            latency_beside_a_slow_subscriber(HelperServer::new(), policy).await,
        ];
        assert!(latencies.iter().all(|latency| *latency < time::millis(5)), "{policy:?}: {latencies:?}");
    }
}

/// A helper has nobody to help when its subscription is dropped: it ends, though no event comes any more.
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_dropped_subscription_takes_its_helper_with_it(_sim: Sim) {
    let server = HelperServer::<Event>::new();
    let subscription = server.subscribe(Options::default()).await.expect("it is open");
    let other = server.subscribe(Options::default()).await.expect("it is open");
    assert_eq!(live_tasks_of_patterns(), 3);
    drop(subscription);
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 2, "the loop and the helper of the other");
    drop(other);
    server.close().await;
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}
