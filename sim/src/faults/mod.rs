//! Faults as data: a [`FaultPlan`] is drawn from the seed, written by hand or read from a file, and then carried out.
//!
//! ```
//! use windtunnel::time::{millis, secs, sleep};
//! use windtunnel_sim::{Sim, faults};
//!
//! /// What is said here of a plan holds for any: at most two of the five nodes are ever in trouble, and none after 5 s.
//! #[windtunnel_sim::test(seeds = 16)]
//! async fn a_minority_may_fail(sim: Sim) {
//!     let nodes = sim.nodes("n", 5, |_| std::future::pending());
//!     sim.faults(faults::any().on_minority_of(&nodes).healed_by(secs(5)));
//!     sim.progress_within(secs(1), sleep(millis(500))).await;
//! }
//! # fn main() {
//! #     windtunnel_sim::run_test(windtunnel_sim::scenarios()[0]);
//! # }
//! ```
//!
//! # The file
//!
//! JSON, as [`FaultPlan::to_json`] writes it. Moments count from the start of the run; unknown fields are refused.
//!
//! ```json
//! {
//!   "version": 1,
//!   "faults": [
//!     {"at": "1003ms", "until": "1950ms", "kind": "partition", "one": ["n2"], "other": ["n1", "n3"]},
//!     {"at": "1.4s", "until": "3s", "kind": "kill", "node": "n1"},
//!     {"at": "2s", "until": "3s", "kind": "latency", "from": "n1", "to": "n2", "extra": "300ms"},
//!     {"at": "2s", "until": "3s", "kind": "loss", "share": 0.2}
//!   ]
//! }
//! ```
//!
//! The file of a failure also has the `scenario` and the `seed` that it is of, and which operations of the `workload` are left.

mod check;
mod draw;
mod drive;
mod file;
mod plan;
mod record;
mod units;

pub use draw::{Faults, Strategy, any, none};
pub(crate) use drive::Planned;
pub use file::PlanError;
pub use plan::{Fault, FaultKind, FaultPlan, Kept, Kind};
pub use record::{Deed, FaultRecord};
