//! What sends packets: the links, the queue, and the record of what was sent.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use smallvec::SmallVec;

use super::TcpOptions;
use super::event::{Change, Event, EventKind, Fate, Recording};
use super::host::HostId;
use super::link::{LOOPBACK_LATENCY, Link, LinkConditions, Links};
use super::queue::Queue;
use super::weather::Weather;
use crate::object::Number;
use crate::said::say;

/// What is sent: its kind, its hosts, the bytes of the user's, and those with headers.
pub(super) struct Packet {
    pub(super) kind: EventKind,
    pub(super) from: HostId,
    pub(super) to: HostId,
    pub(super) bytes: usize,
    pub(super) headers: usize,
}

/// How a packet left.
pub(super) struct Departure {
    pub(super) id: u64,
    /// How often its link had been cut by then.
    pub(super) cuts: u32,
    /// When it arrives, unless it was lost.
    pub(super) arrives: Option<Duration>,
}

pub(super) struct Wire {
    pub(super) now: Duration,
    pub(super) options: TcpOptions,
    pub(super) queue: Queue,
    /// Tasks to be woken once the network is unlocked.
    pub(super) woken: SmallVec<[Waker; 4]>,
    /// The names of the hosts.
    pub(super) names: Vec<Arc<str>>,
    /// From which every link has its weather.
    key: u64,
    /// The conditions of links that have none of their own.
    pub(super) default: LinkConditions,
    pub(super) links: Links,
    packets: u64,
    /// What has happened since recording began, with the number of the first packet.
    recorded: Option<(u64, Recording)>,
    /// The number of the first packet that the scenario asked to see.
    shown_from: Option<u64>,
}

impl Wire {
    pub(super) fn new(key: u64) -> Self {
        Self {
            now: Duration::ZERO,
            options: TcpOptions::default(),
            queue: Queue::default(),
            woken: SmallVec::new(),
            names: Vec::new(),
            key,
            default: LinkConditions::default(),
            links: Links::new(),
            packets: 0,
            recorded: None,
            shown_from: None,
        }
    }

    pub(super) fn link(&mut self, from: HostId, to: HostId) -> &mut Link {
        let new = || Link::new(self.default.clone(), Weather::new(self.key, from, to));
        self.links.entry((from, to)).or_insert_with(new)
    }

    pub(super) fn links(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.values_mut()
    }

    /// Wakes the task that waits there, if one does.
    pub(super) fn wake(&mut self, waiting: &mut Option<Waker>) {
        self.woken.extend(waiting.take());
    }

    /// Sends a packet; the caller queues its arrival.
    pub(super) fn send(&mut self, packet: &Packet) -> Departure {
        self.packets += 1;
        let (id, now) = (self.packets, self.now);
        let (cuts, arrives) = if packet.from == packet.to {
            (0, Some(now + LOOPBACK_LATENCY))
        } else {
            let link = self.link(packet.from, packet.to);
            (link.cuts, link.carry(now, packet.kind, packet.bytes + packet.headers))
        };
        self.note_start(id, packet);
        if arrives.is_none() {
            self.note_end(id, false, packet.kind == EventKind::Acknowledgement);
        }
        Departure { id, cuts, arrives }
    }

    /// Whether a datagram that goes this way comes twice.
    pub(super) fn duplicates(&mut self, from: HostId, to: HostId) -> bool {
        let now = self.now;
        from != to && self.link(from, to).duplicates(now)
    }

    /// Keeps what happens from now on.
    pub(super) fn record(&mut self) {
        self.recorded.get_or_insert((self.packets + 1, Recording::default()));
    }

    /// What was recorded; nothing is from now on.
    pub(super) fn take_recording(&mut self) -> Recording {
        let (_, recording) = self.recorded.take().unwrap_or_default();
        Recording { hosts: self.names.clone(), ..recording }
    }

    /// Keeps what happens from now on, and shows the packets of it.
    pub(super) fn show(&mut self) {
        self.record();
        self.shown_from.get_or_insert(self.packets + 1);
    }

    /// The packets since [`show`](Self::show): the same whether recording had begun before it or not.
    pub(super) fn shown(&self) -> Vec<Event> {
        let Some((from, (_, recording))) = self.shown_from.zip(self.recorded.as_ref()) else { return Vec::new() };
        recording.packets.iter().filter(|event| event.id >= from).cloned().collect()
    }

    /// Keeps `change`, which is done now, if anything is kept.
    pub(super) fn note(&mut self, change: impl FnOnce(&[Arc<str>]) -> Change) {
        if let Some((_, recording)) = &mut self.recorded {
            recording.changes.push((self.now, change(&self.names)));
        }
    }

    fn note_start(&mut self, id: u64, packet: &Packet) {
        let Packet { kind, from, to, bytes, .. } = *packet;
        if kind != EventKind::Acknowledgement {
            let (id, bytes, from, to) = (Number(id), Number(bytes), &self.names[from.0], &self.names[to.0]);
            say!("net", "packet {id}: {kind} of {bytes} from {from} to {to}");
        }
        if let Some((_, recording)) = &mut self.recorded {
            let (from, to) = (Arc::clone(&self.names[from.0]), Arc::clone(&self.names[to.0]));
            recording.packets.push(Event { id, kind, from, to, bytes, sent: self.now, fate: Fate::OnItsWay });
        }
    }

    /// A packet has arrived, or was lost.
    pub(super) fn note_end(&mut self, id: u64, arrived: bool, acknowledgement: bool) {
        if !acknowledgement {
            let fate = if arrived { "arrives" } else { "is lost" };
            say!("net", "packet {} {fate}", Number(id));
        }
        if let Some((first, recording)) = &mut self.recorded
            && let Some(index) = id.checked_sub(*first).and_then(|index| usize::try_from(index).ok())
        {
            recording.packets[index].fate = if arrived { Fate::Arrived(self.now) } else { Fate::Lost(self.now) };
        }
    }
}
