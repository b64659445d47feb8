//! A model of every pattern: small sizes, every interleaving.

pub mod cell;
pub mod context;
pub mod scheduler;
pub mod sync;
pub mod task;
pub mod time;
