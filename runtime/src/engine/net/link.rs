//! The links between hosts, each in one direction.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::event::EventKind;
use super::weather::Weather;

use super::host::HostId;

/// What a packet within a host takes.
pub const LOOPBACK_LATENCY: Duration = Duration::from_micros(20);

/// How a link treats what goes over it, in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkConditions {
    /// From this to below that, uniformly, for each packet; 1 ms to 10 ms by default.
    pub latency: Range<Duration>,
    /// Added to every latency; none by default.
    pub extra_latency: Duration,
    /// The share of packets that is lost, from 0 to 1; 0 by default.
    pub loss: f64,
    /// The share of datagrams that comes twice, from 0 to 1; 0 by default. TCP sorts such things out by itself.
    pub duplicate: f64,
    /// Bytes per second, headers included; packets queue for it. Unlimited by default.
    pub bandwidth: Option<u64>,
    /// Whether everything is lost, also what is on its way; not so by default.
    pub clogged: bool,
}

impl Default for LinkConditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1)..Duration::from_millis(10),
            extra_latency: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            bandwidth: None,
            clogged: false,
        }
    }
}

/// A link as it is.
pub(super) struct Link {
    conditions: LinkConditions,
    /// How often it has been cut: a packet that left before the last time is lost.
    pub(super) cuts: u32,
    /// When its queue is empty.
    free_at: Duration,
    weather: Weather,
}

/// The links that have carried something or have conditions of their own.
pub(super) type Links = BTreeMap<(HostId, HostId), Link>;

/// Whether the link that a packet left on has not been cut since. There is none within a host.
pub(super) fn is_whole(links: &Links, from: HostId, to: HostId, cuts: u32) -> bool {
    from == to || links.get(&(from, to)).is_none_or(|link| link.cuts == cuts)
}

impl Link {
    pub(super) fn new(conditions: LinkConditions, weather: Weather) -> Self {
        Self { conditions, weather, cuts: 0, free_at: Duration::ZERO }
    }

    pub(super) fn conditions(&self) -> &LinkConditions {
        &self.conditions
    }

    pub(super) fn set_conditions(&mut self, conditions: LinkConditions) {
        if conditions.clogged && !self.conditions.clogged {
            self.cuts += 1;
        }
        self.conditions = conditions;
    }

    /// Sends a packet of `bytes`: when it arrives, or `None` if it is lost. It draws as much whatever the conditions are.
    pub(super) fn carry(&mut self, now: Duration, kind: EventKind, bytes: usize) -> Option<Duration> {
        let leaves = self.queue(now, bytes);
        let Range { start, end } = self.conditions.latency;
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut draws = self.weather.draws(now, kind);
        let more = Duration::from_nanos(draws.below(nanos(end.saturating_sub(start))));
        let lost = draws.share() < self.conditions.loss || self.conditions.clogged;
        (!lost).then_some(leaves + start + more + self.conditions.extra_latency)
    }

    /// Whether a datagram comes a second time.
    pub(super) fn duplicates(&mut self, now: Duration) -> bool {
        self.weather.draws(now, EventKind::Datagram).share() < self.conditions.duplicate
    }

    /// When the last byte has left.
    fn queue(&mut self, now: Duration, bytes: usize) -> Duration {
        let Some(bandwidth) = self.conditions.bandwidth else { return now };
        let nanos = bytes as u64 * 1_000_000_000 / bandwidth.max(1);
        self.free_at = self.free_at.max(now) + Duration::from_nanos(nanos);
        self.free_at
    }
}
