//! Calls that may fail, panic or be silent, and what they say to a caller who must go on.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use thiserror::Error;
use windtunnel::task::JoinError;

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// It ended with an error of its own.
    #[error("{0}")]
    Failed(E),
    /// It panicked, or its task was dropped. (In a simulation or a model a panic ends the run.)
    #[error("{0}")]
    Died(JoinError),
}

/// What `call` gives, or how it ended.
pub(crate) async fn answer<T, E>(call: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
    match caught(call).await {
        Ok(result) => result.map_err(CallError::Failed),
        Err(died) => Err(CallError::Died(died)),
    }
}

/// What `future` gives, or its panic, as the joiner of a task would get it. The task that awaits it goes on.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, JoinError> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| JoinError::Panicked(message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a value that is not a string").to_owned()
}
