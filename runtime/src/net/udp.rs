//! Datagrams.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;

use super::addr::ToSocketAddrs;
use super::{Shown, at, first};
use crate::backend;
use crate::said::say;
use crate::task::Op;

/// The most bytes in one datagram: 65,535 less the headers of IPv4 and UDP.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// A socket for datagrams. They may be lost, come twice, or overtake each other; what comes is whole.
pub struct UdpSocket(backend::UdpSocket);

impl UdpSocket {
    /// A socket at `addr`, the first that can be bound if it has several; port 0 lets the system choose one. Cancel safe.
    ///
    /// # Errors
    /// As [`TcpListener::bind`](super::TcpListener::bind).
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> impl Future<Output = io::Result<Self>> + use<A> {
        let caller = Location::caller();
        let target = addr.to_target();
        async move {
            let socket = Self(first(target, caller, backend::UdpSocket::bind).await?);
            say!("net", "udp bind at {}", Shown(socket.local_addr()));
            Ok(socket)
        }
    }

    /// Sends a datagram to `target` and returns its length. That it was sent says nothing of its arrival. Cancel safe: a
    /// dropped send has happened or not.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond [`MAX_DATAGRAM_BYTES`], and those of [`lookup_host`](super::lookup_host).
    #[track_caller]
    pub fn send_to<'a, A: ToSocketAddrs>(
        &'a self,
        bytes: &'a [u8],
        target: A,
    ) -> impl Future<Output = io::Result<usize>> + use<'a, A> {
        let caller = Location::caller();
        let target = target.to_target();
        async move {
            check_length(bytes)?;
            let sent = first(target, caller, |addr| at(Op::UdpSend, caller, self.0.send_to(bytes, addr))).await?;
            say!("net", "udp send of {sent}");
            Ok(sent)
        }
    }

    /// Waits for the next datagram; what does not fit into `buf` is lost. Returns its length there, and who sent it. Cancel
    /// safe: no datagram is lost.
    #[track_caller]
    pub fn recv_from<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + use<'a> {
        let caller = Location::caller();
        async move {
            let (count, source) = at(Op::UdpRecv, caller, self.0.recv_from(buf)).await?;
            say!("net", "udp recv of {count} from {}", Shown(Ok(source)));
            Ok((count, source))
        }
    }

    /// Makes `peer` the one that [`send`](Self::send) sends to and datagrams are taken from. Cancel safe.
    ///
    /// # Errors
    /// Those of [`lookup_host`](super::lookup_host).
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, peer: A) -> impl Future<Output = io::Result<()>> + use<'_, A> {
        let caller = Location::caller();
        let target = peer.to_target();
        async move { first(target, caller, |addr| self.0.connect(addr)).await }
    }

    /// Sends a datagram to the peer. See [`send_to`](Self::send_to).
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond [`MAX_DATAGRAM_BYTES`]; an error without a [`connect`](Self::connect).
    #[track_caller]
    pub fn send<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = io::Result<usize>> + use<'a> {
        let caller = Location::caller();
        async move {
            check_length(bytes)?;
            let sent = at(Op::UdpSend, caller, self.0.send(bytes)).await?;
            say!("net", "udp send of {sent}");
            Ok(sent)
        }
    }

    /// Waits for the next datagram of the peer. See [`recv_from`](Self::recv_from).
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + use<'a> {
        let received = self.recv_from(buf);
        async move { received.await.map(|(count, _)| count) }
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] without a [`connect`](Self::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpSocket({})", Shown(self.local_addr()))
    }
}

fn check_length(bytes: &[u8]) -> io::Result<()> {
    if bytes.len() <= MAX_DATAGRAM_BYTES {
        return Ok(());
    }
    let message = format!("a datagram has at most {MAX_DATAGRAM_BYTES} bytes, and this one {}", bytes.len());
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
