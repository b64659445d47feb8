//! The tests of the whole.

mod bugs;
mod sync;
