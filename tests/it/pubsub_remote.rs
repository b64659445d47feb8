//! Publish/subscribe over connections: the bodies of its models on tokio and madsim, real TCP, and peers that ask for too much.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::sync::Arc;

use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::{spawn, time};
use windtunnel_patterns::pipe::pipe;
use windtunnel_patterns::pubsub::remote::{Event, Options, Publisher, RemoteError, Wanted, serve, subscribe};
use windtunnel_patterns::pubsub::{HelperServer, LoopServer, MutexServer, Notice, Policy, PubSub};
use windtunnel_suite::models::pubsub_remote as models;
use windtunnel_suite::scenarios::pubsub_remote::listen;

use crate::common::{on_one_thread, on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    a_cancel_is_exact
    what_is_acknowledged_arrives_and_then_the_end
    a_subscriber_that_goes_leaves_nothing
    a_lost_connection_is_an_error
}

const EVENTS: u64 = 100;

fn event(body: impl Display) -> Event {
    let body = format!("{body}");
    Event { topic: "numbers".to_owned(), body }
}

/// Two publishers and three subscribers, each with a connection over loopback.
async fn over_real_tcp(server: impl PubSub<Event>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let listening = spawn(listen(listener, Arc::new(server)));
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        let wanted = Wanted { topic: Some("numbers".to_owned()), policy: Policy::Wait(4) };
        let stream = TcpStream::connect(addr).await.unwrap();
        let mut subscription = subscribe(stream, &wanted, &Options::default()).await.unwrap();
        subscribers.push(spawn(async move {
            let mut seen = Vec::new();
            while let Some(notice) = subscription.recv().await.unwrap() {
                seen.push(notice);
            }
            seen
        }));
    }
    let publishers = (0..2).map(|name| {
        spawn(async move {
            let mut publisher = Publisher::new(TcpStream::connect(addr).await.unwrap(), &Options::default());
            for number in 0..EVENTS {
                publisher.publish(&event(format!("{name}/{number}"))).await.unwrap();
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.unwrap();
    }
    Publisher::new(TcpStream::connect(addr).await.unwrap(), &Options::default()).close().await.unwrap();
    let mut seen = Vec::new();
    for subscriber in subscribers {
        seen.push(subscriber.await.unwrap());
    }
    assert!(seen[1..].iter().all(|other| *other == seen[0]), "everybody sees the same order");
    for name in 0..2 {
        let of = seen[0]
            .iter()
            .filter(|notice| matches!(notice, Notice::Event(event) if event.body.starts_with(&format!("{name}/"))));
        let expected: Vec<_> = (0..EVENTS).map(|number| Notice::Event(event(format!("{name}/{number}")))).collect();
        assert!(of.eq(&expected), "all that publisher {name} published, in its order");
    }
    listening.abort();
}

#[test]
fn over_real_tcp_everybody_sees_one_order() {
    on_two_threads(async {
        over_real_tcp(MutexServer::new()).await;
        over_real_tcp(LoopServer::new()).await;
        over_real_tcp(HelperServer::new()).await;
    });
}

/// Delivered and missed add up to what was published, for a subscriber that receives nothing until the end.
#[test]
fn what_a_remote_subscriber_missed_is_told() {
    on_one_thread(async {
        let one = NonZeroUsize::MIN;
        for policy in [Policy::Drop(one), Policy::Coalesce(one)] {
            let (server, (here, there)) = (Arc::new(LoopServer::new()), pipe(0));
            let shared = Arc::clone(&server);
            spawn(async move { serve(there, &*shared, &Options::default()).await });
            let mut subscription = subscribe(here, &Wanted { topic: None, policy }, &Options::default()).await.unwrap();
            for number in 0..EVENTS {
                server.publish(event(number)).await.unwrap();
            }
            server.close().await;
            let (mut delivered, mut told) = (0, 0);
            while let Some(notice) = subscription.recv().await.unwrap() {
                match notice {
                    Notice::Event(_) => delivered += 1,
                    Notice::Missed(count) => told += count,
                    other => panic!("{other:?}"),
                }
            }
            assert!(subscription.missed() > 0);
            assert_eq!(delivered + subscription.missed(), EVENTS);
            assert!(told == subscription.missed() || policy == Policy::Drop(one));
        }
    });
}

#[test]
fn what_goes_wrong_is_said_in_one_line() {
    on_one_thread(async {
        let mut lines = Vec::new();
        // A queue that the server does not grant.
        let (here, there) = pipe(1);
        let serving = spawn(async move { serve(there, &MutexServer::new(), &Options::default()).await });
        let wanted = Wanted { policy: Policy::Wait(1_000_000), ..Wanted::default() };
        lines.push(subscribe(here, &wanted, &Options::default()).await.unwrap_err().to_string());
        lines.push(serving.await.unwrap().unwrap_err().to_string());
        // A call that was dropped, and an event that is too long.
        let (here, _there) = pipe(1);
        let mut publisher = Publisher::new(here, &Options { body: 30, ..Options::default() });
        assert!(time::timeout(time::millis(1), publisher.publish(&event(1))).await.is_err());
        lines.push(publisher.publish(&event(2)).await.unwrap_err().to_string());
        let (here, _there) = pipe(1);
        let mut publisher = Publisher::new(here, &Options { body: 30, ..Options::default() });
        lines.push(publisher.publish(&event("long ".repeat(10))).await.unwrap_err().to_string());
        lines.push(RemoteError::Silent(time::secs(3)).to_string());
        insta::assert_snapshot!(lines.join("\n"), @r"
        the connection is lost: the peer ended it
        the peer does not speak this protocol: a queue of 1000000 events is over the limit of 1024
        a call on this connection was dropped half-way: connect again
        the connection is lost: a frame of 79 bytes is over the limit of 30: send less, or raise the limit at both ends
        the connection is lost: nothing was heard for 3s
        ");
    });
}
