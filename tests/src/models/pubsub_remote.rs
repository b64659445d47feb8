//! Publish/subscribe over connections in memory, under every interleaving.

use std::sync::Arc;

use windtunnel::spawn;
use windtunnel_patterns::pipe::{Pipe, pipe};
use windtunnel_patterns::pubsub::remote::{Event, Options, Publisher, RemoteError, Wanted, serve, subscribe};
use windtunnel_patterns::pubsub::{MutexServer, Notice, Policy, PubSub};

/// Without timers, each of which multiplies the executions.
fn options() -> Options {
    Options { heartbeat: None, idle: None, ..Options::default() }
}

/// Our end of a connection whose other end is served.
fn connection(server: &Arc<MutexServer<Event>>) -> Pipe {
    let ((here, there), server) = (pipe(1), Arc::clone(server));
    spawn(async move { serve(there, &*server, &options()).await });
    here
}

fn wanted() -> Wanted {
    Wanted { topic: Some("a".to_owned()), policy: Policy::Wait(1) }
}

fn event(topic: &str, body: &str) -> Event {
    Event { topic: topic.to_owned(), body: body.to_owned() }
}

/// What was published before a cancel arrives, if it is of the topic, and nothing later, and then the end.
#[windtunnel_model::test(preemptions = 2)]
pub async fn a_cancel_is_exact() {
    let server = Arc::new(MutexServer::new());
    let mut subscription = subscribe(connection(&server), &wanted(), &options()).await.expect("it is open");
    server.publish(event("a", "before")).await.expect("it is open");
    server.publish(event("b", "of another topic")).await.expect("it is open");
    subscription.cancel().await.expect("it is not lost");
    server.publish(event("a", "after")).await.expect("it is open");
    assert_eq!(subscription.recv().await, Ok(Some(Notice::Event(event("a", "before")))));
    assert_eq!(subscription.recv().await, Ok(None));
    assert_eq!(subscription.missed(), 0);
}

/// What a publisher has acknowledged is on its way to the subscriber; when the server is closed it says so to both.
#[windtunnel_model::test(preemptions = 1)]
pub async fn what_is_acknowledged_arrives_and_then_the_end() {
    let server = Arc::new(MutexServer::new());
    let mut subscription = subscribe(connection(&server), &wanted(), &options()).await.expect("it is open");
    let mut publisher = Publisher::new(connection(&server), &options());
    assert_eq!(publisher.publish(&event("a", "one")).await, Ok(()));
    assert_eq!(publisher.close().await, Ok(()));
    assert_eq!(publisher.publish(&event("a", "late")).await, Err(RemoteError::Closed));
    assert_eq!(subscription.recv().await, Ok(Some(Notice::Event(event("a", "one")))));
    assert_eq!(subscription.recv().await, Ok(None));
}

/// A subscriber that goes leaves no task, and holds nobody up.
#[windtunnel_model::test(preemptions = 2)]
pub async fn a_subscriber_that_goes_leaves_nothing() {
    let server = Arc::new(MutexServer::new());
    let subscription = subscribe(connection(&server), &wanted(), &options()).await.expect("it is open");
    let subscriber = spawn(async move { drop(subscription) });
    for _ in 0..3 {
        server.publish(event("a", "one")).await.expect("it is open");
    }
    subscriber.await.expect("it ends");
}

/// A server that goes without a word is an error at the subscriber, and not the end.
#[windtunnel_model::test(preemptions = 3)]
pub async fn a_lost_connection_is_an_error() {
    let losing = async {
        let ((here, there), server) = (pipe(1), MutexServer::<Event>::new());
        let serving = spawn(async move { serve(there, &server, &options()).await });
        let mut subscription = subscribe(here, &wanted(), &options()).await.expect("it is open");
        serving.abort();
        assert_eq!(subscription.recv().await, Err(RemoteError::Ended));
        assert!(serving.await.is_err(), "it was aborted");
    };
    // A task of its own, since loom gives those more stack than main.
    spawn(losing).await.expect("nobody aborts it");
}

/// A publisher against the cancel of a subscriber over a connection, who has what was published before it.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn a_publisher_against_a_cancel() {
    let server = Arc::new(MutexServer::new());
    let mut subscription = subscribe(connection(&server), &wanted(), &options()).await.expect("it is open");
    let publishing = spawn(async move { server.publish(event("a", "one")).await.expect("it is open") });
    subscription.cancel().await.expect("it is not lost");
    if let Some(notice) = subscription.recv().await.expect("it is not lost") {
        assert_eq!(notice, Notice::Event(event("a", "one")));
        assert_eq!(subscription.recv().await, Ok(None));
    }
    publishing.await.expect("it ends");
}
