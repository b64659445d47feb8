//! A model of every pattern: small sizes, every interleaving.

pub mod cell;
pub mod channel;
pub mod context;
pub mod first;
pub mod fork_join;
pub mod lookup;
pub mod mux;
pub mod par;
pub mod pipeline;
pub mod pubsub;
pub mod pubsub_remote;
pub mod quoted;
pub mod replicated;
pub mod repository;
pub mod routers;
pub mod scheduler;
pub mod scheduler_steps;
pub mod service;
pub mod sync;
pub mod task;
pub mod time;
pub mod vending;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Polls `future` once: from then on it waits.
async fn begin<F: Future>(future: Pin<&mut F>) {
    assert!(begun(future).await, "nothing lets it go on yet");
}

/// Polls `future` once, and tells whether it waits.
async fn begun<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
