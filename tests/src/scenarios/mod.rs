//! Simulated clusters under faults.

pub mod chat;
pub mod conn;
pub mod first;
pub mod fork_join;
pub mod lookup;
pub mod mux;
pub mod pipeline;
pub mod pubsub;
pub mod pubsub_remote;
pub mod quorum;
pub mod quoted;
pub mod replicated;
pub mod repository;
pub mod routers;
pub mod scheduler;
pub mod scheduler_steps;
pub mod service;
pub mod smtp;
pub mod tee;
pub mod vending;

use windtunnel::task::{Group, dump};

/// The tasks that the patterns have started and that have not ended.
fn live_tasks_of_patterns() -> usize {
    let of_patterns = |group: &&Group| group.tasks[0].spawned_at.is_some_and(|at| at.file().contains("patterns/src"));
    dump().groups.iter().filter(of_patterns).map(|group| group.tasks.len()).sum()
}
