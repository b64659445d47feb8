//! What a history is checked against.

use std::fmt;
use std::hash::Hash;

/// A sequential object.
pub trait Model {
    /// An operation, with its arguments.
    type Op: fmt::Debug;
    /// What an operation returns.
    type Ret: fmt::Debug;
    /// The object's state. Each distinct state that a search meets is kept once.
    type State: Clone + Eq + Hash;
    /// Names one of several objects that do not influence each other; `()` if there is one.
    type Key: Clone + Eq + Hash + fmt::Debug;

    /// The state of each object before any operation.
    fn init(&self) -> Self::State;

    /// The object that `op` is on.
    fn key(&self, op: &Self::Op) -> Self::Key;

    /// The state after `op`, or `None` if it cannot return `ret` in `state`. Without `ret` the result is unknown and any will
    /// do.
    fn step(&self, state: &Self::State, op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Self::State>;

    /// `op` as reports show it, next to its key.
    fn describe(&self, op: &Self::Op) -> String {
        format!("{op:?}")
    }

    /// What is known of `op` returning `ret` in whatever state: it saves time, no more.
    fn effect(&self, op: &Self::Op, ret: Option<&Self::Ret>) -> Effect {
        let _ = (op, ret);
        Effect::Updates
    }
}

/// What an operation does to the state, in every state in which it is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leaves it as it is.
    Reads,
    /// Is always possible, and the state after it does not depend on the one before.
    Overwrites,
    /// Anything else.
    Updates,
}
