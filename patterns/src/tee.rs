//! A writer that writes to several: each gets all bytes, at its own pace, under a stated policy for those that fail or lag.
//!
//! After `io.MultiWriter` of "Go, for Distributed Systems" (000:258-274, census A1.3): "duplicates its writes to all the provided
//! writers". Go's writes to one after the other, so a slow one delays all; and stops at the first error, so those behind it get
//! nothing (`multiwriter-stops-at-first-error`). Being a writer itself, a [`Tee`] can be chained with others.
//!
//! ```
//! use std::io;
//! use windtunnel::io::AsyncWriteExt;
//! use windtunnel::net::TcpStream;
//! use windtunnel::time;
//! use windtunnel_patterns::tee::{OnError, Options, Tee};
//!
//! async fn mirror(page: &[u8], mirrors: Vec<TcpStream>) -> io::Result<()> {
//!     let options = Options { on_error: OnError::LeaveOut, patience: Some(time::secs(5)) };
//!     let mut tee = Tee::new(mirrors, options);
//!     tee.write_all(page).await?;
//!     tee.shutdown().await?;
//!     for failure in tee.failures() {
//!         eprintln!("{failure}");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! - *Ordering and delivery.* Every writer is given the same bytes in the same order; one that failed has a prefix of them. One that
//!   has not failed has all that was written once a flush has returned.
//! - *When each communication proceeds, and back-pressure.* A write takes a piece of at most [`PIECE`] bytes, once every writer has
//!   taken the piece before; the writers take it at the same time. So the slowest sets the pace, by one piece.
//! - *Slow writers.* With [`Options::patience`], one that makes the others wait for longer has failed. The time counts from when it is
//!   first seen to wait, for each piece, flush and shutdown: flush before you do something else for long, or it is counted too.
//! - *Errors.* With [`OnError::Stop`] the first fails what is under way and all that comes later. With [`OnError::LeaveOut`] the
//!   writer is dropped and the others go on; writing fails when none is left, or there was none. Either way
//!   [`Tee::failures`] tells who failed, after how much, and why.
//! - *When each task exits.* There is none: the writers are polled in the caller's task.
//!
//! # Cancel safety
//!
//! A write that is dropped has written nothing, and a flush or a shutdown that is dropped can be repeated. What a writer has half taken
//! is in the tee, and goes on with the next call.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use windtunnel::io::AsyncWrite;
use windtunnel::net::Deadline;
use windtunnel::time::Instant;

/// The most bytes that one write takes.
pub const PIECE: usize = 64 * 1024;

/// What is done about writers that fail or lag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What an error of one means for the others.
    pub on_error: OnError,
    /// How long a writer may make the others wait; `None`, the default, for as long as it likes.
    pub patience: Option<Duration>,
}

/// What an error of one writer means for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The tee fails, as Go's: whoever reads one of the copies can rely on the others to be as long.
    #[default]
    Stop,
    /// The writer is left out, and the others go on.
    LeaveOut,
}

/// What went wrong with a writer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// Its own error.
    #[error("{0}")]
    Failed(io::Error),
    /// It made the others wait for longer than [`Options::patience`].
    #[error("it made the others wait for more than {0:?}")]
    TooSlow(Duration),
}

/// A writer that failed.
#[derive(Debug, thiserror::Error)]
#[error("writer {writer}, after {taken} bytes: {error}")]
pub struct Failure {
    /// Its place in the list, from zero.
    pub writer: usize,
    /// How many bytes it had taken.
    pub taken: u64,
    /// What happened.
    pub error: WriterError,
}

/// Why a tee takes no more. It is inside the [`io::Error`], whose kind is that of the writer's or [`io::ErrorKind::BrokenPipe`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeeError {
    /// A writer failed, and the policy is [`OnError::Stop`].
    #[error("the tee stops at its first error; {0}")]
    Stopped(Arc<Failure>),
    /// There is no writer any more.
    #[error("none of {writers} writers is left: make a new tee of some that work")]
    NoneLeft {
        /// How many there were.
        writers: usize,
    },
}

impl From<TeeError> for io::Error {
    fn from(error: TeeError) -> Self {
        let kind = match &error {
            TeeError::Stopped(failure) => match &failure.error {
                WriterError::Failed(error) => error.kind(),
                WriterError::TooSlow(_) => io::ErrorKind::TimedOut,
            },
            TeeError::NoneLeft { .. } => io::ErrorKind::BrokenPipe,
        };
        io::Error::new(kind, error)
    }
}

/// A writer that writes to several. See the [module](self).
#[derive(Debug)]
pub struct Tee<W> {
    options: Options,
    lanes: Vec<Lane<W>>,
    /// What the writers are at.
    piece: Bytes,
    writers: usize,
    failures: Vec<Arc<Failure>>,
}

impl<W: AsyncWrite + Unpin> Tee<W> {
    /// Writes to all of `writers`. For writers of several types, box them: `Box<dyn AsyncWrite + Unpin + Send>`.
    pub fn new(writers: impl IntoIterator<Item = W>, options: Options) -> Self {
        let lanes: Vec<_> = (0..).zip(writers).map(|(number, writer)| Lane::new(number, writer)).collect();
        Self { options, writers: lanes.len(), lanes, piece: Bytes::new(), failures: Vec::new() }
    }

    /// The writers that have failed, in the order in which they did.
    pub fn failures(&self) -> &[Arc<Failure>] {
        &self.failures
    }

    /// Has each writer do `step`, all at the same time.
    fn poll_all(
        &mut self,
        cx: &mut Context<'_>,
        step: impl Fn(&mut Lane<W>, &[u8], &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<Result<(), TeeError>> {
        let Self { options, lanes, piece, failures, .. } = self;
        let mut waits = false;
        lanes.retain_mut(|lane| match lane.poll(cx, options.patience, |lane, cx| step(lane, piece, cx)) {
            Poll::Ready(Ok(())) => true,
            Poll::Pending => {
                waits = true;
                true
            }
            Poll::Ready(Err(error)) => {
                failures.push(Arc::new(Failure { writer: lane.number, taken: lane.taken, error }));
                false
            }
        });
        match self.failures.first() {
            Some(failure) if self.options.on_error == OnError::Stop => {
                Poll::Ready(Err(TeeError::Stopped(Arc::clone(failure))))
            }
            _ if self.lanes.is_empty() => Poll::Ready(Err(TeeError::NoneLeft { writers: self.writers })),
            _ if waits => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TeeError>> {
        self.poll_all(cx, Lane::poll_piece)
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Tee<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_piece(cx))?;
        self.piece = Bytes::copy_from_slice(&buf[..buf.len().min(PIECE)]);
        self.lanes.iter_mut().for_each(|lane| lane.sent = 0);
        // Begins to write: nobody may flush for a while.
        let _ = self.poll_piece(cx)?;
        Poll::Ready(Ok(self.piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_all(cx, |lane, piece, cx| {
            ready!(lane.poll_piece(piece, cx))?;
            Pin::new(&mut lane.writer).poll_flush(cx)
        })
        .map_err(Into::into)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_all(cx, |lane, piece, cx| {
            ready!(lane.poll_piece(piece, cx))?;
            lane.poll_shutdown(cx)
        })
        .map_err(Into::into)
    }
}

/// One writer.
struct Lane<W> {
    number: usize,
    writer: W,
    /// How much of the piece it has taken.
    sent: usize,
    /// How much it has taken of all.
    taken: u64,
    is_shut: bool,
    /// Since it waits.
    patience: Option<Deadline>,
}

impl<W: AsyncWrite + Unpin> Lane<W> {
    fn new(number: usize, writer: W) -> Self {
        Self { number, writer, sent: 0, taken: 0, is_shut: false, patience: None }
    }

    /// Does `step`, and fails when that takes longer than `patience`.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        patience: Option<Duration>,
        step: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<Result<(), WriterError>> {
        if let Poll::Ready(done) = step(self, cx) {
            self.patience = None;
            return Poll::Ready(done.map_err(WriterError::Failed));
        }
        let Some(patience) = patience else { return Poll::Pending };
        let deadline = self.patience.get_or_insert_with(|| {
            let mut deadline = Deadline::default();
            deadline.set(Some(Instant::now() + patience));
            deadline
        });
        deadline.poll_waiting(cx).map_err(|_| WriterError::TooSlow(patience))
    }

    fn poll_piece(&mut self, piece: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < piece.len() {
            let count = ready!(Pin::new(&mut self.writer).poll_write(cx, &piece[self.sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            self.taken += count as u64;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.writer).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<W> fmt::Debug for Lane<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writer {} ({} bytes)", self.number, self.taken)
    }
}
