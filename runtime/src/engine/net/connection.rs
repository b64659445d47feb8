//! A TCP connection: two ends, and the segments between them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use super::SocketId;
use super::event::EventKind;
use super::host::HostId;
use super::outbound::Outbound;
use super::queue::{Happening, Key};
use super::wire::{Packet, Wire};

pub(super) type ConnectionId = SocketId;

/// Bytes in one segment: those of Ethernet's 1,500 that IPv4 and TCP leave.
pub(super) const SEGMENT_BYTES: u64 = 1_460;
const HEADER_BYTES: usize = 40;

/// Which end: the one that connected or the one that accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// A segment on its way. Its bytes stay with the connection.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) id: u64,
    pub(super) connection: ConnectionId,
    pub(super) from: Side,
    /// What it carries, by offset; nothing if the two are equal.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Its sender has received all before this offset, and has room up to `credit`.
    acknowledges: u64,
    credit: u64,
    /// When it left, and when what it acknowledges did.
    sent: Duration,
    echo: Duration,
    pub(super) reset: bool,
    /// How often the link had been cut when it left.
    pub(super) cuts: u32,
}

impl Segment {
    pub(super) fn is_pure_acknowledgement(&self) -> bool {
        self.start == self.end && !self.reset
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The server's before the SYN has come to a listener.
    Unopened,
    /// A SYN was sent and not acknowledged.
    Opening,
    Open,
    /// Both directions are finished and acknowledged, and the application has gone: late segments are acknowledged.
    Finished,
    /// Reset, timed out, or its host was killed: segments are answered with a reset.
    Gone,
}

/// One end.
pub(super) struct End {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    pub(super) phase: Phase,
    /// Whether an application, or a listener for it, holds this end.
    pub(super) held: bool,
    /// What the next operation fails with.
    pub(super) error: Option<io::ErrorKind>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) out: Outbound,
    /// All before this offset has come.
    pub(super) received: u64,
    /// When the last segment left that moved this offset.
    echo: Duration,
    /// What came out of order, by offset: starts and ends.
    pub(super) early: BTreeMap<u64, u64>,
    /// The application has read the bytes before this offset.
    pub(super) read: u64,
    /// The last credit that was sent.
    pub(super) advertised: u64,
    /// A lost window update, to be sent again; and since when.
    pub(super) update: Option<Key>,
    pub(super) stalled_since: Option<Duration>,
}

impl End {
    pub(super) fn new(host: HostId, addr: SocketAddr) -> Self {
        Self {
            host,
            addr,
            phase: Phase::Unopened,
            held: false,
            error: None,
            reader: None,
            writer: None,
            out: Outbound::new(),
            received: 0,
            echo: Duration::ZERO,
            early: BTreeMap::new(),
            read: 1,
            advertised: 0,
            update: None,
            stalled_since: None,
        }
    }

    /// Takes in what is between two offsets; true if more of it is in order now.
    fn take_in(&mut self, start: u64, end: u64) -> bool {
        if end <= self.received {
            return false;
        }
        let before = self.received;
        let known = self.early.entry(start).or_insert(end);
        *known = end.max(*known);
        while let Some(next) = self.early.first_entry().filter(|next| *next.key() <= self.received) {
            self.received = self.received.max(next.remove());
        }
        self.received > before
    }

    /// Ends this end. What its application waits for is woken, for `error`.
    pub(super) fn stop(&mut self, wire: &mut Wire, error: Option<io::ErrorKind>) {
        self.phase = Phase::Gone;
        self.error = error;
        wire.queue.cancel(&mut self.out.timer);
        wire.queue.cancel(&mut self.update);
        wire.wake(&mut self.reader);
        wire.wake(&mut self.writer);
    }

    fn needs_nothing(&self) -> bool {
        !self.held && matches!(self.phase, Phase::Unopened | Phase::Finished | Phase::Gone)
    }
}

pub(super) struct Connection {
    pub(super) id: ConnectionId,
    ends: [End; 2],
}

impl Connection {
    /// A connection that a task on `client` opens to `server`; its SYN is sent by [`open`](Self::open).
    pub(super) fn new(id: ConnectionId, client: (HostId, SocketAddr), server: (HostId, SocketAddr)) -> Self {
        Self { id, ends: [End::new(client.0, client.1), End::new(server.0, server.1)] }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(End::needs_nothing)
    }

    pub(super) fn is_opening(&self) -> bool {
        self.end(Side::Server).phase == Phase::Opening
    }

    /// Where the bytes end that `side` has received in order, and whether the FIN came after them.
    pub(super) fn readable(&self, side: Side) -> (u64, bool) {
        let (end, out) = (self.end(side), &self.end(side.other()).out);
        let finished = out.finished && end.received == out.end;
        (end.received - u64::from(finished), finished)
    }

    /// Whether `segment` does nothing but acknowledge all that its receiver has sent, with nobody there who waits for room.
    pub(super) fn is_idle_acknowledgement(&self, segment: &Segment) -> bool {
        let end = self.end(segment.from.other());
        segment.is_pure_acknowledgement()
            && segment.acknowledges == end.out.end
            && end.phase == Phase::Open
            && end.writer.is_none()
            && !end.out.finished
    }

    // Sending.

    /// Sends the SYN of the client.
    pub(super) fn open(&mut self, wire: &mut Wire) {
        let client = self.end_mut(Side::Client);
        (client.phase, client.held) = (Phase::Opening, true);
        self.send_new(wire, Side::Client, 1);
    }

    /// Takes the SYN that came to a listener, and answers with another.
    pub(super) fn open_server(&mut self, wire: &mut Wire, segment: &Segment) {
        let server = self.end_mut(Side::Server);
        server.phase = Phase::Opening;
        (server.received, server.echo) = (segment.end, segment.sent);
        server.out.credit = segment.credit;
        self.send_new(wire, Side::Server, 1);
    }

    /// Sends `count` new offsets in one segment.
    pub(super) fn send_new(&mut self, wire: &mut Wire, side: Side, count: u64) {
        let out = &mut self.end_mut(side).out;
        let (start, end) = (out.end, out.end + count);
        out.note_sent(wire.now, end);
        if out.deadline.is_none() {
            self.start_timer(wire, side);
        }
        self.send(wire, side, (start, end), false);
    }

    /// Sends a segment, with what its sender has received and has room for; false if it was lost at once.
    pub(super) fn send(&mut self, wire: &mut Wire, side: Side, (start, end): (u64, u64), reset: bool) -> bool {
        let window = wire.options.window as u64;
        let (from, to) = (self.end(side).host, self.end(side.other()).host);
        let id = self.id;
        let sender = self.end_mut(side);
        sender.advertised = sender.read + window;
        let bytes = sender.out.end_of_bytes().min(end).saturating_sub(start.max(1));
        let kind = match () {
            () if reset => EventKind::Reset,
            () if start == end => EventKind::Acknowledgement,
            () if start == 0 => EventKind::Open,
            () if bytes == 0 => EventKind::End,
            () => EventKind::Data,
        };
        let bytes = usize::try_from(bytes).expect("a segment is short");
        let left = wire.send(&Packet { kind, from, to, bytes, headers: HEADER_BYTES });
        let (acknowledges, credit, echo) = (sender.received, sender.advertised, sender.echo);
        if let Some(arrives) = left.arrives {
            sender.out.last_arrival = sender.out.last_arrival.max(arrives);
            let segment = Segment {
                id: left.id,
                connection: id,
                from: side,
                start,
                end,
                acknowledges,
                credit,
                sent: wire.now,
                echo,
                reset,
                cuts: left.cuts,
            };
            wire.queue.push(sender.out.last_arrival, Happening::Segment(segment));
        }
        left.arrives.is_some()
    }

    pub(super) fn acknowledge(&mut self, wire: &mut Wire, side: Side) {
        let at = self.end(side).out.end;
        if !self.send(wire, side, (at, at), false) {
            self.update_lost(wire, side);
        }
    }

    /// Answers that there is no such connection.
    pub(super) fn reset(&mut self, wire: &mut Wire, side: Side) {
        let at = self.end(side).out.end;
        self.send(wire, side, (at, at), true);
    }

    /// Ends this side without regard to what is on its way, and tells the other.
    pub(super) fn abort(&mut self, wire: &mut Wire, side: Side) {
        self.reset(wire, side);
        self.end_mut(side).stop(wire, None);
    }

    // Receiving.

    /// A segment has come to an end that was opened; true if that establishes the connection there.
    pub(super) fn arrive(&mut self, wire: &mut Wire, segment: &Segment) -> bool {
        let side = segment.from.other();
        match self.end(side).phase {
            Phase::Unopened => unreachable!("a listener takes the first segment"),
            Phase::Gone if segment.reset => return false,
            Phase::Gone => {
                self.reset(wire, side);
                return false;
            }
            Phase::Finished => {
                if !segment.is_pure_acknowledgement() {
                    self.acknowledge(wire, side);
                }
                return false;
            }
            Phase::Opening | Phase::Open => {}
        }
        if segment.reset {
            let refused = side == Side::Client && self.end(side).out.acknowledged == 0;
            let error = if refused { io::ErrorKind::ConnectionRefused } else { io::ErrorKind::ConnectionReset };
            self.end_mut(side).stop(wire, Some(error));
            return false;
        }
        self.acknowledged(wire, side, segment);
        if segment.start < segment.end && !self.take(wire, side, segment) {
            return false;
        }
        self.finish_if_done(side);
        self.establish(wire, side)
    }

    /// Takes what a segment carries; false if nobody is there to read it, which ends the connection.
    fn take(&mut self, wire: &mut Wire, side: Side, segment: &Segment) -> bool {
        let bytes_end = self.end(segment.from).out.end_of_bytes();
        let end = self.end_mut(side);
        let has_bytes = segment.start > 0 && segment.start < bytes_end && segment.end > end.received;
        if has_bytes && !end.held && end.phase == Phase::Open {
            self.abort(wire, side);
            return false;
        }
        if end.take_in(segment.start, segment.end) {
            end.echo = segment.sent;
            wire.wake(&mut end.reader);
        }
        self.acknowledge(wire, side);
        true
    }

    fn acknowledged(&mut self, wire: &mut Wire, side: Side, segment: &Segment) {
        let end = self.end_mut(side);
        if segment.credit > end.out.credit {
            end.out.credit = segment.credit;
            wire.wake(&mut end.writer);
            self.end_mut(side.other()).stalled_since = None;
        }
        let end = self.end_mut(side);
        if !end.out.acknowledge(wire.now, segment.acknowledges, segment.echo) {
            return;
        }
        end.out.deadline = None;
        let read = self.end(side.other()).read;
        let out = &mut self.end_mut(side).out;
        out.forget(read);
        if out.all_acknowledged() {
            return;
        }
        self.start_timer(wire, side);
        if self.end(side).out.recovers() {
            self.send_again(wire, side);
        }
    }

    fn establish(&mut self, wire: &mut Wire, side: Side) -> bool {
        let end = self.end_mut(side);
        let established = end.phase == Phase::Opening && end.out.acknowledged > 0 && end.received > 0;
        if established {
            (end.phase, end.held) = (Phase::Open, true);
            wire.wake(&mut end.writer);
        }
        established
    }

    pub(super) fn finish_if_done(&mut self, side: Side) {
        let finished = self.readable(side).1;
        let end = self.end_mut(side);
        if !end.held && finished && end.out.finished && end.out.all_acknowledged() {
            end.phase = Phase::Finished;
        }
    }
}
