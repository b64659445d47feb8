//! Concurrency primitives that run unchanged on three runtimes.
//!
//! Code written against this crate reads like ordinary tokio code. Which runtime carries it is decided by where it runs,
//! not by how it is compiled:
//!
//! - inside a tokio runtime it is tokio;
//! - inside a simulation (`windtunnel-sim`) it is madsim: a cluster in one thread, deterministic, under faults;
//! - inside a model check (`windtunnel-model`) it is loom: every interleaving.
//!
//! ```
//! use windtunnel::{channel, select, spawn, time};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let (numbers, input) = channel(0);
//! let producer = spawn(async move {
//!     for n in 0..3_u64 {
//!         numbers.send(n).await.unwrap();
//!     }
//! });
//! let mut total = 0;
//! loop {
//!     select! {
//!         n = input.recv() => match n { Some(n) => total += n, None => break },
//!         () = time::sleep(time::secs(5)) => panic!("the producer is stuck"),
//!     }
//! }
//! producer.await.unwrap();
//! assert_eq!(total, 3);
//! # });
//! ```
//!
//! # Features
//!
//! With no feature the crate is tokio only and compiles no simulation code. `sim` *adds* madsim and `model` *adds* loom.
//! Build production binaries with `cargo build -p`: a workspace-wide build unifies features.
//!
//! # Objects belong to a run
//!
//! A channel, mutex or wait group belongs to the run that created it (the process on tokio, one seed of a simulation, one
//! execution of a model). Used in another run it panics and names both, so there are no static channels.

#![cfg_attr(
    not(all(feature = "sim", feature = "model")),
    allow(
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "signatures serve every backend, also those that are not compiled in"
    )
)]

mod backend;
pub mod cell;
pub mod channel;
#[cfg(any(feature = "sim", feature = "model"))]
pub mod engine;
pub mod go;
mod lock;
pub mod net;
mod object;
pub mod rand;
mod run;
mod said;
pub mod select;
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;
mod wait;

pub use channel::{Receiver, Sender, channel};
pub use task::spawn;
pub use tokio::io;
pub use windtunnel_macros::select;

/// Whether this build is tokio only: neither `sim` nor `model` was added, by this package or by another one in the same
/// build. Benches refuse to measure anything else.
#[doc(hidden)]
pub fn is_production() -> bool {
    cfg!(not(any(feature = "sim", feature = "model")))
}
