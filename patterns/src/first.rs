//! The first answer of several replicas, with a limit on the wait, and the others cancelled.
//!
//! After the replicated client of "Go forth and Multiply" (001:148-179, census A4.5): "send request to all, use first one to
//! respond, enforce timeout on all of them". The printed program enforces the timeout on the wait only: the replicas that lost go
//! on, and those that want to report do so for ever.
//!
//! ```
//! use std::io;
//! use windtunnel::time;
//! use windtunnel_patterns::call::NoAnswer;
//! use windtunnel_patterns::first;
//!
//! async fn fetch(replica: String) -> io::Result<String> {
//!     Ok(format!("the page, from {replica}"))
//! }
//!
//! async fn page(replicas: Vec<String>) -> Result<String, NoAnswer<io::Error>> {
//!     first::response(replicas.into_iter().map(fetch), time::secs(5)).await
//! }
//! ```
//!
//! # Contract
//!
//! - *Which answer.* The first call that succeeds decides. One that fails or panics is passed over as long as another is under
//!   way. Whether an answer is right is for the call to say: have it fail on one that is not, or the fastest replica wins, right
//!   or wrong.
//! - *When each communication proceeds.* All calls begin at once. They run in the caller's task, so nobody has to report to
//!   anybody; a call that is to go on by itself, or to compute for long, spawns its own task.
//! - *When each call ends.* By itself; or it is dropped where it waits when there is an answer, the time is up, or the request is
//!   dropped. When [`response`] returns, none is left.
//! - *More than once.* Every replica may have done what it was asked.

use std::future::Future;
use std::time::Duration;

use windtunnel::time;

use crate::call::{self, NoAnswer};
use crate::race::Race;

/// Makes every one of `calls` at once, and gives the first answer, within `limit`; one that is there in time wins.
///
/// # Errors
/// [`NoAnswer`].
///
/// # Cancel safety
/// Dropped, it drops the calls.
pub async fn response<T, E, F>(calls: impl IntoIterator<Item = F>, limit: Duration) -> Result<T, NoAnswer<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut race = Race::new();
    for (replica, call) in calls.into_iter().enumerate() {
        race.enter(replica, call::answer(call));
    }
    let answer = time::timeout(limit, race.answer()).await;
    race.end(limit, answer.map(|first| first.map(|(_, answer)| answer)))
}
