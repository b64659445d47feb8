//! What went over the network, as data: each packet an arrow from host to host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::link::LinkConditions;

/// A packet, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number in the run, as in the trace.
    pub id: u64,
    /// What it was.
    pub kind: EventKind,
    /// The name of the host that sent it.
    pub from: Arc<str>,
    /// The name of the host that it was for.
    pub to: Arc<str>,
    /// Bytes of the user's in it.
    pub bytes: usize,
    /// When it was sent.
    pub sent: Duration,
    /// What became of it.
    pub fate: Fate,
}

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// TCP: one end opens the connection (SYN).
    Open,
    /// TCP: bytes.
    Data,
    /// TCP: the end of what one side sends (FIN).
    End,
    /// TCP: an acknowledgement without bytes.
    Acknowledgement,
    /// TCP: there is no such connection, or no longer (RST).
    Reset,
    /// UDP.
    Datagram,
}

impl EventKind {
    /// Every kind, in order.
    pub(super) const ALL: [Self; 6] =
        [Self::Open, Self::Data, Self::End, Self::Acknowledgement, Self::Reset, Self::Datagram];
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It had not arrived when the events were taken.
    OnItsWay,
    /// It arrived at this time.
    Arrived(Duration),
    /// It was lost at this time: when it was sent, or when it would have arrived.
    Lost(Duration),
}

/// What a network went through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The names of the hosts, in the order in which they were made.
    pub hosts: Vec<Arc<str>>,
    /// The packets, in the order in which they were sent.
    pub packets: Vec<Event>,
    /// What was done to links and hosts, and when, in order.
    pub changes: Vec<(Duration, Change)>,
}

/// What the driver of a simulation does to links and hosts.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A host lost its power.
    Down(Arc<str>),
    /// A host has its power back.
    Up(Arc<str>),
    /// A link, one way, has these conditions from then on.
    Link {
        /// The name of the sender.
        from: Arc<str>,
        /// The name of the receiver.
        to: Arc<str>,
        /// The conditions.
        conditions: LinkConditions,
    },
    /// Every link has these conditions from then on.
    EveryLink(LinkConditions),
    /// No link is clogged any more.
    Unclogged,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EventKind::Open => "open",
            EventKind::Data => "data",
            EventKind::End => "end",
            EventKind::Acknowledgement => "acknowledgement",
            EventKind::Reset => "reset",
            EventKind::Datagram => "datagram",
        })
    }
}
