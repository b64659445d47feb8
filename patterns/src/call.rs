//! Calls that may fail, panic or be silent, and what they say to a caller who must go on.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Display};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use windtunnel::task::JoinError;

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// It ended with an error of its own.
    #[error("{0}")]
    Failed(E),
    /// It panicked, or its task was dropped. (In a simulation or a model a panic ends the run.)
    #[error("{0}")]
    Died(JoinError),
}

/// A replica that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replica {replica}: {error}")]
pub struct Failure<E> {
    /// Its place in the list, from zero.
    pub replica: usize,
    /// What happened.
    pub error: CallError<E>,
}

/// Why no replica at all gave an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoAnswer<E> {
    /// There was nobody to ask.
    NoReplicas,
    /// Every replica failed; in the order in which they did.
    AllFailed(Vec<Failure<E>>),
    /// Some were still silent when the time was up.
    TimedOut {
        /// The longest wait.
        limit: Duration,
        /// Those that had failed by then.
        failures: Vec<Failure<E>>,
    },
}

impl<E: Display> Display for NoAnswer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::NoReplicas => f.write_str("there is no replica to ask: give one at least"),
            NoAnswer::AllFailed(failures) => {
                write!(f, "none of {} replicas gave an answer{}", failures.len(), Last(failures))
            }
            NoAnswer::TimedOut { limit, failures } => write!(f, "no answer within {limit:?}{}", Last(failures)),
        }
    }
}

impl<E: Display + fmt::Debug> Error for NoAnswer<E> {}

/// The last of some failures, if there are any, as the rest of a line.
struct Last<'a, E>(&'a [Failure<E>]);

impl<E: Display> Display for Last<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.last().map_or(Ok(()), |failure| write!(f, "; the last to fail was {failure}"))
    }
}

/// What `call` gives, or how it ended.
pub(crate) async fn answer<T, E>(call: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
    match caught(call).await {
        Ok(result) => result.map_err(CallError::Failed),
        Err(died) => Err(CallError::Died(died)),
    }
}

/// What `future` gives, or its panic, as the joiner of a task would get it. The task that awaits it goes on.
pub(crate) fn caught<F: Future>(future: F) -> impl Future<Output = Result<F::Output, JoinError>> {
    // Not an async function, which would keep `future` a second time, where it was an argument.
    let caught = AssertUnwindSafe(future).catch_unwind();
    caught.map(|result| result.map_err(|panic| JoinError::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a value that is not a string").to_owned()
}
