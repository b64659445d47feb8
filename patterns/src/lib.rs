//! Concurrency patterns, each written once against [`windtunnel`] and blind to the runtime that carries it.
//!
//! They come from five talks on Go concurrency, as a Rust engineer would want them in production: every task has a reason to
//! exit, every wait an end, every error a name. The models, the simulations and the buggy variants of each are in the
//! workspace's `tests` package.

mod ask;
pub mod call;
pub mod chat;
pub mod conn;
pub mod debug;
pub mod finger;
pub mod first;
pub mod fork_join;
pub mod frame;
pub mod http;
pub mod lookup;
pub mod mux;
mod owned;
pub mod par;
pub mod pipe;
pub mod pipeline;
pub mod pubsub;
pub mod quorum;
pub mod quoted;
mod race;
pub mod replicated;
pub mod repository;
pub mod routers;
pub mod scheduler;
pub mod service;
pub mod shutdown;
pub mod smtp;
pub mod tee;
pub mod vending;
