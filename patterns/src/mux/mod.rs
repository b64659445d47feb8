//! A protocol multiplexer: many calls at once over one connection, each with the reply to its own request.
//!
//! After pattern 4 of Russ Cox's MIT 6.824 lecture on Go, "protocol multiplexer" (002:2567-2750, census A9), with what the
//! printed program lacks: a limit on the calls in flight, deadlines, calls that can be dropped, replies that come twice or to
//! nobody, the end of the connection as an error of every call, and an end of its own.
//!
//! ```
//! use bytes::Bytes;
//! use windtunnel::io::{self, AsyncRead, AsyncWrite};
//! use windtunnel::time;
//! use windtunnel_patterns::mux::{Lost, Mux, MuxError, Options, serve};
//!
//! async fn server(stream: impl AsyncRead + AsyncWrite) -> Result<(), Lost> {
//!     let double = |request: Bytes| async move { Ok::<_, io::Error>([&request[..], &request].concat().into()) };
//!     serve(stream, Options::default(), double).await
//! }
//!
//! async fn client(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Result<(), MuxError> {
//!     let mux = Mux::new(stream, Options::default());
//!     let (hop, tick) = (mux.call("hop"), mux.call("tick"));
//!     assert_eq!(tick.await?, "ticktick");
//!     assert_eq!(hop.await?, "hophop");
//!     Ok(mux.close(time::secs(5)).await?)
//! }
//! ```
//!
//! # Contract
//!
//! - *Which reply.* The one that bears the tag of the request, whatever the order in which replies come. Tags count up and are
//!   never used again on a connection, so that a reply which comes late is never taken for that of a later call.
//! - *Who owns what.* One task has the connection and the table of pending calls, and nobody else has: a call is registered
//!   before its request is sent, and a reply looked up and taken out, with no lock and no moment in between (the talk has a
//!   mutex there, and two tasks: its half that sends and its half that receives are the two halves of this task).
//! - *Stray replies.* A reply to no pending call, because it came twice, or late, or was never asked for, is counted and
//!   dropped: see [`Mux::stats`].
//! - *When each communication proceeds.* [`Options::in_flight`] calls may be in flight; a further one waits for a place, in
//!   order of arrival. A request waits until those before it are written, for which the peer must read; replies are read all the
//!   same, and giving one to its caller never waits. A server reads no further request while that many are being answered or
//!   wait to be written: that is the *back-pressure*.
//! - *Cancellation.* A call that is dropped, or past its deadline, gives its place back at once. If its request has not begun to be
//!   written it never is; else its entry stays until its reply comes, or the table is full. The server is not told.
//! - *Loss.* When the peer ends the connection, or it fails, or brings what is no reply, every pending call fails with
//!   [`MuxError::Lost`], and every later one at once. A peer that is silently gone is noticed when the transport notices; until
//!   then, calls end by their deadlines.
//! - *When each task exits.* The task of a [`Mux`] ends when the connection is lost; by [`Mux::close`]; or at once, where it
//!   waits, when the [`Mux`] is dropped. A task of [`serve`] ends with its request, or at once when [`serve`] does.
//! - *More than once.* A request is sent once. After an error of any kind it may have been carried out or not.

mod client;
mod connection;
mod server;

use std::num::NonZeroUsize;
use std::time::Duration;

use windtunnel::time;

pub use client::{Mux, Stats};
pub use server::serve;

use crate::frame::FrameError;

/// What a frame of this protocol is, as its [`kind`](crate::frame::Frame::kind).
pub mod kind {
    /// To the server; the body is the request.
    pub const REQUEST: u8 = 1;
    /// To the client; the body is the reply.
    pub const REPLY: u8 = 2;
    /// To the client; the body says in words why there is no reply.
    pub const FAILURE: u8 = 3;
}

/// Limits, of either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Calls in flight; or requests that a server answers at once.
    pub in_flight: NonZeroUsize,
    /// Longest request or reply, in bytes.
    pub body: usize,
    /// Longest time of a call, from the wait for a place to the reply; or of a handler. `None`: as long as the connection.
    pub deadline: Option<Duration>,
}

impl Default for Options {
    /// 64 calls, a megabyte (2^20 bytes), ten seconds.
    fn default() -> Self {
        let in_flight = const { NonZeroUsize::new(64).unwrap() };
        Self { in_flight, body: 1 << 20, deadline: Some(time::secs(10)) }
    }
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MuxError {
    /// The request is over the limit; nothing was sent.
    #[error("the request was not sent: {0}")]
    TooLong(FrameError),
    /// There was none in time.
    #[error("no reply within {0:?}")]
    TimedOut(Duration),
    /// The server says that it has none.
    #[error("the server failed: {0}")]
    Failed(String),
    /// The connection is gone.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Why a connection is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// It was closed at this end.
    #[error("the connection was closed at this end")]
    Closed,
    /// Calls were pending when the time for closing was up.
    #[error("the connection was closed at this end before every call had its reply")]
    CutOff,
    /// The peer ended it.
    #[error("the peer ended the connection")]
    Ended,
    /// It failed, or what came is no frame.
    #[error("the connection broke: {0}")]
    Broken(FrameError),
    /// A frame came that is none of this protocol, or of the other end of it.
    #[error("the peer does not speak this protocol: it sent a frame of kind {0}")]
    Unexpected(u8),
}
