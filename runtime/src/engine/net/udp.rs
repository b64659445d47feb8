//! UDP: datagrams, each for itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::event::EventKind;
use super::host::{HostId, bound_for, conflicts};
use super::link::is_whole;
use super::queue::Happening;
use super::wire::{Departure, Packet};
use super::{Network, SocketId, with};
use crate::object::Object;

/// Bytes of IPv4 and UDP around a datagram.
const HEADER_BYTES: usize = 28;

/// Bytes that wait for a socket's reader; what comes beyond them is lost. Linux's `net.core.rmem_default`.
const BUFFER_BYTES: usize = 212_992;

/// A datagram on its way.
pub(super) struct Datagram {
    id: u64,
    from: HostId,
    to: HostId,
    source: SocketAddr,
    target: SocketAddr,
    bytes: Arc<[u8]>,
    cuts: u32,
}

/// What a host knows of a socket.
pub(super) struct Socket {
    id: SocketId,
    arrived: VecDeque<(SocketAddr, Arc<[u8]>)>,
    arrived_bytes: usize,
    /// The one peer that it takes datagrams from, if it is connected.
    peer: Option<SocketAddr>,
    wakers: Vec<Waker>,
}

/// A socket, as a task holds it.
pub(crate) struct UdpSocket {
    object: Object,
    id: SocketId,
    host: HostId,
    addr: SocketAddr,
}

impl UdpSocket {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let (id, host, addr) = with(|network| network.bind_udp(addr))?;
        Ok(Self { object: Object::new(None), id, host, addr })
    }

    pub(crate) fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        self.with(|socket| {
            socket.peer = Some(addr);
            let kept = |(source, bytes): &(SocketAddr, Arc<[u8]>)| (*source == addr).then_some(bytes.len());
            socket.arrived_bytes = socket.arrived.iter().filter_map(kept).sum();
            socket.arrived.retain(|(source, _)| *source == addr);
        })
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.with(|socket| socket.peer)?.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn send_to(&self, bytes: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.with(|_| ())?;
        with(|network| network.send_datagram(self, bytes, target))
    }

    pub(crate) async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (source, bytes) = poll_fn(|cx| self.poll_recv(cx)).await?;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        Ok((count, source))
    }

    fn poll_recv(&self, cx: &Context<'_>) -> Poll<io::Result<(SocketAddr, Arc<[u8]>)>> {
        let arrived = self.with(|socket| {
            let arrived = socket.arrived.pop_front();
            match &arrived {
                Some((_, bytes)) => socket.arrived_bytes -= bytes.len(),
                None if !socket.wakers.iter().any(|waker| waker.will_wake(cx.waker())) => {
                    socket.wakers.push(cx.waker().clone());
                }
                None => {}
            }
            arrived
        });
        arrived.transpose().map_or(Poll::Pending, Poll::Ready)
    }

    /// Calls `f` with what the host knows of the socket.
    fn with<R>(&self, f: impl FnOnce(&mut Socket) -> R) -> io::Result<R> {
        self.object.check();
        let socket = with(|network| network.socket(self).map(f));
        socket.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the node of this socket has been killed"))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        if self.object.is_current() {
            with(|network| {
                if network.socket(self).is_some() {
                    network.hosts[self.host.0].udp.remove(&(self.addr.port(), self.addr.ip()));
                }
            });
        }
    }
}

impl Network {
    fn socket(&mut self, socket: &UdpSocket) -> Option<&mut Socket> {
        let found = self.hosts[socket.host.0].udp.get_mut(&(socket.addr.port(), socket.addr.ip()));
        found.filter(|found| found.id == socket.id)
    }

    fn bind_udp(&mut self, addr: SocketAddr) -> io::Result<(SocketId, HostId, SocketAddr)> {
        let (here, id) = (self.here()?, self.next_id());
        let host = &mut self.hosts[here.0];
        let addr = host.bind(addr, |host, port, ip| conflicts(&host.udp, port, ip))?;
        let socket = Socket { id, arrived: VecDeque::new(), arrived_bytes: 0, peer: None, wakers: Vec::new() };
        host.udp.insert((addr.port(), addr.ip()), socket);
        Ok((id, here, addr))
    }

    fn send_datagram(&mut self, socket: &UdpSocket, bytes: &[u8], target: SocketAddr) -> io::Result<usize> {
        let from = socket.host;
        let (to, ip) = self.route(from, target.ip())?;
        let bound = socket.addr.ip();
        let source = SocketAddr::new(if bound.is_unspecified() { ip } else { bound }, socket.addr.port());
        let target = if target.ip().is_unspecified() { SocketAddr::new(ip, target.port()) } else { target };
        let shared: Arc<[u8]> = bytes.into();
        let copies = if self.wire.duplicates(from, to) { 2 } else { 1 };
        for _ in 0..copies {
            let packet = Packet { kind: EventKind::Datagram, from, to, bytes: bytes.len(), headers: HEADER_BYTES };
            let Departure { id, cuts, arrives } = self.wire.send(&packet);
            if let Some(at) = arrives {
                let datagram = Datagram { id, from, to, source, target, bytes: Arc::clone(&shared), cuts };
                self.wire.queue.push(at, Happening::Datagram(Box::new(datagram)));
            }
        }
        Ok(bytes.len())
    }

    pub(super) fn datagram_arrives(&mut self, datagram: Datagram) {
        let Datagram { id, from, to, source, target, bytes, cuts } = datagram;
        let crosses = is_whole(&self.wire.links, from, to, cuts);
        let host = &mut self.hosts[to.0];
        let bound = bound_for(&host.udp, target);
        let socket = bound.and_then(|bound| host.udp.get_mut(&bound)).filter(|socket| {
            let from_peer = socket.peer.is_none_or(|peer| peer == source);
            crosses && from_peer && socket.arrived_bytes + bytes.len() <= BUFFER_BYTES
        });
        self.wire.note_end(id, socket.is_some(), false);
        if let Some(socket) = socket {
            socket.arrived_bytes += bytes.len();
            socket.arrived.push_back((source, bytes));
            self.wire.woken.extend(socket.wakers.drain(..));
        }
    }
}
