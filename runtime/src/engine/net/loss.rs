//! What a connection does about segments that are lost.

use std::io;

use super::connection::{Connection, Phase, Segment, Side};
use super::queue::Happening;
use super::wire::Wire;

impl Connection {
    pub(super) fn start_timer(&mut self, wire: &mut Wire, side: Side) {
        let give_up = self.end(side).out.progress + wire.options.give_up_after;
        let id = self.id;
        let out = &mut self.end_mut(side).out;
        let at = (wire.now + out.timeout()).min(give_up);
        out.deadline = Some(at);
        if out.timer.as_ref().is_some_and(|timer| timer.at() <= at) {
            // It comes too early, and is then set again.
            wire.queue.change();
        } else {
            wire.queue.cancel(&mut out.timer);
            out.timer = Some(wire.queue.push(at, Happening::Retransmit(id, side)));
        }
    }

    pub(super) fn send_again(&mut self, wire: &mut Wire, side: Side) {
        if let Some(segment) = self.end(side).out.oldest() {
            self.send(wire, side, segment, false);
        }
    }

    /// Unless it has been put off: what was sent has not been acknowledged in time (RFC 6298, 5.4 to 5.6).
    pub(super) fn retransmit_timer(&mut self, wire: &mut Wire, side: Side) {
        let id = self.id;
        let end = self.end_mut(side);
        end.out.timer = None;
        let Some(deadline) = end.out.deadline else { return };
        if wire.now < deadline {
            end.out.timer = Some(wire.queue.push(deadline, Happening::Retransmit(id, side)));
            return;
        }
        if wire.now >= end.out.progress + wire.options.give_up_after {
            return end.stop(wire, Some(io::ErrorKind::TimedOut));
        }
        end.out.time_out();
        self.start_timer(wire, side);
        self.send_again(wire, side);
    }

    /// A segment did not arrive: what carries offsets has a timer, an acknowledgement may have been a window update.
    pub(super) fn lost(&mut self, wire: &mut Wire, segment: &Segment) {
        if segment.is_pure_acknowledgement() {
            self.update_lost(wire, segment.from);
        }
    }

    pub(super) fn update_lost(&mut self, wire: &mut Wire, side: Side) {
        let id = self.id;
        let end = self.end_mut(side);
        if end.phase == Phase::Open && end.update.is_none() {
            end.stalled_since.get_or_insert(wire.now);
            let at = wire.now + end.out.timeout();
            end.update = Some(wire.queue.push(at, Happening::Advertise(id, side)));
        }
    }

    /// Sends a lost window update again, if the writer has nothing on its way that would bring another.
    pub(super) fn advertise_timer(&mut self, wire: &mut Wire, side: Side) {
        let (advertised, since) = (self.end(side).advertised, self.end(side).stalled_since);
        self.end_mut(side).update = None;
        let writer = self.end_mut(side.other());
        let waits = writer.phase == Phase::Open && writer.out.all_acknowledged() && writer.out.credit < advertised;
        if !waits || writer.out.finished {
            self.end_mut(side).stalled_since = None;
        } else if since.is_some_and(|since| wire.now.saturating_sub(since) >= wire.options.give_up_after) {
            writer.stop(wire, Some(io::ErrorKind::TimedOut));
        } else {
            self.acknowledge(wire, side);
        }
    }
}
