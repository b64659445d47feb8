//! A model of every pattern: small sizes, every interleaving.

pub mod cell;
pub mod channel;
pub mod chat;
pub mod conn;
pub mod context;
pub mod finger;
pub mod first;
pub mod fork_join;
pub mod lookup;
pub mod mux;
pub mod par;
pub mod pipeline;
pub mod pubsub;
pub mod pubsub_remote;
pub mod quorum;
pub mod quoted;
pub mod replicated;
pub mod repository;
pub mod routers;
pub mod scheduler;
pub mod scheduler_steps;
pub mod service;
pub mod smtp;
pub mod sync;
pub mod task;
pub mod tee;
pub mod time;
pub mod vending;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;

use windtunnel::go::{self, Channel};
use windtunnel_patterns::pipe::Pipe;
use windtunnel_patterns::service::Listener;

/// A listener with one connection and no others.
struct Once(Channel<Pipe>);

impl Once {
    fn new(conn: Pipe) -> Self {
        let incoming = go::named("incoming", 1);
        assert!(incoming.try_send(conn).is_ok(), "there is room for one");
        Self(incoming)
    }
}

impl Listener for Once {
    type Conn = Pipe;

    async fn accept(&self) -> io::Result<Pipe> {
        Ok(self.0.recv().await.expect("never closed"))
    }
}

/// Polls `future` once: from then on it waits.
async fn begin<F: Future>(future: Pin<&mut F>) {
    assert!(begun(future).await, "nothing lets it go on yet");
}

/// Polls `future` once, and tells whether it waits.
async fn begun<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
