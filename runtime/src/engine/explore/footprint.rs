//! What a step touched.

use smallvec::SmallVec;

/// An object, the same in every execution that creates it by the same step: its creator and the creator's count.
pub(crate) type ObjectId = u64;

/// The one clock.
pub(crate) const CLOCK_OBJECT: ObjectId = 1 << 63;
/// What is drawn from the run's generator.
pub(crate) const RANDOM_OBJECT: ObjectId = CLOCK_OBJECT + 1;
/// Until when the clock may go on: written by what is assumed of time, read by what arms and disarms timers. Together these decide
/// whether the clock can make a step at all, so where it makes none, their order is what there is to be seen.
pub(crate) const HOLD_OBJECT: ObjectId = CLOCK_OBJECT + 2;

/// The park token of a task: touched by who wakes it, by the poll that this begins, and by the poll that ends pending.
pub(crate) fn token(task: usize) -> ObjectId {
    TOKEN | task as u64
}

const TOKEN: ObjectId = 1 << 62;

/// The objects that a step read and wrote. Two steps of different tasks commute unless one wrote what the other touched.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// Bloom filters of the touched and of the written objects, which answer most questions.
    touched: u64,
    written: u64,
    /// It has to do with a yield, which any step of another task ends: it commutes with nothing.
    yields: bool,
    objects: SmallVec<[(ObjectId, bool); 8]>,
}

fn bit(object: ObjectId) -> u64 {
    1 << (object.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58)
}

impl Footprint {
    pub(crate) fn touch(&mut self, object: ObjectId, writes: bool) {
        self.touched |= bit(object);
        if writes {
            self.written |= bit(object);
        }
        match self.objects.iter_mut().find(|(known, _)| *known == object) {
            Some((_, written)) => *written |= writes,
            None => self.objects.push((object, writes)),
        }
    }

    pub(crate) fn yields(&mut self) {
        self.yields = true;
    }

    /// Adds what another variant of the step touched.
    pub fn merge(&mut self, other: &Self) {
        self.yields |= other.yields;
        for &(object, writes) in &other.objects {
            self.touch(object, writes);
        }
    }

    /// Whether the steps do not commute.
    pub fn conflicts(&self, other: &Self) -> bool {
        if self.yields || other.yields {
            return true;
        }
        if self.written & other.touched == 0 && self.touched & other.written == 0 {
            return false;
        }
        let conflict = |&(object, writes): &(ObjectId, bool)| {
            other.objects.iter().any(|&(theirs, written)| theirs == object && (writes || written))
        };
        self.objects.iter().any(conflict)
    }

    /// Whether an operation on `object` does not commute with the step.
    pub(crate) fn is_met_by(&self, object: ObjectId, writes: bool) -> bool {
        self.yields || self.objects.iter().any(|&(known, written)| known == object && (writes || written))
    }

    pub(crate) fn touches(&self, object: ObjectId) -> bool {
        self.touched & bit(object) != 0 && self.objects.iter().any(|(known, _)| *known == object)
    }

    /// Whether the steps touched the same object, park tokens aside.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.objects.iter().any(|&(object, _)| object & TOKEN == 0 && other.touches(object))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
