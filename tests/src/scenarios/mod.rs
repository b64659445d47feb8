//! Simulated clusters under faults.

pub mod lookup;
pub mod quorum;
pub mod scheduler;
