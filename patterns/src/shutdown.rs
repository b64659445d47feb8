//! An end in good order: a signal becomes a cancelled context.
//!
//! After the `main` of "Go forth and Multiply" (001:136-147, census A4.4), where a signal ends the program at once, whatever its
//! sessions are about, and a service that ends by itself afterwards blocks for ever on a channel that nobody reads any more.
//!
//! ```
//! use windtunnel::net::TcpListener;
//! use windtunnel::signal::{Signal, Signals};
//! use windtunnel_patterns::http::Http;
//! use windtunnel_patterns::{debug, service, shutdown};
//!
//! async fn run() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:6060").await?;
//!     let signals = Signals::listen([Signal::Interrupt, Signal::Terminate])?;
//!     let http = Http::new(windtunnel::time::secs(60), debug::answer);
//!     shutdown::on(signals, |stop| service::serve(listener, http, service::Options::default(), stop)).await;
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! The first signal cancels the context, and those after it change nothing: how long the end may take is the service's to limit. No
//! task is spawned. A service that ends by itself ends the wait for a signal.

use std::future::Future;
use std::pin::pin;

use windtunnel::select;
use windtunnel::signal::Signals;
use windtunnel::sync::Context;

/// Runs the service that `start` makes to its end; the first of `signals` cancels the context that it is given.
///
/// # Cancel safety
/// Dropped, it drops the service.
pub async fn on<F: Future>(mut signals: Signals, start: impl FnOnce(Context) -> F) -> F::Output {
    let stop = Context::named("shutdown");
    let mut service = pin!(start(stop.clone()));
    let signal = select! {
        biased;
        ended = &mut service => return ended,
        signal = signals.recv() => signal,
    };
    tracing::info!("{signal}: shuts down");
    stop.cancel_because(signal.to_string());
    service.await
}
