//! The links between hosts, each in one direction.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

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
#[derive(Default)]
pub(super) struct Link {
    conditions: LinkConditions,
    /// How often it has been cut: a packet that left before the last time is lost.
    pub(super) cuts: u32,
    /// When its queue is empty.
    free_at: Duration,
}

/// The links that have carried something or have conditions of their own.
pub(super) type Links = BTreeMap<(HostId, HostId), Link>;

/// Whether the link that a packet left on has not been cut since. There is none within a host.
pub(super) fn is_whole(links: &Links, from: HostId, to: HostId, cuts: u32) -> bool {
    from == to || links.get(&(from, to)).is_none_or(|link| link.cuts == cuts)
}

impl Link {
    pub(super) fn new(conditions: LinkConditions) -> Self {
        Self { conditions, ..Self::default() }
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

    /// Sends a packet of `bytes`: when it arrives, or `None` if it is lost.
    pub(super) fn carry(&mut self, rng: &mut ChaCha8Rng, now: Duration, bytes: usize) -> Option<Duration> {
        let leaves = self.queue(now, bytes);
        let latency = self.latency(rng);
        let lost = self.conditions.clogged || happens(rng, self.conditions.loss);
        (!lost).then_some(leaves + latency)
    }

    /// Whether a datagram comes a second time.
    pub(super) fn duplicates(&self, rng: &mut ChaCha8Rng) -> bool {
        happens(rng, self.conditions.duplicate)
    }

    /// When the last byte has left.
    fn queue(&mut self, now: Duration, bytes: usize) -> Duration {
        let Some(bandwidth) = self.conditions.bandwidth else { return now };
        let nanos = bytes as u64 * 1_000_000_000 / bandwidth.max(1);
        self.free_at = self.free_at.max(now) + Duration::from_nanos(nanos);
        self.free_at
    }

    fn latency(&self, rng: &mut ChaCha8Rng) -> Duration {
        let Range { start, end } = self.conditions.latency;
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let base = if start < end { rng.random_range(nanos(start)..nanos(end)) } else { nanos(start) };
        Duration::from_nanos(base) + self.conditions.extra_latency
    }
}

/// Whether something of this probability happens. Without one nothing is drawn.
fn happens(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    probability > 0.0 && rng.random::<f64>() < probability
}
