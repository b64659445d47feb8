//! Histories of operations, and whether they are linearizable.
//!
//! A history is linearizable (Herlihy and Wing, 1990) if each operation can be thought to take effect at one moment between
//! its invocation and its return, so that all results are those of a sequential object, the [`Model`].
//!
//! ```
//! use windtunnel_sim::history::{Recorder, Register, RegisterOp, Ret};
//!
//! let recorder = Recorder::new();
//! let write = recorder.invoke("client 1", RegisterOp::Write(1));
//! let read = recorder.invoke("client 2", RegisterOp::Read);
//! read.returned(Ret::Value(1)); // allowed: the write is under way
//! drop(write); // a timeout, say: it may have taken effect or not, or will later
//! recorder.history().assert_linearizable(&Register(0));
//! ```
//!
//! The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memo of
//! configurations ("Testing for linearizability", 2017), key by key (Horn and Kroening, "Faster linearizability checking via
//! P-compositionality", 2015). Two reductions are added, both exact: an operation that only reads is taken as soon as its
//! result fits, for good; and one of unknown outcome never directly before an operation that leads to the same state
//! without it. The problem is NP-complete: a history may be left [undecided](Verdict::Undecided).
//!
//! Of the crates that check histories, stateright 0.31 (its linearizability tester) searches without a memo, and todc-utils
//! 0.1 without unknown outcomes and partition, copying a bit for each operation at each step; neither can be bounded nor
//! says which operations conflict.

mod check;
mod counterexample;
mod model;
mod models;
mod order;
mod record;
mod search;

pub use check::Verdict;
pub use counterexample::Counterexample;
pub use model::{Effect, Model};
pub use models::{Entry, EntryOp, KeyValue, Keyed, Queue, QueueOp, Register, RegisterOp, Ret};
pub use order::{assert_nothing_lost_or_doubled, assert_program_order, assert_same_order};
pub use record::{History, Moment, Operation, Pending, Recorder};
