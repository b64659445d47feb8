//! The tests of the whole: one binary, so that it links once.

mod architecture;
mod bugs;
mod conformance;
mod determinism;
mod hidden;
mod history;
mod limits;
mod oracle;
mod pairs;
mod properties;
mod readme;
mod replay;
mod reports;
mod runs;
mod scheduler;
mod sync;
