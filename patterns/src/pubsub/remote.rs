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

use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};
use windtunnel::io::{self, AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use windtunnel::time;

use super::{Notice, Policy, PubSub, Subscription};
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

/// Heartbeats that a subscriber hears nothing for until it takes the server for lost.
const SILENT_BEATS: u32 = 3;

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

/// Serves the connection `stream` by `server`, until it is lost, a subscription has ended, or a publisher has.
///
/// # Errors
/// [`RemoteError`], if it ended otherwise than by the end of a subscription.
///
/// # Cancel safety
/// Dropped, it ends the connection and its subscription; an event that is being published may be or not.
pub async fn serve<P, S>(stream: S, server: &P, options: &Options) -> Result<(), RemoteError>
where
    P: PubSub<Event>,
    S: AsyncRead + AsyncWrite,
{
    let mut wire = Wire::new(stream, options);
    loop {
        let request = wire.next(options.idle).await?;
        let done = match request.kind {
            kind::PUBLISH => unless_lost(&mut wire, server.publish(decode(&request)?)).await?.is_ok(),
            kind::CLOSE => {
                unless_lost(&mut wire, server.close()).await?;
                true
            }
            kind::SUBSCRIBE => return serve_subscription(wire, server, decode(&request)?, options).await,
            other => return Err(RemoteError::Unexpected(other)),
        };
        wire.send(if done { kind::DONE } else { kind::REFUSED }, 0, Bytes::new()).await?;
    }
}

/// What `request` gives, unless the connection is lost before. The client says nothing until it has its answer.
async fn unless_lost<S, T>(wire: &mut Wire<S>, request: impl Future<Output = T>) -> Result<T, RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    let (request, next) = (pin!(request), pin!(wire.next(None)));
    match select(request, next).await {
        Either::Left((result, _)) => Ok(result),
        Either::Right((next, _)) => Err(next.map_or_else(|lost| lost, |frame| RemoteError::Unexpected(frame.kind))),
    }
}

async fn serve_subscription<P, S>(
    mut wire: Wire<S>,
    server: &P,
    wanted: Wanted,
    options: &Options,
) -> Result<(), RemoteError>
where
    P: PubSub<Event>,
    S: AsyncRead + AsyncWrite,
{
    if wanted.policy.capacity() > options.queue.get() {
        let (asked, most) = (wanted.policy.capacity(), options.queue);
        return Err(RemoteError::Malformed(format!("a queue of {asked} events is over the limit of {most}")));
    }
    let mut asked = super::Options::new(wanted.policy);
    if let Some(topic) = wanted.topic {
        asked = asked.only(move |event: &Event| event.topic == topic);
    }
    let Ok(mut subscription) = server.subscribe(asked).await else {
        return wire.send(kind::REFUSED, 0, Bytes::new()).await;
    };
    wire.send(kind::DONE, 0, Bytes::new()).await?;
    loop {
        match next_happening(&mut wire, &mut subscription, options.heartbeat).await? {
            Happening::Notice(notice) => send_notice(&mut wire, notice, subscription.missed()).await?,
            Happening::Quiet => wire.send(kind::ALIVE, 0, Bytes::new()).await?,
            Happening::Cancel => {
                subscription.cancel().await;
                wire.send(kind::DONE, 0, Bytes::new()).await?;
            }
            Happening::End => break,
        }
    }
    wire.send(kind::END, subscription.missed(), Bytes::new()).await?;
    drop(subscription);
    wire.writer.end().await?;
    // A cancel may be on its way: where nobody reads it, the transport may take back what was written.
    while wire.next(options.idle).await.is_ok() {}
    Ok(())
}

/// What a server that has a subscriber reacts to.
enum Happening {
    Notice(Notice<Event>),
    End,
    Cancel,
    Quiet,
}

async fn next_happening<S>(
    wire: &mut Wire<S>,
    subscription: &mut Subscription<Event>,
    heartbeat: Option<Duration>,
) -> Result<Happening, RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    let happening = async {
        let (notice, order) = (pin!(subscription.recv()), pin!(wire.next(None)));
        match select(order, notice).await {
            Either::Left((Ok(Frame { kind: kind::CANCEL, .. }), _)) => Ok(Happening::Cancel),
            Either::Left((Ok(other), _)) => Err(RemoteError::Unexpected(other.kind)),
            Either::Left((Err(lost), _)) => Err(lost),
            Either::Right((notice, _)) => Ok(notice.map_or(Happening::End, Happening::Notice)),
        }
    };
    match heartbeat {
        None => happening.await,
        Some(heartbeat) => time::timeout(heartbeat, happening).await.unwrap_or(Ok(Happening::Quiet)),
    }
}

async fn send_notice<S>(wire: &mut Wire<S>, notice: Notice<Event>, missed: u64) -> Result<(), RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    match notice {
        Notice::Event(event) => wire.send(kind::EVENT, missed, encode(&event)).await,
        Notice::Missed(count) => wire.send(kind::MISSED, count, Bytes::new()).await,
        Notice::Disconnected => wire.send(kind::DISCONNECTED, missed, Bytes::new()).await,
    }
}

/// Publishes over a connection of its own.
#[derive(Debug)]
pub struct Publisher<S> {
    wire: Wire<S>,
    /// A call is under way, or was dropped.
    busy: bool,
}

impl<S: AsyncRead + AsyncWrite> Publisher<S> {
    /// A publisher over `stream`, whose other end [`serve`]s.
    pub fn new(stream: S, options: &Options) -> Self {
        Self { wire: Wire::new(stream, options), busy: false }
    }

    /// Publishes `event`. When it returns depends on the server's form.
    ///
    /// # Errors
    /// [`RemoteError`]. After [`RemoteError::Closed`] nobody gets the event; after another one that is not known, and the
    /// connection is of no more use.
    ///
    /// # Cancel safety
    /// Dropped, it published the event or did not, and the connection is of no more use.
    pub async fn publish(&mut self, event: &Event) -> Result<(), RemoteError> {
        self.ask(kind::PUBLISH, encode(event)).await
    }

    /// Closes the server, as [`PubSub::close`].
    ///
    /// # Errors
    /// [`RemoteError`]; then the server is closed or is not.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn close(&mut self) -> Result<(), RemoteError> {
        self.ask(kind::CLOSE, Bytes::new()).await
    }

    async fn ask(&mut self, kind: u8, body: Bytes) -> Result<(), RemoteError> {
        if self.busy {
            return Err(RemoteError::Abandoned);
        }
        self.busy = true;
        self.wire.send(kind, 0, body).await?;
        let answer = self.wire.next(None).await?;
        self.busy = false;
        done(&answer)
    }
}

fn done(answer: &Frame) -> Result<(), RemoteError> {
    match answer.kind {
        kind::DONE => Ok(()),
        kind::REFUSED => Err(RemoteError::Closed),
        other => Err(RemoteError::Unexpected(other)),
    }
}

/// A subscription over a connection of its own. Dropping it ends both.
#[derive(Debug)]
#[must_use = "a subscription ends when it is dropped"]
pub struct RemoteSubscription<S> {
    wire: Wire<S>,
    /// Longest silence.
    limit: Option<Duration>,
    /// Received and not given out.
    held: VecDeque<Notice<Event>>,
    missed: u64,
    state: State,
}

/// How far a subscription is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Subscribed,
    /// The cancel is being written, or was dropped while it was.
    Cancelling,
    Asked,
    Cancelled,
    Ended,
}

/// A subscription to what is published from when this returns, at the latest, at the server that [`serve`]s the other end of
/// `stream`.
///
/// # Errors
/// [`RemoteError`].
///
/// # Cancel safety
/// Dropped, it leaves no subscription.
pub async fn subscribe<S>(stream: S, wanted: &Wanted, options: &Options) -> Result<RemoteSubscription<S>, RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    let mut wire = Wire::new(stream, options);
    let limit = options.heartbeat.map(|heartbeat| heartbeat * SILENT_BEATS);
    wire.send(kind::SUBSCRIBE, 0, encode(wanted)).await?;
    done(&wire.next(limit).await?)?;
    Ok(RemoteSubscription { wire, limit, held: VecDeque::new(), missed: 0, state: State::Subscribed })
}

impl<S: AsyncRead + AsyncWrite> RemoteSubscription<S> {
    /// What comes next; `None` once the subscription has ended, by [`cancel`](Self::cancel) or because the server was closed, and
    /// everything was received.
    ///
    /// # Errors
    /// [`RemoteError`], if the connection is lost before that. It is lost for good.
    ///
    /// # Cancel safety
    /// A dropped wait loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Notice<Event>>, RemoteError> {
        loop {
            if let Some(notice) = self.held.pop_front() {
                return Ok(Some(notice));
            }
            if self.state == State::Ended {
                return Ok(None);
            }
            self.advance().await?;
        }
    }

    /// Takes the next frame.
    async fn advance(&mut self) -> Result<(), RemoteError> {
        let frame = self.wire.next(self.limit).await?;
        match frame.kind {
            kind::ALIVE => {}
            kind::DONE if self.state == State::Asked => self.state = State::Cancelled,
            kind::EVENT => {
                self.missed = frame.tag;
                self.held.push_back(Notice::Event(decode(&frame)?));
            }
            kind::MISSED => {
                self.missed += frame.tag;
                self.held.push_back(Notice::Missed(frame.tag));
            }
            kind::DISCONNECTED => self.held.push_back(Notice::Disconnected),
            kind::END => (self.state, self.missed) = (State::Ended, frame.tag),
            other => return Err(RemoteError::Unexpected(other)),
        }
        Ok(())
    }

    /// Ends the subscription. What was published before is still to be received, and then the end. It returns when the server
    /// knows, and keeps what it receives meanwhile. Cancelling again, or after the end, does nothing.
    ///
    /// # Errors
    /// [`RemoteError`], if the connection is lost, by which the subscription has ended too.
    ///
    /// # Cancel safety
    /// Dropped, the subscription has ended or has not, and nothing is lost. [`RemoteError::Abandoned`] when it is called again says
    /// that it can only be dropped.
    pub async fn cancel(&mut self) -> Result<(), RemoteError> {
        match self.state {
            State::Cancelling => return Err(RemoteError::Abandoned),
            State::Subscribed => {
                self.state = State::Cancelling;
                let sent = self.wire.send(kind::CANCEL, 0, Bytes::new()).await;
                self.state = State::Asked;
                sent?;
            }
            State::Asked | State::Cancelled | State::Ended => {}
        }
        while self.state == State::Asked {
            self.advance().await?;
        }
        Ok(())
    }

    /// Events that were missed under the policy, so far as what was received tells; all of them once [`recv`](Self::recv) has given the
    /// end.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
