//! Publish/subscribe over a simulated network, whose clients fail.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::task::{dump, spawn_named};
use windtunnel::time;
use windtunnel_patterns::pubsub::remote::{Event, Options, Publisher, RemoteError, Wanted, serve, subscribe};
use windtunnel_patterns::pubsub::{HelperServer, LoopServer, MutexServer, Notice, Policy, PubSub};
use windtunnel_sim::history::{assert_program_order, assert_same_order};
use windtunnel_sim::oracle::sometimes;
use windtunnel_sim::{Node, Sim, faults};

use super::live_tasks_of_patterns;

const PORT: u16 = 850;
const PUBLISHERS: usize = 2;
const SUBSCRIBERS: usize = 3;

/// Faults last so long.
const TROUBLE: time::Duration = time::secs(10);

fn options() -> Options {
    Options { idle: Some(time::secs(20)), ..Options::default() }
}

/// The task of a connection.
const CONNECTION: &str = "connection";

/// Serves every connection, each in a task of its own.
pub async fn listen(listener: TcpListener, server: Arc<impl PubSub<Event>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let server = Arc::clone(&server);
        spawn_named(CONNECTION, async move {
            let end = serve(stream, &*server, &options()).await;
            tracing::debug!("the connection ended: {end:?}");
        });
    }
}

fn event(topic: &str, publisher: usize, number: u64) -> Event {
    Event { topic: topic.to_owned(), body: format!("{publisher}/{number}") }
}

/// What the clients did and saw. It survives them.
#[derive(Default)]
struct Log {
    /// What each publisher began to publish, in order.
    sent: [Vec<String>; PUBLISHERS],
    /// How many it had begun when it made each of its connections.
    connected: [Vec<usize>; PUBLISHERS],
    /// The number of the first event that a publisher published with all well, and had acknowledged.
    well: [Option<usize>; PUBLISHERS],
    /// What each subscription saw, of all that each subscriber had.
    seen: [Vec<Vec<String>>; SUBSCRIBERS],
    lost: u64,
}

impl Log {
    /// What began to be published over each connection. What is under way on one that is lost may come later than what is
    /// published over the next.
    fn by_connection(&self) -> impl Iterator<Item = Vec<String>> {
        self.sent.iter().zip(&self.connected).flat_map(|(sent, connected)| {
            let ends = connected.iter().skip(1).copied().chain([sent.len()]);
            connected.iter().zip(ends).map(|(start, end)| sent[*start..end].to_vec())
        })
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Log>>);

impl Shared {
    fn with<R>(&self, f: impl FnOnce(&mut Log) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn connect(server: SocketAddr) -> Option<TcpStream> {
    let connected = time::timeout(time::secs(1), TcpStream::connect(server)).await;
    if !matches!(connected, Ok(Ok(_))) {
        time::sleep(time::millis(100)).await;
    }
    connected.ok()?.ok()
}

/// Publishes for ever: each event once, whatever becomes of it.
async fn publisher(server: SocketAddr, name: usize, log: Shared) {
    loop {
        let Some(stream) = connect(server).await else { continue };
        let mut publisher = Publisher::new(stream, &options());
        log.with(|log| log.connected[name].push(log.sent[name].len()));
        loop {
            let number = log.with(|log| {
                let body = event("", name, log.sent[name].len() as u64).body;
                log.sent[name].push(body);
                log.sent[name].len() - 1
            });
            let topic = if number.is_multiple_of(2) { "even" } else { "odd" };
            let event = event(topic, name, number as u64);
            match time::timeout(time::secs(2), publisher.publish(&event)).await {
                Ok(Ok(())) => {}
                Ok(Err(RemoteError::Closed)) => return,
                Ok(Err(_)) | Err(time::Elapsed) => break,
            }
            time::sleep(time::millis(rng().random_range(1..200))).await;
        }
    }
}

/// Subscribes again whenever a subscription is lost, until it is told of the end.
async fn subscriber(server: SocketAddr, name: usize, log: Shared) {
    let wanted = Wanted { topic: (name == 0).then(|| "even".to_owned()), policy: any_policy() };
    loop {
        let Some(stream) = connect(server).await else { continue };
        let mut subscription = match subscribe(stream, &wanted, &options()).await {
            Ok(subscription) => subscription,
            Err(RemoteError::Closed) => return,
            Err(_) => continue,
        };
        log.with(|log| log.seen[name].push(Vec::new()));
        loop {
            match subscription.recv().await {
                Ok(Some(Notice::Event(event))) => {
                    assert!(wanted.topic.as_ref().is_none_or(|topic| *topic == event.topic), "{event:?}");
                    log.with(|log| log.seen[name].last_mut().expect("it is there").push(event.body));
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(lost) => {
                    tracing::debug!("{lost}");
                    log.with(|log| log.lost += 1);
                    break;
                }
            }
        }
    }
}

/// One that nobody waits for: a subscriber in trouble is not to hold the others up.
fn any_policy() -> Policy {
    let queue = NonZeroUsize::new(rng().random_range(1..6)).expect("one at least");
    [Policy::Drop(queue), Policy::Coalesce(queue), Policy::Disconnect(queue)][rng().random_range(0..3)]
}

/// A server, and clients that are in trouble for a while. Then all is well: what is published is seen. Then it is closed.
async fn crowd<P: PubSub<Event>>(sim: &Sim, server: P) -> Shared {
    let (server, log) = (Arc::new(server), Shared::default());
    let listener = TcpListener::bind(sim.main().addr(PORT)).await.expect("the port is free");
    let listening = spawn_named("listener", listen(listener, Arc::clone(&server)));
    let addr = sim.main().addr(PORT);
    let publishers =
        (0..PUBLISHERS).map(|name| client(sim, &log, "publisher", name, move |log| publisher(addr, name, log)));
    let subscribers =
        (0..SUBSCRIBERS).map(|name| client(sim, &log, "subscriber", name, move |log| subscriber(addr, name, log)));
    let nodes: Vec<Node> = publishers.chain(subscribers).collect();
    sim.faults(faults::any().on(&nodes).on_ports([PORT]).healed_by(TROUBLE));
    time::sleep(TROUBLE + time::secs(10)).await;
    log.with(|log| log.well = std::array::from_fn(|name| Some(log.sent[name].len())));
    time::sleep(time::secs(5)).await;
    server.close().await;
    // What had no end to say to anybody, a transport that gives up has ended by now.
    time::sleep(time::secs(130)).await;
    listening.abort();
    log
}

fn client<F>(
    sim: &Sim,
    log: &Shared,
    kind: &str,
    name: usize,
    run: impl Fn(Shared) -> F + Send + Sync + 'static,
) -> Node
where
    F: Future<Output = ()> + Send + 'static,
{
    let log = log.clone();
    sim.node(format!("{kind}{name}"), move |_| run(log.clone()))
}

/// The contract, of what all subscriptions saw.
fn check(log: &Log) {
    let seen: Vec<Vec<String>> = log.seen.iter().flatten().cloned().collect();
    assert_same_order(&seen);
    let sent: Vec<_> = log.by_connection().enumerate().collect();
    for seen in log.seen.iter().map(|subscriptions| subscriptions.concat()) {
        // Over all its subscriptions: nothing doubled either.
        assert_program_order(&sent, &seen);
    }
    sometimes("a subscription was lost", log.lost > 0);
    for (name, (sent, well)) in log.sent.iter().zip(log.well).enumerate() {
        let well = &sent[well.expect("all was well at last")..];
        assert!(well.len() > 5, "publisher {name} goes on");
        // One may still be too slow for its queue, or its subscription may just be made again.
        let last = log.seen.iter().skip(1).filter_map(|seen| seen.last());
        assert!(last.flatten().any(|event| well.contains(event)), "what publisher {name} publishes is seen");
    }
}

/// Clients that are cut off, killed and late, at each form of the server: all see one order, which is that of each publisher's
/// connection, and nothing twice; once all is well publishing goes on; and when all is over, no connection has a task at the server.
#[windtunnel_sim::test(seeds = 48)]
pub async fn everybody_sees_one_order_whatever_befalls_the_clients(sim: Sim) {
    let log = match rng().random_range(0..3) {
        0 => crowd(&sim, MutexServer::new()).await,
        1 => crowd(&sim, LoopServer::new()).await,
        _ => crowd(&sim, HelperServer::new()).await,
    };
    log.with(|log| check(log));
    assert_eq!(live_tasks_of_patterns(), 0);
    let connections = dump().groups.into_iter().flat_map(|group| group.tasks);
    let left: Vec<_> = connections.filter(|task| task.name.as_deref() == Some(CONNECTION)).collect();
    assert!(left.is_empty(), "connections are left: {left:?}");
}

/// A server that is cut off without a word is lost after three heartbeats, and not waited for.
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_silent_server_is_an_error_at_the_subscriber(sim: Sim) {
    let node = sim.node("server", |node| async move {
        let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
        listen(listener, Arc::new(LoopServer::new())).await;
    });
    time::sleep(time::secs(1)).await;
    let stream = connect(node.addr(PORT)).await.expect("the server is up");
    let mut subscription = subscribe(stream, &Wanted::default(), &options()).await.expect("the server is well");
    assert!(time::timeout(time::secs(60), subscription.recv()).await.is_err(), "a quiet server is well");
    sim.slow_link(&node, sim.main(), time::secs(600));
    let lost = time::timeout(time::secs(5), subscription.recv()).await.expect("it does not wait for ever");
    assert_eq!(lost, Err(RemoteError::Silent(time::secs(3))));
}
