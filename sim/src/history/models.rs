//! The models that come with the crate.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::model::{Effect, Model};

/// What an operation of the models here returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret<V> {
    /// Nothing: a write, an enqueue.
    Done,
    /// What a read found.
    Value(V),
    /// Whether a compare-and-set took place.
    Swapped(bool),
}

/// Whether `ret` is unknown or what `wanted` is.
fn fits<V: PartialEq>(ret: Option<&Ret<V>>, wanted: &Ret<V>) -> bool {
    ret.is_none_or(|ret| ret == wanted)
}

/// A register with its first value, with or without compare-and-set.
#[derive(Clone, Debug)]
pub struct Register<V>(pub V);

/// An operation on a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp<V> {
    /// Returns [`Ret::Value`].
    Read,
    /// Returns [`Ret::Done`].
    Write(V),
    /// Writes the second value if the first is there; returns [`Ret::Swapped`].
    Cas(V, V),
}

impl<V: Clone + Eq + Hash + Debug> Model for Register<V> {
    type Op = RegisterOp<V>;
    type Ret = Ret<V>;
    type State = V;
    type Key = ();

    fn init(&self) -> V {
        self.0.clone()
    }

    fn key(&self, _: &Self::Op) {}

    fn step(&self, state: &V, op: &Self::Op, ret: Option<&Ret<V>>) -> Option<V> {
        let (after, wanted) = match op {
            RegisterOp::Read => (state, Ret::Value(state.clone())),
            RegisterOp::Write(value) => (value, Ret::Done),
            RegisterOp::Cas(from, to) if from == state => (to, Ret::Swapped(true)),
            RegisterOp::Cas(..) => (state, Ret::Swapped(false)),
        };
        fits(ret, &wanted).then(|| after.clone())
    }

    fn effect(&self, op: &Self::Op, ret: Option<&Ret<V>>) -> Effect {
        match (op, ret) {
            (RegisterOp::Read, _) | (_, Some(Ret::Swapped(false))) => Effect::Reads,
            (RegisterOp::Write(_), None | Some(Ret::Done)) => Effect::Overwrites,
            _ => Effect::Updates,
        }
    }
}

/// One key of a [`KeyValue`] store, absent at first.
#[derive(Clone, Debug)]
pub struct Entry<V>(PhantomData<V>);

/// An operation on an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EntryOp<V> {
    /// Returns [`Ret::Value`], `None` if the key is absent.
    Get,
    /// Returns [`Ret::Done`].
    Put(V),
    /// Returns [`Ret::Done`], whether or not the key was there.
    Delete,
    /// Puts the second value if the first is there (`None`: if the key is absent); returns [`Ret::Swapped`].
    Cas(Option<V>, V),
}

impl<V> Default for Entry<V> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for Entry<V> {
    type Op = EntryOp<V>;
    type Ret = Ret<Option<V>>;
    type State = Option<V>;
    type Key = ();

    fn init(&self) -> Option<V> {
        None
    }

    fn key(&self, _: &Self::Op) {}

    fn step(&self, state: &Option<V>, op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Option<V>> {
        let (after, wanted) = match op {
            EntryOp::Get => (state.clone(), Ret::Value(state.clone())),
            EntryOp::Put(value) => (Some(value.clone()), Ret::Done),
            EntryOp::Delete => (None, Ret::Done),
            EntryOp::Cas(from, to) if from == state => (Some(to.clone()), Ret::Swapped(true)),
            EntryOp::Cas(..) => (state.clone(), Ret::Swapped(false)),
        };
        fits(ret, &wanted).then_some(after)
    }

    fn effect(&self, op: &Self::Op, ret: Option<&Self::Ret>) -> Effect {
        match (op, ret) {
            (EntryOp::Get, _) | (_, Some(Ret::Swapped(false))) => Effect::Reads,
            (EntryOp::Put(_) | EntryOp::Delete, None | Some(Ret::Done)) => Effect::Overwrites,
            _ => Effect::Updates,
        }
    }
}

/// A first-in-first-out queue without a limit, empty at first. A step costs time and memory in proportion to what is queued.
#[derive(Clone, Debug)]
pub struct Queue<V>(PhantomData<V>);

/// An operation on a [`Queue`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueOp<V> {
    /// Returns [`Ret::Done`].
    Enqueue(V),
    /// Returns [`Ret::Value`], `None` if the queue is empty.
    Dequeue,
}

impl<V> Default for Queue<V> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for Queue<V> {
    type Op = QueueOp<V>;
    type Ret = Ret<Option<V>>;
    type State = VecDeque<V>;
    type Key = ();

    fn init(&self) -> VecDeque<V> {
        VecDeque::new()
    }

    fn key(&self, _: &Self::Op) {}

    fn step(&self, state: &VecDeque<V>, op: &Self::Op, ret: Option<&Self::Ret>) -> Option<VecDeque<V>> {
        let wanted = match op {
            QueueOp::Enqueue(_) => Ret::Done,
            QueueOp::Dequeue => Ret::Value(state.front().cloned()),
        };
        fits(ret, &wanted).then(|| {
            let mut after = state.clone();
            match op {
                QueueOp::Enqueue(value) => after.push_back(value.clone()),
                QueueOp::Dequeue => drop(after.pop_front()),
            }
            after
        })
    }

    fn effect(&self, op: &Self::Op, ret: Option<&Self::Ret>) -> Effect {
        match (op, ret) {
            (QueueOp::Dequeue, Some(Ret::Value(None))) => Effect::Reads,
            _ => Effect::Updates,
        }
    }
}

/// An object for each key, all of one model; an operation is a pair of the key and the object's operation.
#[derive(Clone, Debug)]
pub struct Keyed<K, M>(M, PhantomData<K>);

/// A key-value store with get, put, delete and compare-and-set, without operations over several keys.
pub type KeyValue<K, V> = Keyed<K, Entry<V>>;

impl<K, M> Keyed<K, M> {
    /// An object like `model` for each key.
    pub fn new(model: M) -> Self {
        Self(model, PhantomData)
    }
}

impl<K, M: Default> Default for Keyed<K, M> {
    fn default() -> Self {
        Self::new(M::default())
    }
}

impl<K: Clone + Eq + Hash + Debug, M: Model<Key = ()>> Model for Keyed<K, M> {
    type Op = (K, M::Op);
    type Ret = M::Ret;
    type State = M::State;
    type Key = K;

    fn init(&self) -> M::State {
        self.0.init()
    }

    fn key(&self, (key, _): &Self::Op) -> K {
        key.clone()
    }

    fn step(&self, state: &M::State, (_, op): &Self::Op, ret: Option<&M::Ret>) -> Option<M::State> {
        self.0.step(state, op, ret)
    }

    fn describe(&self, (_, op): &Self::Op) -> String {
        self.0.describe(op)
    }

    fn effect(&self, (_, op): &Self::Op, ret: Option<&M::Ret>) -> Effect {
        self.0.effect(op, ret)
    }
}
