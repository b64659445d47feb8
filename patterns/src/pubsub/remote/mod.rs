//! Publish/subscribe over connections: any form of the server serves those who are elsewhere.
//!
//! The interface of A6.0 (002:335-376) with a network in between. A connection is either a publisher's or one subscription's, so
//! that nobody waits for another's slow subscriber but by its [`Policy`], and the transport's own back-pressure is the
//! subscription's.
//!
//! ```
//! use windtunnel::io::{AsyncRead, AsyncWrite};
//! use windtunnel_patterns::pubsub::Notice;
//! use windtunnel_patterns::pubsub::remote::{Event, Options, Publisher, RemoteError, Wanted, subscribe};
//!
//! async fn greet<S: AsyncRead + AsyncWrite>(here: S, there: S) -> Result<(), RemoteError> {
//!     let wanted = Wanted { topic: Some("greetings".into()), ..Wanted::default() };
//!     let mut greetings = subscribe(here, &wanted, &Options::default()).await?;
//!     let mut publisher = Publisher::new(there, &Options::default());
//!     publisher.publish(&Event { topic: "greetings".into(), body: "hello".into() }).await?;
//!     assert!(matches!(greetings.recv().await?, Some(Notice::Event(event)) if event.body == "hello"));
//!     greetings.cancel().await?;
//!     assert_eq!(greetings.recv().await?, None);
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! - *Order, delivery, cancel, close*: those of the [server](super), as far as a subscription's connection lasts. What it was sent it
//!   receives in that order; events and those that were missed add up to what was published since [`subscribe`] returned.
//! - *Acknowledged.* [`Publisher::publish`] returns when the server's `publish` has: see the [table](super#the-forms). After an
//!   error the event was published, or will be, or was not: to publish it again may double it, and no order holds between the two.
//! - *Loss.* A subscription ends with its connection: [`RemoteSubscription::recv`] gives an error, and not the end, unless the
//!   server has said that it is the end. What was published from then on is for the next subscription, or for nobody.
//! - *Silence.* A server that has nothing to send says so each [`Options::heartbeat`]. A subscriber that hears nothing for three of
//!   them has lost it; the server has lost a subscriber when its transport says so, which needs something to send. A publisher
//!   that is silent for longer than [`Options::idle`] is left.
//! - *When each task exits.* There is none: [`serve`] runs in the task of its caller, and ends with the connection. (What the
//!   server's own form starts for a subscription is dropped with it.)

mod client;
mod server;

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use windtunnel::io::{self, AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use windtunnel::time;

pub use client::{Publisher, RemoteSubscription, subscribe};
pub use server::serve;

use super::Policy;
use crate::frame::{Frame, FrameError, FrameReader, FrameWriter};

/// What a frame is, as its [`kind`](Frame::kind). Where a tag is not told of, it is zero.
pub mod kind {
    /// To the server: an [`Event`](super::Event), in JSON.
    pub const PUBLISH: u8 = 1;
    /// To the server.
    pub const CLOSE: u8 = 2;
    /// To the server, first and once: a [`Wanted`](super::Wanted), in JSON.
    pub const SUBSCRIBE: u8 = 3;
    /// To the server, on the connection of a subscription.
    pub const CANCEL: u8 = 4;
    /// What was asked for is done.
    pub const DONE: u8 = 5;
    /// What was asked for is not done: the server is closed.
    pub const REFUSED: u8 = 6;
    /// An [`Event`](super::Event), in JSON; the tag is the number of those that were missed by now.
    pub const EVENT: u8 = 7;
    /// Missed, as many as the tag says.
    pub const MISSED: u8 = 8;
    /// The subscriber was too slow.
    pub const DISCONNECTED: u8 = 9;
    /// The subscription has ended; the tag is the number of those that were missed.
    pub const END: u8 = 10;
    /// The server is there.
    pub const ALIVE: u8 = 11;
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// What subscribers choose by.
    pub topic: String,
    /// The event itself.
    pub body: String,
}

/// What a subscriber wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Only the events of this topic; `None`: of each.
    pub topic: Option<String>,
    /// What happens when the connection takes events more slowly than they are published.
    pub policy: Policy,
}

/// Limits, the same at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Longest event, in bytes of its JSON.
    pub body: usize,
    /// How often a server that has nothing to send says so. `None`: never, and a subscriber waits as long as its connection.
    pub heartbeat: Option<Duration>,
    /// How long a server waits for the next that a publisher says. `None`: as long as the connection.
    pub idle: Option<Duration>,
    /// Longest queue that a subscriber may ask for.
    pub queue: NonZeroUsize,
}

impl Default for Options {
    /// 64 KiB, a second, five minutes, 1024 events.
    fn default() -> Self {
        let queue = const { NonZeroUsize::new(1024).unwrap() };
        Self { body: 64 * 1024, heartbeat: Some(time::secs(1)), idle: Some(time::secs(300)), queue }
    }
}

/// Why something was not done, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The server is closed.
    #[error("the server is closed")]
    Closed,
    /// The peer ended the connection before it had said all.
    #[error("the connection is lost: the peer ended it")]
    Ended,
    /// Nothing was heard for so long.
    #[error("the connection is lost: nothing was heard for {0:?}")]
    Silent(Duration),
    /// The connection failed, or what came or was to be sent is no frame.
    #[error("the connection is lost: {0}")]
    Broken(#[from] FrameError),
    /// A frame came that has no place here.
    #[error("the peer does not speak this protocol: it sent a frame of kind {0}")]
    Unexpected(u8),
    /// A frame came whose body says nothing, or asks for too much.
    #[error("the peer does not speak this protocol: {0}")]
    Malformed(String),
    /// An earlier call was dropped before it had its answer.
    #[error("a call on this connection was dropped half-way: connect again")]
    Abandoned,
}

/// A connection, and the limits of what goes over it.
#[derive(Debug)]
struct Wire<S> {
    reader: FrameReader<ReadHalf<S>>,
    writer: FrameWriter<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    fn new(stream: S, options: &Options) -> Self {
        let (input, output) = io::split(stream);
        Self { reader: FrameReader::new(input, options.body), writer: FrameWriter::new(output, options.body) }
    }

    async fn send(&mut self, kind: u8, tag: u64, body: Bytes) -> Result<(), RemoteError> {
        Ok(self.writer.write(&Frame { kind, tag, body }).await?)
    }

    async fn next(&mut self, limit: Option<Duration>) -> Result<Frame, RemoteError> {
        let frame = match limit {
            None => self.reader.next().await,
            Some(limit) => {
                time::timeout(limit, self.reader.next()).await.map_err(|time::Elapsed| RemoteError::Silent(limit))?
            }
        };
        frame?.ok_or(RemoteError::Ended)
    }
}

fn encode(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("strings and numbers are JSON").into()
}

fn decode<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Result<T, RemoteError> {
    serde_json::from_slice(&frame.body).map_err(|error| RemoteError::Malformed(error.to_string()))
}
