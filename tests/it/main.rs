//! The tests of the whole: one binary, so that it links once.

mod architecture;
mod bugs;
mod cell;
mod common;
mod conformance;
mod context;
mod determinism;
mod faults;
mod hidden;
mod limits;
mod net;
mod pairs;
mod plans;
mod programs;
mod properties;
mod readme;
mod replay;
mod reports;
mod runs;
mod scheduler;
mod select;
mod shrink;
mod sync;
mod task;
mod time;
