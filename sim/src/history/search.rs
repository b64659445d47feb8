//! The search for an order of the operations on one object.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use indexmap::IndexSet;
use rustc_hash::FxHasher;
use smallvec::SmallVec;

use super::model::{Effect, Model};
use super::record::Moment;

/// One operation, as the search sees it. Without a return its outcome is unknown.
pub(super) struct Item<'a, M: Model> {
    /// Its index in the history.
    pub(super) id: usize,
    pub(super) op: &'a M::Op,
    pub(super) invoke: Moment,
    pub(super) returned: Option<(&'a M::Ret, Moment)>,
}

impl<M: Model> Clone for Item<'_, M> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An order, of indexes into the history.
    Order(Vec<usize>),
    /// No order. Up to this moment, exclusive, there is one.
    Nothing(Moment),
    /// Neither: it was stopped, or met [`MOST_CONFIGURATIONS`].
    Stopped,
}

/// Configurations remembered at most: about 500 MB of them, for objects of small states.
const MOST_CONFIGURATIONS: usize = 6 << 20;

/// Steps between two looks at the caller's `stop`.
const STEPS_PER_LOOK: u32 = 1024;

type Hasher = BuildHasherDefault<FxHasher>;

/// What the rest of the search depends on: no configuration is explored twice. What comes before it does not matter: were an
/// operation of unknown outcome pointless in front of the rest, leaving it out would give an order with fewer of these.
#[derive(PartialEq, Eq, Hash)]
struct Configuration {
    state: u32,
    /// See [`Search::linearized`].
    set: SmallVec<[u64; 3]>,
}

/// Where the search was before it took an operation.
struct Frame {
    state: u32,
    before: u32,
    /// How many operations were taken.
    taken: usize,
    /// The candidate after the operation.
    next: Candidate,
}

/// The next operation to try: an event of the list or, once those are exhausted, one of unknown outcome.
#[derive(Clone, Copy)]
enum Candidate {
    Event(usize),
    Unknown(usize),
}

/// No state: see [`Search::before`].
const NONE: u32 = u32::MAX;

/// The first event of the list, which is none.
const HEAD: usize = 0;

pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    /// Those that returned; then those of unknown outcome that do not overwrite, and those that do. Each by invocation.
    items: Vec<Item<'a, M>>,
    known: usize,
    overwriting: usize,
    /// The events of operations that returned, in order of time, from 1: the operation, and whether it is its return.
    events: Vec<(usize, bool)>,
    /// The list of the events of those not taken yet; its end is the number of events.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// The events of each operation that returned.
    places: Vec<(usize, usize)>,
    /// Of each operation of unknown outcome, the first event after its invocation.
    possible_from: Vec<usize>,
    /// A bit for each item that is taken, those of unknown outcome from a word of their own on.
    bits: Vec<u64>,
    /// The items taken, in order.
    order: Vec<usize>,
    left: usize,
    states: IndexSet<M::State, Hasher>,
    state: u32,
    /// If the last operation taken is of unknown outcome, the state before it.
    before: u32,
    memo: HashSet<Configuration, Hasher>,
    /// The latest return that could not be passed.
    furthest: usize,
}

impl<'a, M: Model> Search<'a, M> {
    pub(super) fn new(model: &'a M, items: impl IntoIterator<Item = Item<'a, M>>) -> Self {
        // An operation of unknown outcome that only reads tells nothing.
        let tells = |item: &Item<M>| item.returned.is_some() || model.effect(item.op, None) != Effect::Reads;
        let mut items: Vec<_> = items.into_iter().filter(tells).collect();
        let overwrites = |item: &Item<M>| item.returned.is_none() && model.effect(item.op, None) == Effect::Overwrites;
        items.sort_by_key(|item| (item.returned.is_none(), overwrites(item), item.invoke));
        let known = items.partition_point(|item| item.returned.is_some());
        let overwriting = items.partition_point(|item| !overwrites(item));
        let mut moments: Vec<(Moment, usize, bool)> = Vec::with_capacity(2 * known + 1);
        for (index, item) in items[..known].iter().enumerate() {
            moments.push((item.invoke, index, false));
            moments.extend(item.returned.map(|(_, at)| (at, index, true)));
        }
        moments.sort_by_key(|(at, index, is_return)| (*at, *is_return, *index));
        let mut places = vec![(0, 0); known];
        for (event, (_, index, is_return)) in moments.iter().enumerate() {
            let place = &mut places[*index];
            *(if *is_return { &mut place.1 } else { &mut place.0 }) = event + 1;
        }
        let first_after = |item: &Item<M>| moments.partition_point(|(at, ..)| *at < item.invoke) + 1;
        let possible_from = items[known..].iter().map(first_after).collect();
        let head = (usize::MAX, false);
        let events: Vec<_> =
            std::iter::once(head).chain(moments.iter().map(|(_, index, is_return)| (*index, *is_return))).collect();
        let bits = vec![0; known.div_ceil(64) + (items.len() - known).div_ceil(64)];
        Self {
            model,
            known,
            overwriting,
            next: (1..=events.len()).collect(),
            previous: (0..=events.len()).map(|event| event.saturating_sub(1)).collect(),
            events,
            places,
            possible_from,
            bits,
            order: Vec::new(),
            left: known,
            states: IndexSet::from_iter([model.init()]),
            state: 0,
            before: NONE,
            memo: HashSet::default(),
            furthest: HEAD,
            items,
        }
    }

    /// Searches depth first until `stop` says so.
    pub(super) fn run(mut self, stop: &mut dyn FnMut() -> bool) -> Found {
        let mut frames: Vec<Frame> = Vec::new();
        self.take_reads();
        let mut candidate = Candidate::Event(self.next[HEAD]);
        let mut steps = 0_u32;
        while self.left > 0 {
            steps = (steps + 1) % STEPS_PER_LOOK;
            if steps == 0 && (stop() || self.memo.len() > MOST_CONFIGURATIONS) {
                return Found::Stopped;
            }
            let Some((item, next)) = self.advance(candidate) else {
                let Some(frame) = frames.pop() else { return Found::Nothing(self.furthest_moment()) };
                self.undo(&frame);
                candidate = frame.next;
                continue;
            };
            candidate = next;
            if let Some(after) = self.step(item) {
                let frame = Frame { state: self.state, before: self.before, taken: self.order.len(), next };
                if self.take(item, after) {
                    frames.push(frame);
                    candidate = Candidate::Event(self.next[HEAD]);
                } else {
                    self.undo(&frame);
                }
            }
        }
        Found::Order(self.order.iter().map(|item| self.items[*item].id).collect())
    }

    /// The item at `candidate` or after it, and the candidate that follows it.
    fn advance(&mut self, mut candidate: Candidate) -> Option<(usize, Candidate)> {
        if let Candidate::Event(event) = candidate {
            let (item, is_return) = self.events[event];
            if !is_return {
                return Some((item, Candidate::Event(self.next[event])));
            }
            self.furthest = self.furthest.max(event);
            candidate = Candidate::Unknown(self.known);
        }
        let Candidate::Unknown(mut item) = candidate else { unreachable!("events were dealt with above") };
        let deadline = self.first_return();
        // What is overwritten by one of unknown outcome, and is of unknown outcome, might as well not be.
        let end = if self.before == NONE { self.items.len() } else { self.overwriting };
        while item < end {
            if self.possible_from[item - self.known] > deadline {
                if item >= self.overwriting {
                    break;
                }
                item = self.overwriting;
                continue;
            }
            if !self.is_taken(item) {
                return Some((item, Candidate::Unknown(item + 1)));
            }
            item += 1;
        }
        None
    }

    /// The first return in the list.
    fn first_return(&self) -> usize {
        let mut event = self.next[HEAD];
        while !self.events[event].1 {
            event = self.next[event];
        }
        event
    }

    /// The state after `item`, if it is possible now and worth a try.
    fn step(&self, item: usize) -> Option<M::State> {
        let Item { op, returned, .. } = &self.items[item];
        let ret = returned.map(|(ret, _)| ret);
        let effect = self.model.effect(op, ret);
        if effect == Effect::Reads || (self.before != NONE && effect == Effect::Overwrites) {
            // A read that fits has been taken. One of unknown outcome that is then overwritten might as well not be.
            return None;
        }
        let after = self.model.step(&self.states[self.state as usize], op, ret)?;
        let pointless = (self.before != NONE && self.step_from(self.before, item).as_ref() == Some(&after))
            || (item >= self.known && after == self.states[self.state as usize])
            || (item >= self.overwriting && !self.is_seen(&after));
        (!pointless).then_some(after)
    }

    fn step_from(&self, state: u32, item: usize) -> Option<M::State> {
        let Item { op, returned, .. } = &self.items[item];
        self.model.step(&self.states[state as usize], op, returned.map(|(ret, _)| ret))
    }

    /// Whether an operation that is possible now can tell `after` from the present state; asked of one of unknown outcome
    /// before it is taken, since there may be many.
    fn is_seen(&self, after: &M::State) -> bool {
        let mut event = self.next[HEAD];
        while !self.events[event].1 {
            let item = self.events[event].0;
            let Item { op, returned, .. } = &self.items[item];
            let then = self.model.step(after, op, returned.map(|(ret, _)| ret));
            if then.is_some() && then != self.step_from(self.state, item) {
                return true;
            }
            event = self.next[event];
        }
        self.known < self.overwriting
    }

    /// Takes `item` and the reads that follow; whether this configuration is new.
    fn take(&mut self, item: usize, after: M::State) -> bool {
        self.before = if item >= self.known { self.state } else { NONE };
        self.state = u32::try_from(self.states.insert_full(after).0).expect("fewer states than configurations");
        self.lift(item);
        self.take_reads();
        let configuration = Configuration { state: self.state, set: self.linearized() };
        self.memo.insert(configuration)
    }

    /// Takes every operation that only reads and is possible now.
    fn take_reads(&mut self) {
        let mut event = self.next[HEAD];
        while event < self.events.len() && !self.events[event].1 {
            let item = self.events[event].0;
            let Item { op, returned, .. } = &self.items[item];
            let ret = returned.map(|(ret, _)| ret);
            let reads = self.model.effect(op, ret) == Effect::Reads;
            if reads && self.model.step(&self.states[self.state as usize], op, ret).is_some() {
                self.lift(item);
                self.before = NONE;
                event = self.previous[event];
            }
            event = self.next[event];
        }
    }

    /// Goes back to `frame`.
    fn undo(&mut self, frame: &Frame) {
        while self.order.len() > frame.taken {
            let item = self.order.pop().expect("it is longer");
            self.flip(item);
            if item < self.known {
                let (call, ret) = self.places[item];
                for event in [ret, call] {
                    let (previous, next) = (self.previous[event], self.next[event]);
                    self.next[previous] = event;
                    self.previous[next] = event;
                }
                self.left += 1;
            }
        }
        (self.state, self.before) = (frame.state, frame.before);
    }

    /// Takes `item` out of the list.
    fn lift(&mut self, item: usize) {
        self.order.push(item);
        self.flip(item);
        if item < self.known {
            let (call, ret) = self.places[item];
            for event in [call, ret] {
                let (previous, next) = (self.previous[event], self.next[event]);
                self.next[previous] = next;
                self.previous[next] = previous;
            }
            self.left -= 1;
        }
    }

    fn bit(&self, item: usize) -> (usize, u64) {
        if item < self.known {
            return (item / 64, 1 << (item % 64));
        }
        let unknown = item - self.known;
        (self.known.div_ceil(64) + unknown / 64, 1 << (unknown % 64))
    }

    fn is_taken(&self, item: usize) -> bool {
        let (word, bit) = self.bit(item);
        self.bits[word] & bit != 0
    }

    fn flip(&mut self, item: usize) {
        let (word, bit) = self.bit(item);
        self.bits[word] ^= bit;
    }

    /// The set of the items taken. All that returned before the first one left are in it, none that was invoked after its
    /// return is: the words between are enough. In front of them, with their number, those of unknown outcome.
    fn linearized(&self) -> SmallVec<[u64; 3]> {
        let (known, unknown) = self.bits.split_at(self.known.div_ceil(64));
        let trimmed = |words: &[u64]| words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        let unknown = &unknown[..trimmed(unknown)];
        let mut set = SmallVec::new();
        if self.left == 0 {
            return set;
        }
        let base = self.events[self.next[HEAD]].0;
        let (first, last) = (base / 64, self.last_before(base) / 64);
        let window = &known[first..=last];
        set.push((base as u64) << 32 | unknown.len() as u64);
        set.extend_from_slice(unknown);
        set.extend_from_slice(&window[..trimmed(window)]);
        set
    }

    /// The last item invoked before the return of `item`.
    fn last_before(&self, item: usize) -> usize {
        let ret = self.places[item].1;
        // Items are numbered by invocation: those with an event before the return.
        self.places.partition_point(|(call, _)| *call < ret) - 1
    }

    fn furthest_moment(&self) -> Moment {
        let item = self.events[self.furthest].0;
        self.items[item].returned.expect("it has a return").1
    }
}
