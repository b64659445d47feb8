//! Calls under way, of which one answer is wanted.

use std::future::Future;
use std::pin::Pin;

use futures_util::future::select_all;
use windtunnel::time::{Duration, Elapsed};

use crate::call::{CallError, Failure, NoAnswer};

/// Calls of numbered replicas, all in the task that waits for them: dropped with it, they are gone at once. Each wake looks at
/// every call, of which there are few.
pub(crate) struct Race<C, E> {
    calls: Vec<(usize, Pin<Box<C>>)>,
    failures: Vec<Failure<E>>,
}

/// How a call ended.
pub(crate) enum Finish<T> {
    Answer(usize, T),
    /// It is among the failures.
    Failed(usize),
}

impl<C, T, E> Race<C, E>
where
    C: Future<Output = Result<T, CallError<E>>>,
{
    pub(crate) fn new() -> Self {
        Self { calls: Vec::new(), failures: Vec::new() }
    }

    /// Adds a call, which begins with the next wait.
    pub(crate) fn enter(&mut self, replica: usize, call: C) {
        self.calls.push((replica, Box::pin(call)));
    }

    /// The next call to end, of several the one that entered first; `None` if none is under way. A dropped wait loses none.
    pub(crate) async fn next(&mut self) -> Option<Finish<T>> {
        if self.calls.is_empty() {
            return None;
        }
        let (result, place, _) = select_all(self.calls.iter_mut().map(|(_, call)| call)).await;
        let (replica, _) = self.calls.remove(place);
        Some(match result {
            Ok(answer) => Finish::Answer(replica, answer),
            Err(error) => {
                tracing::debug!("replica {replica} gives no answer");
                self.failures.push(Failure { replica, error });
                Finish::Failed(replica)
            }
        })
    }

    /// The first answer, and who gave it; `None` once every call has failed. A dropped wait loses no answer.
    pub(crate) async fn answer(&mut self) -> Option<(usize, T)> {
        loop {
            if let Finish::Answer(replica, answer) = self.next().await? {
                return Some((replica, answer));
            }
        }
    }

    /// Drops the calls that are left. There was an answer; or `None`, and every call has failed; or `limit` has passed.
    pub(crate) fn end(self, limit: Duration, answer: Result<Option<T>, Elapsed>) -> Result<T, NoAnswer<E>> {
        let failures = self.failures;
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) if failures.is_empty() => Err(NoAnswer::NoReplicas),
            Ok(None) => Err(NoAnswer::AllFailed(failures)),
            Err(Elapsed) => Err(NoAnswer::TimedOut { limit, failures }),
        }
    }
}
