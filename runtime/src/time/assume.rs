//! What a model may assume of time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use crate::backend::Assumption;

/// Awaits `future`, which a model may assume to take less than `limit`, counted from its first poll.
///
/// Where time is explored (the engine explore) no timer that is due at the limit or later fires while `future` is pending. An
/// execution that can only go on by such a timer contradicts the assumption: it is not judged, and counted as left out. The verdict
/// names the assumption by `what`, which reads on after "assuming": "complete, assuming a reply takes less than the lease". On every
/// other runtime this is `future` and nothing else: it ends no wait, and what is assumed has to be true. It ends when `future` does.
///
/// ```
/// use windtunnel::{channel, time};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (sender, receiver) = channel(1);
/// sender.send("granted").await.unwrap();
/// let reply = time::assume_within(time::secs(10), "a reply takes less than the lease", receiver.recv()).await;
/// assert_eq!(reply, Some("granted"));
/// # });
/// ```
///
/// # Cancel safety
/// As `future`; what is dropped is assumed no more.
pub fn assume_within<F: Future>(limit: Duration, what: &'static str, future: F) -> AssumeWithin<F> {
    AssumeWithin { future, limit, what, assumption: None }
}

/// See [`assume_within`].
#[pin_project]
#[must_use = "a future does nothing unless awaited"]
#[derive(Debug)]
pub struct AssumeWithin<F> {
    #[pin]
    future: F,
    limit: Duration,
    what: &'static str,
    /// While the future is pending.
    assumption: Option<Assumption>,
}

impl<F: Future> Future for AssumeWithin<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.assumption.get_or_insert_with(|| Assumption::begin(*this.limit, this.what));
        let ready = this.future.poll(cx);
        if ready.is_ready() {
            *this.assumption = None;
        }
        ready
    }
}
