//! What went over the network, as data: each packet an arrow from host to host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
