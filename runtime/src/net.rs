//! TCP of the run: the operating system's on tokio, the simulated cluster's in a simulation.
//!
//! A model has no network: there `bind` and `connect` fail with [`io::ErrorKind::Unsupported`].

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::backend;
use crate::task::{Op, blocked};

/// What can be made into one socket address. Names are not looked up.
pub trait ToSocketAddr {
    /// The address.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for text that is not `ADDRESS:PORT`.
    fn to_socket_addr(&self) -> io::Result<SocketAddr>;
}

impl ToSocketAddr for SocketAddr {
    fn to_socket_addr(&self) -> io::Result<SocketAddr> {
        Ok(*self)
    }
}

impl<I: Into<IpAddr> + Copy> ToSocketAddr for (I, u16) {
    fn to_socket_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(self.0.into(), self.1))
    }
}

impl ToSocketAddr for str {
    fn to_socket_addr(&self) -> io::Result<SocketAddr> {
        self.parse().map_err(|_| {
            let message =
                format!("`{self}` is not a socket address: write it as ADDRESS:PORT, for example 127.0.0.1:80");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })
    }
}

impl<A: ToSocketAddr + ?Sized> ToSocketAddr for &A {
    fn to_socket_addr(&self) -> io::Result<SocketAddr> {
        (**self).to_socket_addr()
    }
}

/// Awaits `future`, noting where the task waits while it is pending.
async fn at<T>(op: Op, at: &'static Location<'static>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            blocked(op, None, at);
        }
        poll
    })
    .await
}

/// Listens for connections. Dropping it stops listening.
pub struct TcpListener(backend::TcpListener);

impl TcpListener {
    /// Listens at `addr`; port 0 lets the system choose one.
    pub async fn bind(addr: impl ToSocketAddr) -> io::Result<Self> {
        let listener = backend::TcpListener::bind(addr.to_socket_addr()?).await?;
        let listener = Self(listener);
        tracing::trace!(target: "windtunnel::net", "tcp listen at {}", Shown(listener.local_addr()));
        Ok(listener)
    }

    /// Waits for the next connection. Cancel safe on tokio; in a simulation a cancelled accept may drop a connection.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + '_ {
        let caller = Location::caller();
        async move {
            let (stream, peer) = at(Op::TcpAccept, caller, self.0.accept()).await?;
            tracing::trace!(target: "windtunnel::net", "tcp accept from {}", Shown(Ok(peer)));
            Ok((TcpStream { stream, at: caller }, peer))
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
pub struct TcpStream {
    stream: backend::TcpStream,
    /// Where it was opened, to be shown while a read or write waits.
    at: &'static Location<'static>,
}

impl TcpStream {
    /// Connects to `addr`.
    #[track_caller]
    pub fn connect<A: ToSocketAddr>(addr: A) -> impl Future<Output = io::Result<Self>> + use<A> {
        let caller = Location::caller();
        let addr = addr.to_socket_addr();
        async move {
            let addr = addr?;
            let stream = at(Op::TcpConnect, caller, backend::TcpStream::connect(addr)).await;
            let outcome = if stream.is_ok() { "" } else { " fails" };
            tracing::trace!(target: "windtunnel::net", "tcp connect to {}{outcome}", Shown(Ok(addr)));
            Ok(Self { stream: stream?, at: caller })
        }
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Sends small writes at once (`true`) or lets them gather.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.stream.set_nodelay(nodelay)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpStream({} to {})", Shown(self.local_addr()), Shown(self.peer_addr()))
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        match poll {
            Poll::Pending => blocked(Op::TcpRead, None, self.at),
            Poll::Ready(_) => {
                let count = buf.filled().len() - before;
                tracing::trace!(target: "windtunnel::net", "tcp read of {count} from {}", Shown(self.peer_addr()));
            }
        }
        poll
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        match &poll {
            Poll::Pending => blocked(Op::TcpWrite, None, self.at),
            Poll::Ready(Ok(count)) => {
                tracing::trace!(target: "windtunnel::net", "tcp write of {count} to {}", Shown(self.peer_addr()));
            }
            Poll::Ready(Err(_)) => {}
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An address in a trace line.
struct Shown(io::Result<SocketAddr>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(addr) => addr.fmt(f),
            Err(_) => f.write_str("a closed socket"),
        }
    }
}
