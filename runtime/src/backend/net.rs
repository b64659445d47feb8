//! The sockets of each runtime behind one set of types.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Kind, tokio as real};
#[cfg(feature = "sim")]
use crate::engine::net as simulated;
use crate::run;

/// Defines the type that is the socket of whichever runtime it is.
macro_rules! sockets {
    ($($name:ident $(<$life:lifetime>)? = $tokio:ty, $simulated:ty;)*) => {
        $(pub(crate) enum $name $(<$life>)? {
            Tokio($tokio),
            #[cfg(feature = "sim")]
            Madsim($simulated),
            #[cfg(feature = "model")]
            #[expect(dead_code, reason = "uninhabited: a model has no network")]
            Loom(super::loom::NoNetwork),
        }

        impl $(<$life>)? std::fmt::Debug for $name $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

sockets! {
    TcpListener = real::TcpListener, simulated::TcpListener;
    TcpStream = real::TcpStream, simulated::TcpStream;
    ReadHalf<'a> = real::ReadHalf<'a>, &'a simulated::TcpStream;
    WriteHalf<'a> = real::WriteHalf<'a>, &'a simulated::TcpStream;
    OwnedReadHalf = real::OwnedReadHalf, std::sync::Arc<simulated::TcpStream>;
    OwnedWriteHalf = real::OwnedWriteHalf, simulated::OwnedWriteHalf;
    UdpSocket = real::UdpSocket, simulated::UdpSocket;
}

/// Calls `$tokio` with a real socket, and `$simulated` with one of a simulation.
macro_rules! each {
    ($socket:expr, $inner:ident => $tokio:expr, $simulated:expr) => {
        match $socket {
            Self::Tokio($inner) => $tokio,
            #[cfg(feature = "sim")]
            Self::Madsim($inner) => $simulated,
            #[cfg(feature = "model")]
            Self::Loom(never) => match *never {},
        }
    };
}

impl TcpListener {
    pub(crate) async fn bind(addr: SocketAddr) -> io::Result<Self> {
        match run::kind() {
            Kind::Tokio => real::TcpListener::bind(addr).await.map(Self::Tokio),
            #[cfg(feature = "sim")]
            Kind::Madsim => simulated::TcpListener::bind(addr).map(Self::Madsim),
            #[cfg(feature = "model")]
            Kind::Loom | Kind::Explore => Err(super::loom::no_network("listen")),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        each!(self, listener => listener.accept().await.map(|(stream, peer)| (TcpStream::Tokio(stream), peer)),
            listener.accept().await.map(|(stream, peer)| (TcpStream::Madsim(stream), peer)))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(self, listener => listener.local_addr(), Ok(listener.local_addr()))
    }
}

impl TcpStream {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        match run::kind() {
            Kind::Tokio => real::TcpStream::connect(addr).await.map(Self::Tokio),
            #[cfg(feature = "sim")]
            Kind::Madsim => simulated::TcpStream::connect(addr).await.map(Self::Madsim),
            #[cfg(feature = "model")]
            Kind::Loom | Kind::Explore => Err(super::loom::no_network("connect")),
        }
    }

    pub(crate) fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        match self {
            Self::Tokio(stream) => {
                let (read, write) = stream.split();
                (ReadHalf::Tokio(read), WriteHalf::Tokio(write))
            }
            #[cfg(feature = "sim")]
            Self::Madsim(stream) => (ReadHalf::Madsim(stream), WriteHalf::Madsim(stream)),
            #[cfg(feature = "model")]
            Self::Loom(never) => match *never {},
        }
    }

    pub(crate) fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        match self {
            Self::Tokio(stream) => {
                let (read, write) = stream.into_split();
                (OwnedReadHalf::Tokio(read), OwnedWriteHalf::Tokio(write))
            }
            #[cfg(feature = "sim")]
            Self::Madsim(stream) => {
                let stream = std::sync::Arc::new(stream);
                let write = simulated::OwnedWriteHalf(std::sync::Arc::clone(&stream));
                (OwnedReadHalf::Madsim(stream), OwnedWriteHalf::Madsim(write))
            }
            #[cfg(feature = "model")]
            Self::Loom(never) => match never {},
        }
    }

    pub(crate) fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_peek(cx, buf), stream.poll_peek(cx, buf))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(self, stream => stream.local_addr(), Ok(stream.local_addr()))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        each!(self, stream => stream.peer_addr(), Ok(stream.peer_addr()))
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        each!(self, stream => stream.set_nodelay(nodelay), {
            let _ = stream;
            Ok(())
        })
    }
}

macro_rules! reads {
    ($($type:ty)*) => {
        $(impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                each!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf), io.poll_read(cx, buf))
            }
        })*
    };
}

macro_rules! writes {
    ($($type:ty, $io:ident => $simulated:expr;)*) => {
        $(impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                each!(self.get_mut(), $io => Pin::new($io).poll_write(cx, buf), $simulated.poll_write(cx, buf))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self.get_mut(), $io => Pin::new($io).poll_flush(cx), {
                    let _ = $io;
                    Poll::Ready(Ok(()))
                })
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self.get_mut(), $io => Pin::new($io).poll_shutdown(cx), {
                    $simulated.shutdown();
                    Poll::Ready(Ok(()))
                })
            }
        })*
    };
}

reads! { TcpStream ReadHalf<'_> OwnedReadHalf }

writes! {
    TcpStream, io => io;
    WriteHalf<'_>, io => io;
    OwnedWriteHalf, io => io.0;
}

impl UdpSocket {
    pub(crate) async fn bind(addr: SocketAddr) -> io::Result<Self> {
        match run::kind() {
            Kind::Tokio => real::UdpSocket::bind(addr).await.map(Self::Tokio),
            #[cfg(feature = "sim")]
            Kind::Madsim => simulated::UdpSocket::bind(addr).map(Self::Madsim),
            #[cfg(feature = "model")]
            Kind::Loom | Kind::Explore => Err(super::loom::no_network("bind a socket")),
        }
    }

    pub(crate) async fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        each!(self, socket => socket.connect(addr).await, socket.connect(addr))
    }

    pub(crate) async fn send_to(&self, bytes: &[u8], addr: SocketAddr) -> io::Result<usize> {
        each!(self, socket => socket.send_to(bytes, addr).await, socket.send_to(bytes, addr))
    }

    pub(crate) async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, socket => socket.send(bytes).await, socket.send_to(bytes, socket.peer_addr()?))
    }

    pub(crate) async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        each!(self, socket => socket.recv_from(buf).await, socket.recv_from(buf).await)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(self, socket => socket.local_addr(), Ok(socket.local_addr()))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        each!(self, socket => socket.peer_addr(), socket.peer_addr())
    }
}

/// The addresses that `name` has.
pub(crate) async fn lookup(name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    match run::kind() {
        Kind::Tokio => Ok(real::lookup_host((name, port)).await?.collect()),
        #[cfg(feature = "sim")]
        Kind::Madsim => simulated::lookup(&name, port).map(|addr| vec![addr]),
        #[cfg(feature = "model")]
        Kind::Loom | Kind::Explore => Err(super::loom::no_network("look a name up")),
    }
}
