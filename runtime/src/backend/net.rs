//! The sockets of each runtime behind one pair of types.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Kind;
use crate::run;

pub(crate) enum TcpListener {
    Tokio(super::tokio::TcpListener),
    #[cfg(feature = "sim")]
    Madsim(super::madsim::TcpListener),
    #[cfg(feature = "model")]
    #[expect(dead_code, reason = "uninhabited: a model has no network")]
    Loom(super::loom::NoNetwork),
}

impl TcpListener {
    pub(crate) async fn bind(addr: SocketAddr) -> io::Result<Self> {
        match run::kind() {
            Kind::Tokio => super::tokio::TcpListener::bind(addr).await.map(Self::Tokio),
            #[cfg(feature = "sim")]
            Kind::Madsim => super::madsim::TcpListener::bind(addr).await.map(Self::Madsim),
            #[cfg(feature = "model")]
            Kind::Loom => Err(super::loom::no_network("listen")),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Tokio(listener) => listener.accept().await.map(|(stream, peer)| (TcpStream::Tokio(stream), peer)),
            #[cfg(feature = "sim")]
            Self::Madsim(listener) => {
                listener.accept().await.map(|(stream, peer)| (TcpStream::Madsim(Box::new(stream)), peer))
            }
            #[cfg(feature = "model")]
            Self::Loom(never) => match *never {},
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tokio(listener) => listener.local_addr(),
            #[cfg(feature = "sim")]
            Self::Madsim(listener) => listener.local_addr(),
            #[cfg(feature = "model")]
            Self::Loom(never) => match *never {},
        }
    }
}

pub(crate) enum TcpStream {
    Tokio(super::tokio::TcpStream),
    #[cfg(feature = "sim")]
    Madsim(Box<super::madsim::TcpStream>),
    #[cfg(feature = "model")]
    #[expect(dead_code, reason = "uninhabited: a model has no network")]
    Loom(super::loom::NoNetwork),
}

/// Calls `$body` with the stream of whichever runtime it is.
macro_rules! each {
    ($stream:expr, $inner:ident => $body:expr) => {
        match $stream {
            TcpStream::Tokio($inner) => $body,
            #[cfg(feature = "sim")]
            TcpStream::Madsim($inner) => $body,
            #[cfg(feature = "model")]
            TcpStream::Loom(never) => match *never {},
        }
    };
}

impl TcpStream {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        match run::kind() {
            Kind::Tokio => super::tokio::TcpStream::connect(addr).await.map(Self::Tokio),
            #[cfg(feature = "sim")]
            Kind::Madsim => super::madsim::TcpStream::connect(addr).await.map(|stream| Self::Madsim(Box::new(stream))),
            #[cfg(feature = "model")]
            Kind::Loom => Err(super::loom::no_network("connect")),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(self, stream => stream.local_addr())
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        each!(self, stream => stream.peer_addr())
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        each!(self, stream => stream.set_nodelay(nodelay))
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
