//! What a step touched.

use std::time::Duration;

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

/// The word for no moment.
const NEVER: u64 = u64::MAX;

/// Nanoseconds; half a millennium is as good as longer.
fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(NEVER - 1)
}

/// The objects that a step touched. Two steps of different tasks commute unless they touched one in ways that do not.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// Bloom filters of the objects that were read, changed in common, and written, which answer most questions.
    filters: [u64; 3],
    /// It has to do with a yield, which any step of another task ends: it commutes with nothing.
    yields: bool,
    /// The earliest deadline of a timer that it armed, disarmed or found past.
    deadline: Option<Duration>,
    /// The deadline of the timers that it fired.
    fired: Option<Duration>,
    objects: SmallVec<[(ObjectId, Mode); 6]>,
}

fn bit(object: ObjectId) -> u64 {
    1 << (object.wrapping_mul(0x9E37_79B9) >> 26)
}

impl Footprint {
    /// How the object had been touched before.
    pub(crate) fn touch(&mut self, object: ObjectId, mode: Mode) -> Option<Mode> {
        let known = self.objects.iter_mut().find(|(known, _)| *known == object);
        let before = known.as_ref().map(|(_, known)| *known);
        let mode = before.map_or(mode, |before| before.and(mode));
        match known {
            Some((_, known)) => *known = mode,
            None => self.objects.push((object, mode)),
        }
        self.filters[mode as usize] |= bit(object);
        before
    }

    /// What was touched since it had been touched as `before` was touched in this way only.
    pub(crate) fn refine(&mut self, object: ObjectId, before: Option<Mode>, effect: Effect) {
        let mode = match effect {
            Effect::Unseen => None,
            Effect::Looked => Some(Mode::Read),
            Effect::Shared | Effect::SharedBut(_) => Some(Mode::Share),
            Effect::Changed => Some(Mode::Write),
        };
        let mode = before.map_or(mode, |before| Some(mode.map_or(before, |mode| before.and(mode))));
        self.objects.retain(|(known, _)| *known != object);
        self.objects.extend(mode.map(|mode| (object, mode)));
        if let Effect::SharedBut(parts) = effect {
            self.objects.extend(parts.map(|it| (part(object, it), Mode::Write)));
        }
        self.filters = [0; 3];
        self.objects.iter().for_each(|&(object, mode)| self.filters[mode as usize] |= bit(object));
    }

    pub(crate) fn yields(&mut self) {
        self.yields = true;
    }

    /// What it does with a timer of this deadline depends on whether the clock has reached it.
    pub(crate) fn looks_out_for(&mut self, deadline: Duration) {
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
    }

    /// The clock has reached this moment.
    pub(crate) fn fires(&mut self, moment: Duration) {
        self.fired = self.fired.max(Some(moment));
    }

    /// As words, for a file.
    pub fn to_words(&self) -> Vec<u64> {
        let moments = [self.deadline, self.fired].map(|moment| moment.map_or(NEVER, nanos));
        let touched = self.objects.iter().map(|&(object, mode)| u64::from(object) << 2 | mode as u64);
        [u64::from(self.yields)].into_iter().chain(moments).chain(touched).collect()
    }

    /// From [`to_words`](Self::to_words); `None` for other words.
    pub fn from_words(words: &[u64]) -> Option<Self> {
        let [yields @ (0 | 1), deadline, fired, touched @ ..] = words else { return None };
        let moment = |word: u64| (word != NEVER).then(|| Duration::from_nanos(word));
        let mut footprint =
            Self { yields: *yields == 1, deadline: moment(*deadline), fired: moment(*fired), ..Self::default() };
        for word in touched {
            let mode = [Mode::Read, Mode::Share, Mode::Write].into_iter().find(|it| *it as u64 == word & 3)?;
            footprint.touch(ObjectId::try_from(word >> 2).ok()?, mode);
        }
        Some(footprint)
    }

    /// Whether this touched all that `other` did, and as much.
    pub fn covers(&self, other: &Self) -> bool {
        let covered = |&(object, mode): &(ObjectId, Mode)| {
            self.objects.iter().any(|&(known, most)| known == object && (most == mode || most == Mode::Write))
        };
        let earlier = other.deadline.is_none_or(|theirs| self.deadline.is_some_and(|deadline| deadline <= theirs));
        (self.yields || !other.yields) && earlier && self.fired >= other.fired && other.objects.iter().all(covered)
    }

    /// Adds what another variant of the step touched.
    pub fn merge(&mut self, other: &Self) {
        self.yields |= other.yields;
        other.deadline.into_iter().for_each(|deadline| self.looks_out_for(deadline));
        other.fired.into_iter().for_each(|moment| self.fires(moment));
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
        meet != 0 && self.really_conflicts(other)
            || self.yields
            || other.yields
            || self.fires_for(other)
            || other.fires_for(self)
    }

    /// Whether the clock reached a deadline that the other step looked out for. Before it does, the other arms and disarms nothing
    /// that it fires.
    fn fires_for(&self, other: &Self) -> bool {
        self.fired.is_some_and(|moment| other.deadline.is_some_and(|deadline| deadline <= moment))
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
        (self.deadline, self.fired) = (None, None);
        self.objects.clear();
    }
}
