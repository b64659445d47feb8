//! Simulated clusters under faults.

pub mod scheduler;
