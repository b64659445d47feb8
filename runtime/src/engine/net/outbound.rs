//! One direction of a connection, at the end that sends: what is not acknowledged, and when it is sent again.
//!
//! Offsets count what is sent from the start of the connection: the SYN is 0, bytes begin at 1, the FIN comes last.

use std::collections::VecDeque;
use std::time::Duration;

use super::queue::Key;

pub(super) struct Outbound {
    /// Bytes from offset `base` on: not acknowledged, or not read by the peer, which reads them here.
    pub(super) bytes: VecDeque<u8>,
    base: u64,
    /// All before it is acknowledged.
    pub(super) acknowledged: u64,
    /// The end of what is sent.
    pub(super) end: u64,
    /// Whether a FIN was sent: the last offset.
    pub(super) finished: bool,
    /// The peer has room for bytes up to here.
    pub(super) credit: u64,
    /// The ends of the segments that are not acknowledged.
    sent: VecDeque<u64>,
    /// When what is not acknowledged is to be sent again, if there is something.
    pub(super) deadline: Option<Duration>,
    /// What sees to it. It is not taken back when the deadline is put off or goes: that would cost two changes of the queue for
    /// each segment.
    pub(super) timer: Option<Key>,
    timeout: Timeout,
    /// When something was last acknowledged, or first sent since.
    pub(super) progress: Duration,
    /// What was sent before this offset is sent again as soon as its turn comes: a timer found it missing.
    recover: u64,
    /// When the last segment arrives: none overtakes another.
    pub(super) last_arrival: Duration,
}

impl Outbound {
    pub(super) fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            base: 1,
            acknowledged: 0,
            end: 0,
            finished: false,
            credit: 0,
            sent: VecDeque::new(),
            deadline: None,
            timer: None,
            timeout: Timeout::default(),
            progress: Duration::ZERO,
            recover: 0,
            last_arrival: Duration::ZERO,
        }
    }

    /// How many bytes the peer has room for.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.credit.saturating_sub(self.end)).expect("a window fits in memory")
    }

    /// The offset after the last byte.
    pub(super) fn end_of_bytes(&self) -> u64 {
        self.end - u64::from(self.finished)
    }

    pub(super) fn all_acknowledged(&self) -> bool {
        self.acknowledged == self.end
    }

    /// Notes that a segment up to `end` is sent for the first time.
    pub(super) fn note_sent(&mut self, now: Duration, end: u64) {
        if self.sent.is_empty() {
            self.progress = now;
        }
        self.end = end;
        self.sent.push_back(end);
    }

    /// Takes an acknowledgement of all before `offset` by a segment sent at `echo`; true if that is news.
    pub(super) fn acknowledge(&mut self, now: Duration, offset: u64, echo: Duration) -> bool {
        if offset <= self.acknowledged {
            return false;
        }
        (self.acknowledged, self.progress) = (offset, now);
        while self.sent.front().is_some_and(|end| *end <= offset) {
            self.sent.pop_front();
        }
        self.timeout.measure(now.saturating_sub(echo));
        true
    }

    /// The oldest segment that is not acknowledged.
    pub(super) fn oldest(&self) -> Option<(u64, u64)> {
        self.sent.front().map(|end| (self.acknowledged, *end))
    }

    /// The timer has run out: all that is on its way may be lost.
    pub(super) fn time_out(&mut self) {
        self.recover = self.end;
        self.timeout.back_off();
    }

    /// Whether the oldest segment was on its way when a timer ran out.
    pub(super) fn recovers(&self) -> bool {
        self.acknowledged < self.recover
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout.rto
    }

    /// Copies bytes from `offset` on into `to`, as many as fit and no more than up to `end`.
    pub(super) fn copy(&self, offset: u64, end: u64, mut to: impl FnMut(&[u8])) {
        let index = |offset: u64| usize::try_from(offset - self.base).expect("a window fits in memory");
        let (from, until) = (index(offset), index(end));
        let (front, back) = self.bytes.as_slices();
        if from < front.len() {
            to(&front[from..until.min(front.len())]);
        }
        if until > front.len() {
            to(&back[from.saturating_sub(front.len())..until - front.len()]);
        }
    }

    /// Forgets the bytes before `offset`, which the peer has read, as far as they are acknowledged.
    pub(super) fn forget(&mut self, offset: u64) {
        let until = offset.min(self.acknowledged).min(self.end_of_bytes());
        if let Some(count) = until.checked_sub(self.base) {
            self.bytes.drain(..usize::try_from(count).expect("a window fits in memory"));
            self.base = until;
        }
    }
}

/// The retransmission timeout of RFC 6298, from the round trips that timestamps tell (RFC 7323).
struct Timeout {
    /// Smoothed round-trip time and its variation, once measured.
    measured: Option<(Duration, Duration)>,
    rto: Duration,
}

/// RFC 6298, 2.4 and 2.5.
const RTO_MIN: Duration = Duration::from_secs(1);
const RTO_MAX: Duration = Duration::from_mins(1);

impl Default for Timeout {
    fn default() -> Self {
        Self { measured: None, rto: RTO_MIN }
    }
}

impl Timeout {
    /// Takes a round trip into account, which also ends backing off. RFC 6298, 2.2 and 2.3.
    fn measure(&mut self, round_trip: Duration) {
        let (smoothed, variation) = match self.measured {
            None => (round_trip, round_trip / 2),
            Some((smoothed, variation)) => {
                ((smoothed * 7 + round_trip) / 8, (variation * 3 + smoothed.abs_diff(round_trip)) / 4)
            }
        };
        self.measured = Some((smoothed, variation));
        self.rto = (smoothed + variation * 4).clamp(RTO_MIN, RTO_MAX);
    }

    /// RFC 6298, 5.5.
    fn back_off(&mut self) {
        self.rto = (self.rto * 2).min(RTO_MAX);
    }
}
