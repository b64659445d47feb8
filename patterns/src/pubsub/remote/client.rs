//! The ends of connections at the clients.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use windtunnel::io::{AsyncRead, AsyncWrite};

use super::{Event, Options, RemoteError, Wanted, Wire, decode, encode, kind};
use crate::frame::Frame;
use crate::pubsub::Notice;

/// Heartbeats that a subscriber hears nothing for until it takes the server for lost.
const SILENT_BEATS: u32 = 3;

/// Publishes over a connection of its own.
#[derive(Debug)]
pub struct Publisher<S> {
    wire: Wire<S>,
    /// A call is under way, or was dropped.
    busy: bool,
}

impl<S: AsyncRead + AsyncWrite> Publisher<S> {
    /// A publisher over `stream`, whose other end [`serve`](super::serve)s.
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

    /// Closes the server, as [`PubSub::close`](crate::pubsub::PubSub::close).
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

/// A subscription to what is published from when this returns, at the latest, at the server that [`serve`](super::serve)s the other end of
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
