//! What the driver of a simulation does to its network.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{ConnectionId, Side};
use super::event::{Change, Event, Recording};
use super::host::{Host, HostId};
use super::link::LinkConditions;
use super::{Network, Shared, TcpOptions};

/// The network is locked for microseconds.
const LONGEST_LOCKED: Duration = Duration::from_secs(1);

/// Sets up the network of a run, and troubles it.
#[derive(Clone, Copy)]
pub struct Control<'a>(pub(in crate::engine) &'a Shared);

impl std::fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control<'_> {
    /// A new host that is up. Tasks are on it by the name of their node.
    ///
    /// # Panics
    /// If there is one of this name.
    pub fn add_host(self, name: &str, ip: IpAddr) -> HostId {
        self.0.with(|network| {
            let known = network.wire.names.iter().any(|known| &**known == name);
            assert!(!known, "a node called `{name}` exists: give each node a name of its own");
            network.wire.names.push(Arc::from(name));
            network.hosts.push(Host::new(ip));
            HostId(network.hosts.len() - 1)
        })
    }

    /// Takes the power from a host: its sockets are gone at once.
    pub fn kill(self, host: HostId) {
        self.0.with(|network| {
            network.wire.note(|names| Change::Down(Arc::clone(&names[host.0])));
            network.kill(host);
        });
    }

    /// Gives a host that was killed its power back.
    pub fn start(self, host: HostId) {
        self.0.with(|network| {
            network.wire.note(|names| Change::Up(Arc::clone(&names[host.0])));
            network.hosts[host.0].up = true;
        });
    }

    /// How packets between different hosts go from `from` to `to`.
    pub fn link(self, from: HostId, to: HostId) -> LinkConditions {
        self.0.with(|network| network.wire.link(from, to).conditions().clone())
    }

    /// Sets how packets go from `from` to `to`, from now on; clogging loses those on their way as well.
    pub fn set_link(self, from: HostId, to: HostId, conditions: LinkConditions) {
        self.0.with(|network| {
            network.wire.note(|names| {
                let (from, to) = (Arc::clone(&names[from.0]), Arc::clone(&names[to.0]));
                Change::Link { from, to, conditions: conditions.clone() }
            });
            network.wire.link(from, to).set_conditions(conditions);
        });
    }

    /// Sets how packets go over every link, those of hosts still to come included.
    pub fn set_every_link(self, conditions: &LinkConditions) {
        self.0.with(|network| {
            network.wire.note(|_| Change::EveryLink(conditions.clone()));
            network.wire.links().for_each(|link| link.set_conditions(conditions.clone()));
            network.wire.default = conditions.clone();
        });
    }

    /// Lets packets over every link again.
    pub fn unclog_every_link(self) {
        self.0.with(|network| {
            network.wire.note(|_| Change::Unclogged);
            for link in network.wire.links() {
                link.set_conditions(LinkConditions { clogged: false, ..link.conditions().clone() });
            }
            network.wire.default.clogged = false;
        });
    }

    /// Whether connections to `port` of a host are refused although there may be a listener.
    pub fn refuse(self, host: HostId, port: u16, refused: bool) {
        self.0.with(|network| {
            let ports = &mut network.hosts[host.0].refused;
            if refused { ports.insert(port) } else { ports.remove(&port) }
        });
    }

    /// Whether looking up `name` fails.
    pub fn fail_lookups(self, name: &str, fails: bool) {
        self.0.with(|network| {
            let names = &mut network.unresolved;
            if fails { names.insert(name.into()) } else { names.remove(name) }
        });
    }

    /// Sets how TCP behaves, from now on.
    pub fn set_tcp(self, options: TcpOptions) {
        self.0.with(|network| network.wire.options = options);
    }

    /// Keeps what happens from now on for [`take_recording`](Self::take_recording).
    pub fn record(self) {
        self.0.with(|network| network.wire.record());
    }

    /// What happened since recording began; it ends. The run may be over, or given up: nothing, if the network never is free.
    pub fn take_recording(self) -> Recording {
        self.0
            .0
            .try_lock_for(LONGEST_LOCKED)
            .map_or_else(Recording::default, |mut network| network.wire.take_recording())
    }

    /// Keeps an [`Event`] for each packet from now on for [`events`](Self::events).
    pub fn show_events(self) {
        self.0.with(|network| network.wire.show());
    }

    /// The packets that were sent since they were to be shown.
    pub fn events(self) -> Vec<Event> {
        self.0.with(|network| network.wire.shown())
    }
}

impl Network {
    fn kill(&mut self, host: HostId) {
        let state = &mut self.hosts[host.0];
        state.up = false;
        state.listeners.clear();
        state.udp.clear();
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.on_connection(id, |it, wire| {
                for side in [Side::Client, Side::Server] {
                    if it.end(side).host == host {
                        it.vanish(wire, side);
                    }
                }
            });
        }
    }
}
