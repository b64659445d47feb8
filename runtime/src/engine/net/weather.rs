//! What the packets of a link draw.

use std::time::Duration;

use super::event::EventKind;
use super::host::HostId;

/// The luck of one link, one way.
///
/// A draw is a function of the run's key, the link, the millisecond, the kind of packet, and the number of draws by packets of
/// that kind in it so far. So what happens to a packet depends neither on what was sent before nor on the order in which tasks
/// run: when an operation or a fault is taken from a run, the others meet the same weather. Failures shrink by that.
pub(super) struct Weather {
    link: u64,
    millisecond: u64,
    /// A generator for each kind of packet.
    states: [u64; EventKind::ALL.len()],
}

impl Weather {
    /// That of the link between these in the run of `key`.
    pub(super) fn new(key: u64, from: HostId, to: HostId) -> Self {
        let ends = ((from.0 as u64) << 32) | to.0 as u64;
        Self { link: mixed(key ^ mixed(ends)), millisecond: u64::MAX, states: EventKind::ALL.map(|_| 0) }
    }

    /// For a packet of this kind that is sent now.
    pub(super) fn draws(&mut self, now: Duration, kind: EventKind) -> Draws<'_> {
        let millisecond = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        if millisecond != self.millisecond {
            self.millisecond = millisecond;
            let of_moment = mixed(self.link ^ mixed(millisecond));
            self.states = EventKind::ALL.map(|kind| mixed(of_moment ^ kind as u64));
        }
        Draws(&mut self.states[kind as usize])
    }
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
pub(super) struct Draws<'a>(&'a mut u64);

impl Draws<'_> {
    /// Any number, each as likely.
    fn next(&mut self) -> u64 {
        *self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(*self.0)
    }

    /// A number below `end`, each as likely but for one part in 2^64 / `end`; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).expect("the upper half")
    }

    /// A share from 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One to one, and each bit of the result depends on all of `z`.
fn mixed(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
