//! Hosts: their addresses, ports and names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Waker;

use super::connection::ConnectionId;
use super::udp::Socket;
use super::{Network, SocketId};
use crate::task;

/// A host of the simulated network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub(super) usize);

pub(super) struct Host {
    pub(super) ip: IpAddr,
    pub(super) up: bool,
    pub(super) listeners: BTreeMap<Bound, Listener>,
    pub(super) udp: BTreeMap<Bound, Socket>,
    /// Ports whose listeners refuse.
    pub(super) refused: BTreeSet<u16>,
    next_port: u16,
}

/// Where a socket is bound: by port first, since that is what conflicts are about.
pub(super) type Bound = (u16, IpAddr);

/// What comes to one listening socket.
pub(super) struct Listener {
    pub(super) id: SocketId,
    /// Connections that wait for the last of three handshakes.
    pub(super) opening: Vec<ConnectionId>,
    /// Connections that wait for `accept`.
    pub(super) ready: VecDeque<ConnectionId>,
    pub(super) wakers: Vec<Waker>,
}

/// The ports that are given out where none is asked for (RFC 6335, section 6).
const FIRST_EPHEMERAL_PORT: u16 = 49_152;

impl Host {
    pub(super) fn new(ip: IpAddr) -> Self {
        Self {
            ip,
            up: true,
            listeners: BTreeMap::new(),
            udp: BTreeMap::new(),
            refused: BTreeSet::new(),
            next_port: FIRST_EPHEMERAL_PORT,
        }
    }

    /// The listener that a connection to `addr` comes to.
    pub(super) fn listener(&mut self, addr: SocketAddr) -> Option<&mut Listener> {
        if self.refused.contains(&addr.port()) {
            return None;
        }
        let bound = bound_for(&self.listeners, addr)?;
        self.listeners.get_mut(&bound)
    }

    fn has(&self, ip: IpAddr) -> bool {
        ip == self.ip || ip.is_loopback() || ip.is_unspecified()
    }

    /// Where a socket for `addr` can be bound, given what is `taken`.
    pub(super) fn bind(
        &mut self,
        addr: SocketAddr,
        taken: impl Fn(&Self, u16, IpAddr) -> bool,
    ) -> io::Result<SocketAddr> {
        let ip = addr.ip();
        if !self.has(ip) {
            let message = format!("cannot bind {addr}: this node's address is {}", self.ip);
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message));
        }
        if addr.port() != 0 {
            let error = || io::Error::new(io::ErrorKind::AddrInUse, format!("cannot bind {addr}: the port is taken"));
            return if taken(self, addr.port(), ip) { Err(error()) } else { Ok(addr) };
        }
        for _ in FIRST_EPHEMERAL_PORT..=u16::MAX {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL_PORT);
            if !taken(self, port, ip) {
                return Ok(SocketAddr::new(ip, port));
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, format!("cannot bind {addr}: no port is left")))
    }
}

/// Whether a socket is bound in the way of one at `ip` and `port`.
pub(super) fn conflicts<S>(bound: &BTreeMap<Bound, S>, port: u16, ip: IpAddr) -> bool {
    let all = bound.range((port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..);
    all.take_while(|((other, _), _)| *other == port)
        .any(|((_, other), _)| *other == ip || other.is_unspecified() || ip.is_unspecified())
}

/// What is bound for packets to `addr`: at that address, or at all of them.
pub(super) fn bound_for<S>(bound: &BTreeMap<Bound, S>, addr: SocketAddr) -> Option<Bound> {
    let any = [addr.ip(), IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    any.into_iter().map(|ip| (addr.port(), ip)).find(|key| bound.contains_key(key))
}

impl Network {
    /// The host of the current task.
    pub(super) fn here(&self) -> io::Result<HostId> {
        let name = task::with_current(|task| task.node.clone()).flatten();
        let found = name.and_then(|name| self.wire.names.iter().position(|known| *known == name));
        let host = found.expect("sockets are used by tasks on nodes");
        let error = || io::Error::new(io::ErrorKind::NetworkDown, "this node has been killed");
        if self.hosts[host].up { Ok(HostId(host)) } else { Err(error()) }
    }

    /// The host that `ip` is to one on `here`, and the address of `here` on the way.
    pub(super) fn route(&self, here: HostId, ip: IpAddr) -> io::Result<(HostId, IpAddr)> {
        if ip.is_loopback() || ip.is_unspecified() {
            return Ok((here, if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }));
        }
        let error = || io::Error::new(io::ErrorKind::HostUnreachable, format!("no node has the address {ip}"));
        let host = self.hosts.iter().position(|host| host.ip == ip).ok_or_else(error)?;
        Ok((HostId(host), self.hosts[here.0].ip))
    }

    /// The address of the node called `name`, or of this one for `localhost`.
    pub(super) fn resolve(&self, name: &str) -> io::Result<IpAddr> {
        if self.unresolved.contains(name) {
            return Err(io::Error::other(format!("cannot look up `{name}`: name resolution fails for now")));
        }
        if name == "localhost" {
            return Ok(Ipv4Addr::LOCALHOST.into());
        }
        let host = self.wire.names.iter().position(|known| &**known == name);
        host.map(|host| self.hosts[host].ip).ok_or_else(|| {
            let message = format!("cannot look up `{name}`: no node has this name");
            io::Error::new(io::ErrorKind::NotFound, message)
        })
    }
}
