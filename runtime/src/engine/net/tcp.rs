//! The sockets of TCP, as tasks hold them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::connection::{Connection, ConnectionId, Side};
use super::host::{HostId, Listener, conflicts};
use super::wire::Wire;
use super::{Network, SocketId, with};
use crate::object::Object;

pub(crate) struct TcpListener {
    object: Object,
    id: SocketId,
    host: HostId,
    addr: SocketAddr,
}

impl TcpListener {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let (id, host, addr) = with(|network| network.listen(addr))?;
        Ok(Self { object: Object::new(None), id, host, addr })
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (id, local, peer) = poll_fn(|cx| {
            self.object.check();
            with(|network| network.poll_accept(self, cx))
        })
        .await?;
        Ok((TcpStream { object: Object::new(None), id, side: Side::Server, local, peer }, peer))
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    fn key(&self) -> (u16, std::net::IpAddr) {
        (self.addr.port(), self.addr.ip())
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        if self.object.is_current() {
            with(|network| network.stop_listening(self));
        }
    }
}

/// One end of a connection. Every operation takes it by reference, so that halves can share it.
pub(crate) struct TcpStream {
    object: Object,
    id: ConnectionId,
    side: Side,
    local: SocketAddr,
    peer: SocketAddr,
}

impl TcpStream {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let (id, local, peer) = with(|network| network.connect(addr))?;
        let stream = Self { object: Object::new(None), id, side: Side::Client, local, peer };
        poll_fn(|cx| stream.with(|it, _| it.poll_connected(cx)).unwrap_or_else(gone)).await?;
        Ok(stream)
    }

    /// Calls `f` with the connection, unless a kill of its host has ended it.
    fn with<R>(&self, f: impl FnOnce(&mut Connection, &mut Wire) -> R) -> Option<R> {
        self.object.check();
        with(|network| network.on_connection(self.id, f))
    }

    pub(crate) fn poll_read(&self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|it, wire| it.poll_read(wire, self.side, cx, buf, false)).unwrap_or_else(gone)
    }

    pub(crate) fn poll_peek(&self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let peek = self.with(|it, wire| it.poll_read(wire, self.side, cx, buf, true)).unwrap_or_else(gone);
        peek.map_ok(|()| buf.filled().len())
    }

    pub(crate) fn poll_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|it, wire| it.poll_write(wire, self.side, cx, buf)).unwrap_or_else(gone)
    }

    /// Ends what this side sends.
    pub(crate) fn shutdown(&self) {
        self.with(|it, wire| it.finish(wire, self.side));
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        if self.object.is_current() {
            self.with(|it, wire| it.close(wire, self.side));
        }
    }
}

fn gone<T>() -> Poll<io::Result<T>> {
    let error = io::Error::new(io::ErrorKind::NotConnected, "the node of this connection has been killed");
    Poll::Ready(Err(error))
}

/// The half that writes; dropping it ends what this side sends.
pub(crate) struct OwnedWriteHalf(pub(crate) Arc<TcpStream>);

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.0.object.is_current() {
            self.0.shutdown();
        }
    }
}

impl Network {
    fn listen(&mut self, addr: SocketAddr) -> io::Result<(SocketId, HostId, SocketAddr)> {
        let (here, id) = (self.here()?, self.next_id());
        let host = &mut self.hosts[here.0];
        let addr = host.bind(addr, |host, port, ip| conflicts(&host.listeners, port, ip))?;
        let listener = Listener { id, opening: Vec::new(), ready: VecDeque::new(), wakers: Vec::new() };
        host.listeners.insert((addr.port(), addr.ip()), listener);
        Ok((id, here, addr))
    }

    fn poll_accept(
        &mut self,
        socket: &TcpListener,
        cx: &Context<'_>,
    ) -> Poll<io::Result<(ConnectionId, SocketAddr, SocketAddr)>> {
        let listener = self.hosts[socket.host.0].listeners.get_mut(&socket.key());
        let Some(listener) = listener.filter(|listener| listener.id == socket.id) else { return gone() };
        match listener.ready.pop_front() {
            Some(id) => {
                let connection = &self.connections[&id];
                let [local, peer] = [Side::Server, Side::Client].map(|side| connection.end(side).addr);
                Poll::Ready(Ok((id, local, peer)))
            }
            None => {
                if !listener.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    listener.wakers.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Takes a listener away; what it has not handed out is reset.
    fn stop_listening(&mut self, socket: &TcpListener) {
        let listeners = &mut self.hosts[socket.host.0].listeners;
        if listeners.get(&socket.key()).is_some_and(|listener| listener.id == socket.id)
            && let Some(listener) = listeners.remove(&socket.key())
        {
            for id in listener.opening.into_iter().chain(listener.ready) {
                self.on_connection(id, Connection::turn_away);
            }
        }
    }

    /// Sends the SYN of a new connection.
    fn connect(&mut self, addr: SocketAddr) -> io::Result<(ConnectionId, SocketAddr, SocketAddr)> {
        let here = self.here()?;
        let (there, source) = self.route(here, addr.ip())?;
        let peer = if addr.ip().is_unspecified() { SocketAddr::new(source, addr.port()) } else { addr };
        let id = self.next_id();
        let connections = &self.connections;
        let taken = |port| connections.values().any(|it| it.end(Side::Client).addr == SocketAddr::new(source, port));
        let host = &mut self.hosts[here.0];
        let any = SocketAddr::new(source, 0);
        let local = host.bind(any, |host, port, ip| conflicts(&host.listeners, port, ip) || taken(port))?;
        let mut connection = Connection::new(id, (here, local), (there, peer));
        connection.open(&mut self.wire);
        self.connections.insert(id, connection);
        Ok((id, local, peer))
    }
}
