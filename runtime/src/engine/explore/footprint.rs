//! What a step touched.

use smallvec::SmallVec;

use crate::backend::Effect;

/// An object, the same in every execution that creates it by the same step: its creator and the creator's count.
pub(crate) type ObjectId = u32;

/// The four kinds of object: those that tasks create, and the following.
const KIND: u32 = 30;
const TOKEN: ObjectId = 1 << KIND;
const PART: ObjectId = 2 << KIND;
/// The one clock.
pub(crate) const CLOCK_OBJECT: ObjectId = 3 << KIND;
/// What is drawn from the run's generator.
pub(crate) const RANDOM_OBJECT: ObjectId = CLOCK_OBJECT + 1;
/// Until when the clock may go on: written by what is assumed of time, read by what arms and disarms timers. Together these decide
/// whether the clock can make a step at all, so where it makes none, their order is what there is to be seen.
pub(crate) const HOLD_OBJECT: ObjectId = CLOCK_OBJECT + 2;

/// The object that `creator` creates as its `count`th.
pub(crate) fn object(creator: usize, count: u32) -> ObjectId {
    const COUNT: u32 = 24;
    assert!(count < 1 << COUNT, "a task of an exploration creates fewer than {} objects", 1 << COUNT);
    ObjectId::try_from(creator).expect("a task's number is below 64") << COUNT | count
}

/// The park token of a task: touched by who wakes it, by the poll that this begins, and by the poll that ends pending.
pub(crate) fn token(task: usize) -> ObjectId {
    TOKEN | ObjectId::try_from(task).expect("a task's number is below 64")
}

/// A part of an object. Parts that meet here by chance only cost executions: what commutes is taken not to.
fn part(object: ObjectId, part: u64) -> ObjectId {
    let mixed = (u64::from(object) << 32 ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    PART | u32::try_from(mixed >> 34).expect("30 bits")
}

/// How a step touched an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mode {
    /// It changed nothing.
    #[default]
    Read,
    /// It changed it in a way that commutes with other such changes, parts aside.
    Share,
    Write,
}

impl Mode {
    fn conflicts(self, other: Self) -> bool {
        self != other || self == Mode::Write
    }

    fn and(self, other: Self) -> Self {
        if self == other { self } else { Mode::Write }
    }
}

/// The word for a yield.
const YIELDS: u32 = u32::MAX;

/// The objects that a step touched. Two steps of different tasks commute unless they touched one in ways that do not.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// Bloom filters of the objects that were read, changed in common, and written, which answer most questions.
    filters: [u64; 3],
    /// It has to do with a yield, which any step of another task ends: it commutes with nothing.
    yields: bool,
    objects: SmallVec<[(ObjectId, Mode); 6]>,
}

fn bit(object: ObjectId) -> u64 {
    1 << (object.wrapping_mul(0x9E37_79B9) >> 26)
}

impl Footprint {
    /// Whether the object had not been touched before.
    pub(crate) fn touch(&mut self, object: ObjectId, mode: Mode) -> bool {
        let known = self.objects.iter_mut().find(|(known, _)| *known == object);
        let is_new = known.is_none();
        let mode = match known {
            Some((_, known)) => {
                *known = known.and(mode);
                *known
            }
            None => {
                self.objects.push((object, mode));
                mode
            }
        };
        self.filters[mode as usize] |= bit(object);
        is_new
    }

    /// What was written was changed in this way only.
    pub(crate) fn refine(&mut self, object: ObjectId, effect: Effect) {
        let mode = match effect {
            Effect::Looked => Mode::Read,
            Effect::Shared | Effect::SharedBut(_) => Mode::Share,
            Effect::Changed => return,
        };
        if let Some((_, known)) = self.objects.iter_mut().find(|(known, _)| *known == object) {
            *known = mode;
        }
        if let Effect::SharedBut(parts) = effect {
            self.objects.extend(parts.map(|it| (part(object, it), Mode::Write)));
        }
        self.filters = [0; 3];
        self.objects.iter().for_each(|&(object, mode)| self.filters[mode as usize] |= bit(object));
    }

    pub(crate) fn yields(&mut self) {
        self.yields = true;
    }

    /// As words, for a file.
    pub fn to_words(&self) -> Vec<u32> {
        let touched = self.objects.iter().flat_map(|&(object, mode)| [object, mode as u32]);
        touched.chain(self.yields.then_some(YIELDS)).collect()
    }

    /// From [`to_words`](Self::to_words); `None` for other words.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let mut footprint = Self::default();
        for pair in words.chunks(2) {
            match *pair {
                [object, mode] => {
                    let mode = [Mode::Read, Mode::Share, Mode::Write].into_iter().find(|it| *it as u32 == mode)?;
                    footprint.touch(object, mode);
                }
                [YIELDS] => footprint.yields = true,
                _ => return None,
            }
        }
        Some(footprint)
    }

    /// Whether this touched all that `other` did, and as much.
    pub fn covers(&self, other: &Self) -> bool {
        let covered = |&(object, mode): &(ObjectId, Mode)| {
            self.objects.iter().any(|&(known, most)| known == object && (most == mode || most == Mode::Write))
        };
        (self.yields || !other.yields) && other.objects.iter().all(covered)
    }

    /// Adds what another variant of the step touched.
    pub fn merge(&mut self, other: &Self) {
        self.yields |= other.yields;
        for &(object, mode) in &other.objects {
            self.touch(object, mode);
        }
    }

    /// Whether the steps do not commute.
    #[inline]
    pub fn conflicts(&self, other: &Self) -> bool {
        let ([reads, shares, writes], [their_reads, their_shares, their_writes]) = (self.filters, other.filters);
        let meet = writes & (their_reads | their_shares | their_writes)
            | their_writes & (reads | shares)
            | reads & their_shares
            | shares & their_reads;
        meet != 0 && self.really_conflicts(other) || self.yields || other.yields
    }

    fn really_conflicts(&self, other: &Self) -> bool {
        let conflict = |&(object, mode): &(ObjectId, Mode)| {
            other.objects.iter().any(|&(theirs, other)| theirs == object && mode.conflicts(other))
        };
        self.objects.iter().any(conflict)
    }

    fn filter(&self) -> u64 {
        self.filters[0] | self.filters[1] | self.filters[2]
    }

    /// Whether an operation on `object` does not commute with the step.
    pub(crate) fn is_met_by(&self, object: ObjectId, mode: Mode) -> bool {
        self.yields || self.objects.iter().any(|&(known, theirs)| known == object && mode.conflicts(theirs))
    }

    pub(crate) fn touches(&self, object: ObjectId) -> bool {
        self.filter() & bit(object) != 0 && self.objects.iter().any(|(known, _)| *known == object)
    }

    /// Whether the steps touched the same object, park tokens aside.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.objects.iter().any(|&(object, _)| object >> KIND != TOKEN >> KIND && other.touches(object))
    }

    pub(crate) fn clear(&mut self) {
        self.filters = [0; 3];
        self.yields = false;
        self.objects.clear();
    }
}
