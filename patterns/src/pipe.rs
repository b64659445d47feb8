//! A connection in memory: what is written at one end is read at the other.
//!
//! Code that takes a connection, and not an address, runs over any transport (000:278-297, census A1.4: "other implementations
//! … testing, SSL"). This is the one for tests: it works on every runtime, in a model as well, which has no network.
//!
//! ```
//! use std::io;
//! use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
//! use windtunnel_patterns::pipe::pipe;
//!
//! async fn greet() -> io::Result<String> {
//!     let (mut client, mut server) = pipe(1);
//!     client.write_all(b"HELO there").await?;
//!     client.shutdown().await?;
//!     let mut heard = String::new();
//!     server.read_to_string(&mut heard).await?;
//!     Ok(heard)
//! }
//! ```
//!
//! # Contract
//!
//! - *Ordering and delivery.* Bytes arrive once and in order, as long as the other end is there to read them.
//! - *When each communication proceeds, and back-pressure.* Each way is a channel of pieces, of at most [`PIECE`] bytes. A write
//!   makes one piece and waits until the one before it is in the channel; a flush waits until its own is. A read gives what is
//!   left of a piece. There is one read and one write at a time at each end.
//! - *When it ends.* An end that is dropped, or shut down, ends what the other reads, after what was written and flushed; an end
//!   that is dropped fails what the other writes with [`io::ErrorKind::BrokenPipe`].
//! - *Deadlines* are those of a [`Conn`](crate::conn::Conn).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use windtunnel::channel::{self, Receiver, RecvStream, SendSink, Sender};
use windtunnel::io::{AsyncRead, AsyncWrite, ReadBuf};
use windtunnel::net::Deadline;
use windtunnel::time::Instant;

/// The most bytes that one write takes.
pub const PIECE: usize = 64 * 1024;

/// One end of a [`pipe`].
#[derive(Debug)]
pub struct Pipe {
    input: Pin<Box<RecvStream<Receiver<Bytes>, Bytes>>>,
    /// What is left of a piece.
    unread: Bytes,
    output: Pin<Box<SendSink<Sender<Bytes>, Bytes>>>,
    is_shut: bool,
    read: Deadline,
    write: Deadline,
}

/// The two ends of a connection that holds `pieces` pieces each way. With none, a flush waits until the other end reads.
pub fn pipe(pieces: usize) -> (Pipe, Pipe) {
    let (forth, back) = (channel::named("pipe", pieces), channel::named("pipe", pieces));
    (Pipe::new(back.1, forth.0), Pipe::new(forth.1, back.0))
}

impl Pipe {
    fn new(input: Receiver<Bytes>, output: Sender<Bytes>) -> Self {
        let (input, output) = (Box::pin(input.into_stream()), Box::pin(output.into_sink()));
        let (read, write) = (Deadline::default(), Deadline::default());
        Self { input, unread: Bytes::new(), output, is_shut: false, read, write }
    }

    /// Sets the moment after which reads fail; `None` takes it away. See [`Conn`](crate::conn::Conn).
    pub fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        self.read.set(deadline);
    }

    /// Sets the moment after which writes fail; `None` takes it away. See [`Conn`](crate::conn::Conn).
    pub fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        self.write.set(deadline);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.read.check()?;
        if self.unread.is_empty() {
            let Poll::Ready(piece) = self.input.as_mut().poll_next(cx) else { return self.read.poll_waiting(cx) };
            self.unread = piece.unwrap_or_default();
        }
        let length = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..length]);
        self.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write.check()?;
        if self.is_shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.as_mut().poll_flush(cx))?;
        let piece = &buf[..buf.len().min(PIECE)];
        self.output.as_mut().start_send(Bytes::copy_from_slice(piece)).map_err(broken)?;
        // Begins to send: nobody may flush for a while.
        let _ = self.output.as_mut().poll_flush(cx).map_err(broken)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.output.as_mut().poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(broken)),
            Poll::Pending => self.write.poll_waiting(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut = true;
        ready!(self.as_mut().poll_flush(cx))?;
        self.output.as_mut().poll_close(cx).map_err(broken)
    }
}

fn broken<E>(_: E) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
