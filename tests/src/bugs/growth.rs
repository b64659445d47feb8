//! Bugs that show in what grows: queues, maps, tasks and delays.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use windtunnel::go::{self, Channel};
use windtunnel::sync::Semaphore;
use windtunnel::task::spawn_named;
use windtunnel::time::{Instant, millis, secs, sleep};
use windtunnel_sim::Sim;

use super::simulated::simulated;
use super::{Bug, Check};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &SLOW_SUBSCRIBER_STALLS_ALL,
    &UNBOUNDED_QUEUE,
    &QUEUE_RETENTION,
    &GOROUTINE_PER_ITEM,
    &MAP_GROWTH,
    &NO_QUERY_PATH,
];

const METRIC_BOUND: &str = "metric bound";

/// Notes `value`, and has the run fail once it is over `most`.
fn gauge(sim: &Sim, name: &str, most: usize) -> Arc<AtomicUsize> {
    let gauge = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&gauge);
    sim.limit(name, most, move || seen.load(Ordering::Relaxed));
    gauge
}

/// `helper`: a task with a queue of its own before `out`.
fn helper(out: Channel<u64>) -> Channel<u64> {
    let queue = go::named("queue", 10);
    let input = queue.clone();
    spawn_named("helper", async move {
        while let Some(event) = input.recv().await {
            out.send(event).await.expect("it is never closed");
        }
    });
    queue
}

/// Ten events, one each tenth of a second, to a subscriber that is fast and one that takes a second for each.
async fn publish_to_fast_and_slow(sim: Sim, helpers: bool) {
    let late = gauge(&sim, "delay of the fast subscriber in ms", 100);
    let began = Instant::now();
    let (fast, slow) = (go::named("fast", 0), go::named("slow", 0));
    let (to_fast, to_slow) = (fast.clone(), slow.clone());
    spawn_named("fast", async move {
        while let Some(event) = to_fast.recv().await {
            let delay = began.elapsed().saturating_sub(millis(100 * event));
            late.store(usize::try_from(delay.as_millis()).expect("a small number"), Ordering::Relaxed);
        }
    });
    spawn_named("slow", async move {
        while to_slow.recv().await.is_some() {
            sleep(secs(1)).await;
        }
    });
    let subscribers = [fast, slow].map(|out| if helpers { helper(out) } else { out });
    for event in 0..10 {
        windtunnel::time::sleep_until(began + millis(100 * event)).await;
        for subscriber in &subscribers {
            subscriber.send(event).await.expect("it is never closed");
        }
    }
}

/// Hint 6, consider the effect of slow goroutines.
static SLOW_SUBSCRIBER_STALLS_ALL: Bug = Bug {
    id: "pubsub-slow-subscriber-stalls-all",
    source: "002:380-499, 003 [19:41]",
    summary: "An event is handed to one subscriber after the other: all of them wait for the slow one, event after event.",
    mend: "A helper with a queue for each subscriber.",
    check: simulated(
        "pubsub-slow-subscriber-stalls-all",
        METRIC_BOUND,
        [|sim| Box::pin(publish_to_fast_and_slow(sim, false)), |sim| Box::pin(publish_to_fast_and_slow(sim, true))],
        "limit: delay of the fast subscriber in ms",
    ),
};

/// A helper whose subscriber is stuck, for a hundred events; it keeps so many and counts the others.
async fn events_for_a_stuck_subscriber(sim: Sim, most: usize) {
    let queued = gauge(&sim, "queued events", 10);
    let (mut queue, mut missed) = (VecDeque::new(), 0);
    for event in 0..100 {
        sleep(millis(1)).await;
        if queue.len() < most {
            queue.push_back(event);
        } else {
            missed += 1;
        }
        queued.store(queue.len(), Ordering::Relaxed);
    }
    assert_eq!(queue.len() + missed, 100);
}

/// Hint 12, think carefully before introducing unbounded queuing.
static UNBOUNDED_QUEUE: Bug = Bug {
    id: "helper-unbounded-queue",
    source: "002:810-1075, 003 [24:11]",
    summary: "A subscriber is stuck: its helper keeps every event for it, without end.",
    mend: "A queue with a bound, and a policy for what does not fit: here it is counted.",
    check: simulated(
        "helper-unbounded-queue",
        METRIC_BOUND,
        [
            |sim| Box::pin(events_for_a_stuck_subscriber(sim, usize::MAX)),
            |sim| Box::pin(events_for_a_stuck_subscriber(sim, 10)),
        ],
        "limit: queued events: 11, at most 10",
    ),
};

/// `q = q[1:]`: what was sent stays in the memory of the slice, before its beginning.
#[derive(Default)]
struct Slice {
    events: Vec<u32>,
    start: usize,
}

/// A hundred events through a queue that is never longer than one.
async fn events_one_by_one(sim: Sim, push_and_pop: impl Fn(&mut Slice, &mut VecDeque<u32>, u32) -> usize) {
    let kept = gauge(&sim, "events in memory", 10);
    let (mut slice, mut ring) = (Slice::default(), VecDeque::new());
    for event in 0..100 {
        sleep(millis(1)).await;
        kept.store(push_and_pop(&mut slice, &mut ring, event), Ordering::Relaxed);
    }
}

static QUEUE_RETENTION: Bug = Bug {
    id: "helper-queue-retention",
    source: "002:810-966",
    summary: "`q = q[1:]` moves the beginning of the queue and frees nothing: what was delivered long ago is still in memory.",
    mend: "A ring buffer.",
    check: simulated(
        "helper-queue-retention",
        METRIC_BOUND,
        [
            |sim| {
                Box::pin(events_one_by_one(sim, |slice, _, event| {
                    slice.events.push(event);
                    slice.start += 1;
                    slice.events.len()
                }))
            },
            |sim| {
                Box::pin(events_one_by_one(sim, |_, ring, event| {
                    ring.push_back(event);
                    ring.pop_front();
                    ring.capacity()
                }))
            },
        ],
        "limit: events in memory: 11, at most 10",
    ),
};

/// A hundred lookups, two at a time: the places are taken in their tasks, or before these are started.
async fn hundred_lookups(sim: Sim, before: bool) {
    sim.limit_tasks(1 + 2);
    let limit = Arc::new(Semaphore::new(2));
    for host in 0..100 {
        let early = if before { Some(Arc::clone(&limit).acquire_owned().await) } else { None };
        let limit = Arc::clone(&limit);
        spawn_named(format!("lookup {host}"), async move {
            let _permit = match early {
                Some(permit) => permit,
                None => limit.acquire_owned().await,
            };
            sleep(millis(10)).await;
        });
    }
    sleep(secs(10)).await;
}

static GOROUTINE_PER_ITEM: Bug = Bug {
    id: "bounded1-goroutine-per-item",
    source: "000:753-853",
    summary: "Two lookups run at a time, and yet there is a task for each of the hosts from the beginning: the limit is inside them.",
    mend: "Wait for a place before the task is started.",
    check: simulated(
        "bounded1-goroutine-per-item",
        METRIC_BOUND,
        [|sim| Box::pin(hundred_lookups(sim, false)), |sim| Box::pin(hundred_lookups(sim, true))],
        "limit: live tasks: 101, at most 3",
    ),
};

/// Events of two hundred routers, one each second and router; what has been idle for a minute may be forgotten.
async fn events_of_many_routers(sim: Sim, evicts: bool) {
    let known = gauge(&sim, "routers in the map", 61);
    let mut routers = BTreeMap::new();
    for router in 0..200 {
        sleep(secs(1)).await;
        let now = Instant::now();
        routers.insert(router, now);
        if evicts {
            routers.retain(|_, last| now - *last < secs(60));
        }
        known.store(routers.len(), Ordering::Relaxed);
    }
}

static MAP_GROWTH: Bug = Bug {
    id: "router-map-growth",
    source: "004:214-241",
    summary: "A router is put into the map with its first event, and never taken out: the map only grows.",
    mend: "Forget routers that have been idle for long.",
    check: simulated(
        "router-map-growth",
        METRIC_BOUND,
        [|sim| Box::pin(events_of_many_routers(sim, false)), |sim| Box::pin(events_of_many_routers(sim, true))],
        "limit: routers in the map: 62, at most 61",
    ),
};

static NO_QUERY_PATH: Bug = Bug {
    id: "router-no-query-path",
    source: "004:114-121, 214-241",
    summary: "Queries are promised, and nothing in the program can ask a router for its state.",
    mend: "A query as one more kind of message to a router, as the pattern `routers` has it.",
    check: Check::Excluded {
        reason: "what is missing is a feature: no run of the printed program does anything wrong, so there is nothing to find in one",
    },
};
