//! Simulated clusters under faults.

pub mod quorum;
pub mod scheduler;
