//! Listeners, streams and their halves.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::addr::ToSocketAddrs;
use super::deadline::Deadline;
use super::{Shown, at, first};
use crate::backend;
use crate::object::Number;
use crate::said::say;
use crate::task::{Op, blocked};
use crate::time::Instant;

/// Listens for connections. Dropping it stops listening; connections that were not accepted are reset.
pub struct TcpListener(backend::TcpListener);

impl TcpListener {
    /// Listens at `addr`, the first that can be bound if it has several; port 0 lets the system choose one. Cancel safe.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] for a port that is taken, [`io::ErrorKind::AddrNotAvailable`] for an address that is
    /// another host's, and those of [`lookup_host`](super::lookup_host).
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> impl Future<Output = io::Result<Self>> + use<A> {
        let caller = Location::caller();
        let target = addr.to_target();
        async move {
            let listener = Self(first(target, caller, backend::TcpListener::bind).await?);
            say!("net", "tcp listen at {}", Shown(listener.local_addr()));
            Ok(listener)
        }
    }

    /// Waits for the next connection. Cancel safe: no connection is lost.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + '_ {
        let caller = Location::caller();
        async move {
            let (stream, peer) = at(Op::TcpAccept, caller, self.0.accept()).await?;
            say!("net", "tcp accept from {}", Shown(Ok(peer)));
            Ok((TcpStream::new(stream, caller), peer))
        }
    }

    /// The address listened at.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({})", Shown(self.local_addr()))
    }
}

/// A connection. Reads and writes are [`AsyncRead`] and [`AsyncWrite`]; dropping it closes both directions.
///
/// # Errors
/// Of reads and writes: [`io::ErrorKind::ConnectionReset`] and then [`io::ErrorKind::BrokenPipe`] once the peer has dropped
/// its stream, or lost it with its machine; [`io::ErrorKind::TimedOut`] when nothing is heard of the peer for too long, or
/// at a deadline.
pub struct TcpStream {
    stream: backend::TcpStream,
    /// Where it was opened, to be shown while a read or write waits.
    at: &'static Location<'static>,
    read: Deadline,
    write: Deadline,
}

impl TcpStream {
    fn new(stream: backend::TcpStream, at: &'static Location<'static>) -> Self {
        Self { stream, at, read: Deadline::default(), write: Deadline::default() }
    }

    /// Connects to `addr`, the first that answers if it has several. Cancel safe: a dropped connect leaves no connection.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] where nobody listens, [`io::ErrorKind::TimedOut`] if there is no answer, and those
    /// of [`lookup_host`](super::lookup_host).
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> impl Future<Output = io::Result<Self>> + use<A> {
        let caller = Location::caller();
        let target = addr.to_target();
        async move {
            let connect = |addr| async move {
                let stream = at(Op::TcpConnect, caller, backend::TcpStream::connect(addr)).await;
                let outcome = if stream.is_ok() { "" } else { " fails" };
                say!("net", "tcp connect to {}{outcome}", Shown(Ok(addr)));
                stream
            };
            Ok(Self::new(first(target, caller, connect).await?, caller))
        }
    }

    /// Reads what has come without taking it: zero at the end. Cancel safe.
    pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read.check()?;
        let (stream, at, deadline) = (&self.stream, self.at, &mut self.read);
        poll_fn(|cx| {
            let poll = stream.poll_peek(cx, &mut ReadBuf::new(buf));
            if poll.is_ready() {
                return poll;
            }
            blocked(Op::TcpRead, None, at);
            deadline.poll_waiting(cx)
        })
        .await
    }

    /// Splits into halves that two parts of one task can use at the same time.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        let (read, write) = self.stream.split();
        (
            ReadHalf { half: read, at: self.at, deadline: &mut self.read },
            WriteHalf { half: write, at: self.at, deadline: &mut self.write },
        )
    }

    /// Splits into halves that two tasks can own.
    ///
    /// Dropping the write half ends what this side sends, as [`shutdown`](tokio::io::AsyncWriteExt::shutdown) does; the
    /// connection closes when both are dropped.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let (read, write) = self.stream.into_split();
        (
            OwnedReadHalf { half: read, at: self.at, deadline: self.read },
            OwnedWriteHalf { half: write, at: self.at, deadline: self.write },
        )
    }

    /// Sets the moment after which reads fail; `None` takes it away. See [`OwnedReadHalf::set_read_deadline`].
    pub fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        self.read.set(deadline);
    }

    /// Sets the moment after which writes fail; `None` takes it away. See [`OwnedReadHalf::set_read_deadline`].
    pub fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        self.write.set(deadline);
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Sends small writes at once (`true`) or lets them gather. A simulation sends all at once.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.stream.set_nodelay(nodelay)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpStream({} to {})", Shown(self.local_addr()), Shown(self.peer_addr()))
    }
}

/// The half of a [`TcpStream`] that reads: see [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a> {
    half: backend::ReadHalf<'a>,
    at: &'static Location<'static>,
    deadline: &'a mut Deadline,
}

/// The half of a [`TcpStream`] that writes: see [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a> {
    half: backend::WriteHalf<'a>,
    at: &'static Location<'static>,
    deadline: &'a mut Deadline,
}

/// The half of a [`TcpStream`] that reads: see [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    half: backend::OwnedReadHalf,
    at: &'static Location<'static>,
    deadline: Deadline,
}

/// The half of a [`TcpStream`] that writes: see [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedWriteHalf {
    half: backend::OwnedWriteHalf,
    at: &'static Location<'static>,
    deadline: Deadline,
}

impl ReadHalf<'_> {
    /// See [`OwnedReadHalf::set_read_deadline`].
    pub fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }
}

impl WriteHalf<'_> {
    /// See [`OwnedReadHalf::set_read_deadline`].
    pub fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }
}

impl OwnedReadHalf {
    /// Sets the moment after which reads fail with [`io::ErrorKind::TimedOut`]; `None` takes it away.
    ///
    /// A read that waits then fails, and later ones fail at once, also where bytes are there, until another deadline is set.
    /// As Go's deadlines: nothing is lost, and the stream can be used again.
    pub fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }
}

impl OwnedWriteHalf {
    /// Sets the moment after which writes fail with [`io::ErrorKind::TimedOut`]; `None` takes it away. See
    /// [`OwnedReadHalf::set_read_deadline`].
    pub fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }
}

/// Reads, noting where the task waits, until the deadline.
fn poll_read(
    half: impl AsyncRead + Unpin,
    at: &'static Location<'static>,
    deadline: &mut Deadline,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    deadline.check()?;
    let (before, mut half) = (buf.filled().len(), half);
    match Pin::new(&mut half).poll_read(cx, buf) {
        Poll::Pending => {
            blocked(Op::TcpRead, None, at);
            deadline.poll_waiting(cx)
        }
        ready @ Poll::Ready(_) => {
            say!("net", "tcp read of {}", Number(buf.filled().len() - before));
            ready
        }
    }
}

/// Writes, noting where the task waits, until the deadline.
fn poll_write(
    half: impl AsyncWrite + Unpin,
    at: &'static Location<'static>,
    deadline: &mut Deadline,
    cx: &mut Context<'_>,
    buf: &[u8],
) -> Poll<io::Result<usize>> {
    deadline.check()?;
    let mut half = half;
    match Pin::new(&mut half).poll_write(cx, buf) {
        Poll::Pending => {
            blocked(Op::TcpWrite, None, at);
            deadline.poll_waiting(cx)
        }
        Poll::Ready(Ok(count)) => {
            say!("net", "tcp write of {}", Number(count));
            Poll::Ready(Ok(count))
        }
        error @ Poll::Ready(Err(_)) => error,
    }
}

macro_rules! reads {
    ($($type:ty: $half:ident $deadline:ident;)*) => {
        $(impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                let this = self.get_mut();
                poll_read(&mut this.$half, this.at, &mut this.$deadline, cx, buf)
            }
        })*
    };
}

macro_rules! writes {
    ($($type:ty: $half:ident $deadline:ident;)*) => {
        $(impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                let this = self.get_mut();
                poll_write(&mut this.$half, this.at, &mut this.$deadline, cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.get_mut().$half).poll_flush(cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.get_mut().$half).poll_shutdown(cx)
            }
        })*
    };
}

reads! {
    TcpStream: stream read;
    ReadHalf<'_>: half deadline;
    OwnedReadHalf: half deadline;
}

writes! {
    TcpStream: stream write;
    WriteHalf<'_>: half deadline;
    OwnedWriteHalf: half deadline;
}
