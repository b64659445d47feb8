//! The network of a simulation: links that delay and lose, and on them TCP and UDP.
//!
//! # The model
//!
//! *Hosts* have a name, an address and the loopback addresses. A packet from one host to another meets, in this order: the
//! link's queue (with a bandwidth, one packet after the other), loss, and a latency drawn for each packet. A cut link loses
//! what is sent and also what is on its way: nothing crosses a partition that was made after it left. Packets of one TCP
//! direction keep their order; datagrams overtake each other where the latency varies. Packets within a host take
//! [`LOOPBACK_LATENCY`] and are never lost.
//!
//! *TCP* is that of RFC 9293 by sequence numbers, cumulative acknowledgements and an advertised window: the SYN and the FIN
//! count one each, a writer waits once the peer has a window of bytes that it did not read, what is lost is sent again when
//! the retransmission timer of RFC 6298 says so (round trips are measured by timestamps, RFC 7323), and a connection that gets no answer for [`TcpOptions::give_up_after`] fails
//! with `TimedOut`. Connecting takes a round trip; it is refused where nobody listens, and a SYN that finds the backlog full
//! is dropped and sent again. A dropped stream sends FIN or, when it leaves bytes unread, RST; bytes that come later are
//! answered with RST.
//!
//! *A killed host* is a machine that lost its power: its sockets are gone at once, without a goodbye, and packets to it
//! vanish. Started again, it answers segments of connections that it does not know with RST. A connection belongs to the
//! sockets that made it and to no port, so none survives a restart.
//!
//! # Simplifications
//!
//! Writes are sent at once (no Nagle), every segment is acknowledged at once, and there is neither congestion control nor
//! fast retransmission: a lost segment comes after its timer, one second by RFC 6298 unless round trips are slow. A lost
//! window update is sent again by the reader, which stands for the writer's probes. There are no keep-alives: an idle
//! connection costs nothing and never fails. No ICMP: a datagram to nobody vanishes. Looking a name up takes no time.
//! Pure acknowledgements are recorded as [`Event`]s and not traced.
//!
//! # Determinism
//!
//! All randomness is drawn from the stream [`NETWORK_STREAM`] of the seed, by each link for itself and for each millisecond anew:
//! what happens to a packet does not depend on what was sent before. All that happens later is in one queue, ordered by time and
//! then by entry; and one madsim timer wakes the run's driver for the earliest of it that anybody may notice. Times have no floor:
//! a latency may be shorter than a millisecond.

mod application;
mod connection;
mod control;
mod event;
mod host;
mod link;
mod loss;
mod outbound;
mod queue;
mod tcp;
mod udp;
mod weather;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngCore;
use smallvec::SmallVec;

use self::connection::{Connection, ConnectionId, Phase, Segment, Side};
use self::host::Host;
use self::link::{Links, is_whole};
use self::queue::Happening;
use self::wire::Wire;
use crate::{backend, run};

pub use control::Control;
pub use event::{Change, Event, EventKind, Fate, Recording};
pub use host::HostId;
pub use link::{LOOPBACK_LATENCY, LinkConditions};
pub(crate) use tcp::{OwnedWriteHalf, TcpListener, TcpStream};
pub(crate) use udp::UdpSocket;

/// The stream of the seed from which latencies and losses are drawn.
pub const NETWORK_STREAM: u64 = 4;

/// How TCP behaves on every host of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// Bytes that may be on their way or unread in one direction of a connection; 65,536 by default.
    pub window: usize,
    /// Connections that a listener holds for `accept`; 128 by default.
    pub backlog: usize,
    /// How long a connection, or a connect, waits for an acknowledgement; 100 s by default (RFC 1122, 4.2.3.5: R2).
    pub give_up_after: Duration,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { window: 65_536, backlog: 128, give_up_after: Duration::from_secs(100) }
    }
}

/// Names a socket within its run; never used again.
type SocketId = u64;

/// The state of the whole network.
pub(crate) struct Network {
    wire: Wire,
    hosts: Vec<Host>,
    /// Names that cannot be looked up for now.
    unresolved: BTreeSet<String>,
    connections: BTreeMap<ConnectionId, Connection>,
    next_id: u64,
    /// Woken when the time of the earliest happening has come.
    driver: Option<Waker>,
}

/// The network of a run, behind a lock that is never held while a task is woken.
pub(crate) struct Shared(Mutex<Network>);

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        let wire = Wire::new(super::generator(seed, NETWORK_STREAM).next_u64());
        Self(Mutex::new(Network {
            wire,
            hosts: Vec::new(),
            unresolved: BTreeSet::new(),
            connections: BTreeMap::new(),
            next_id: 0,
            driver: None,
        }))
    }

    /// Calls `f`, which may change anything, with the network at the present time.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Network) -> R) -> R {
        self.enter(|network| {
            network.wire.queue.change();
            f(network)
        })
    }

    /// Calls `f` with the network at the present time, then wakes whom it concerns.
    fn enter<R>(&self, f: impl FnOnce(&mut Network) -> R) -> R {
        let mut network = self.0.lock();
        network.advance(backend::now());
        let result = f(&mut network);
        network.arm();
        if !network.wire.woken.is_empty() {
            let woken = std::mem::take(&mut network.wire.woken);
            drop(network);
            woken.into_iter().for_each(Waker::wake);
        }
        result
    }

    /// Lets everything happen whose time has come; `driver` is woken for what is still to come.
    pub(super) fn drive(&self, driver: &Waker) {
        self.with(|network| {
            if !network.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
                network.driver = Some(driver.clone());
            }
            network.happen();
        });
    }
}

/// Calls `f` with the network of the current run, for a socket: nobody awaits anything but what `f` enters into the queue, unless
/// it says so there.
fn with<R>(f: impl FnOnce(&mut Network) -> R) -> R {
    run::with(|run| run.engine().sim.network.enter(f))
}

/// The addresses that `name` has at `port`, as the current task's host sees them.
pub(crate) fn lookup(name: &str, port: u16) -> std::io::Result<SocketAddr> {
    with(|network| network.resolve(name)).map(|ip| SocketAddr::new(ip, port))
}

/// Tells the happenings that change nothing anybody waits for: the arrival of an acknowledgement of all that was sent, at an end
/// that waits for no room; a retransmission timer without a deadline. They need no timer of madsim's, and happen when the network
/// is next looked at.
fn unnoticed(
    connections: &BTreeMap<ConnectionId, Connection>,
    hosts: &[Host],
    links: &Links,
) -> impl Fn(&Happening) -> bool {
    |happening| match happening {
        Happening::Segment(segment) => connections.get(&segment.connection).is_some_and(|connection| {
            let (from, to) = (connection.end(segment.from).host, connection.end(segment.from.other()).host);
            connection.is_idle_acknowledgement(segment) && hosts[to.0].up && is_whole(links, from, to, segment.cuts)
        }),
        Happening::Retransmit(id, side) => connections.get(id).is_none_or(|it| it.end(*side).out.deadline.is_none()),
        _ => false,
    }
}

impl Network {
    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Goes on to the present. What nobody waited for has happened meanwhile, each at its time.
    fn advance(&mut self, now: Duration) {
        loop {
            let Self { wire, connections, hosts, .. } = self;
            let unnoticed = unnoticed(connections, hosts, &wire.links);
            let Some((at, happening)) = wire.queue.pop(now, unnoticed) else { break };
            self.wire.now = at;
            self.happens(happening);
        }
        self.wire.now = now;
    }

    /// Sets a timer for the earliest happening that somebody may notice, unless one is set that is as early.
    fn arm(&mut self) {
        let Self { wire, connections, hosts, driver: Some(driver), .. } = self else { return };
        let unnoticed = unnoticed(connections, hosts, &wire.links);
        let mut acknowledged: SmallVec<[(ConnectionId, Side); 4]> = SmallVec::new();
        let awaited = |happening: &Happening| match happening {
            Happening::Segment(it) if unnoticed(happening) => {
                acknowledged.push((it.connection, it.from.other()));
                false
            }
            // By then its deadline is gone.
            Happening::Retransmit(id, side) if acknowledged.contains(&(*id, *side)) => false,
            _ => !unnoticed(happening),
        };
        if let Some(at) = wire.queue.next_timer(wire.now, awaited) {
            backend::wake_at(at, driver);
        }
    }

    fn happen(&mut self) {
        while let Some((_, happening)) = self.wire.queue.pop(self.wire.now, |_| true) {
            self.happens(happening);
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Segment(segment) => self.segment_arrives(segment),
            Happening::Datagram(datagram) => self.datagram_arrives(*datagram),
            Happening::Retransmit(id, side) => {
                self.on_connection(id, |it, wire| it.retransmit_timer(wire, side));
            }
            Happening::Advertise(id, side) => {
                self.on_connection(id, |it, wire| it.advertise_timer(wire, side));
            }
        }
    }

    /// Calls `f` with a connection, if it still exists, and forgets it once neither end needs it.
    fn on_connection<R>(&mut self, id: ConnectionId, f: impl FnOnce(&mut Connection, &mut Wire) -> R) -> Option<R> {
        let connection = self.connections.get_mut(&id)?;
        let result = f(connection, &mut self.wire);
        if connection.is_over() {
            self.connections.remove(&id);
        }
        Some(result)
    }

    fn segment_arrives(&mut self, segment: Segment) {
        let Some(connection) = self.connections.get(&segment.connection) else { return };
        let to = segment.from.other();
        let (from_host, to_host) = (connection.end(segment.from).host, connection.end(to).host);
        let crosses = self.hosts[to_host.0].up && is_whole(&self.wire.links, from_host, to_host, segment.cuts);
        self.wire.note_end(segment.id, crosses, segment.is_pure_acknowledgement());
        if !crosses {
            self.on_connection(segment.connection, |it, wire| it.lost(wire, &segment));
        } else if connection.end(to).phase == Phase::Unopened {
            self.connection_requested(&segment);
        } else if self.on_connection(segment.connection, |it, wire| it.arrive(wire, &segment)) == Some(true) {
            self.connection_established(segment.connection, to);
        }
    }

    /// A SYN has come to a host: a listener takes it, drops it, or is not there.
    fn connection_requested(&mut self, segment: &Segment) {
        let Some(connection) = self.connections.get(&segment.connection) else { return };
        if segment.reset {
            return;
        }
        if segment.start > 0 {
            self.on_connection(segment.connection, |it, wire| it.reset(wire, Side::Server));
            return;
        }
        let (host, addr) = (connection.end(Side::Server).host, connection.end(Side::Server).addr);
        let backlog = self.wire.options.backlog;
        let Some(listener) = self.hosts[host.0].listener(addr) else {
            self.on_connection(segment.connection, |it, wire| it.reset(wire, Side::Server));
            return;
        };
        let connections = &self.connections;
        listener.opening.retain(|id| connections.get(id).is_some_and(Connection::is_opening));
        if listener.opening.len() + listener.ready.len() >= backlog {
            return;
        }
        listener.opening.push(segment.connection);
        self.on_connection(segment.connection, |it, wire| it.open_server(wire, segment));
    }

    /// Both ends of a connection know of each other; the one that was waited for can be accepted.
    fn connection_established(&mut self, id: ConnectionId, side: Side) {
        if side == Side::Client {
            return;
        }
        let Some(connection) = self.connections.get(&id) else { return };
        let end = connection.end(side);
        let Some(listener) = self.hosts[end.host.0].listener(end.addr) else {
            self.on_connection(id, |it, wire| it.abort(wire, side));
            return;
        };
        listener.opening.retain(|opening| *opening != id);
        listener.ready.push_back(id);
        self.wire.woken.extend(listener.wakers.drain(..));
    }
}
