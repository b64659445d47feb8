//! A stage of a pipeline: a stream of inputs, a few workers, and the stream of their outputs.
//!
//! After the squares of "Golang design4concurrency" (004:156-211, census A10.4 and A10.5): ten tasks that read one channel and
//! write another. The printed program stops by the clock, whether or not the work is done; loads all inputs before anybody reads
//! an output, and so holds no more than its buffers; and leaves its printer behind. Here the outputs end when the inputs have,
//! nobody runs ahead of the reader, and the reader may stop at any time.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use windtunnel::Receiver;
//! use windtunnel_patterns::pipeline;
//!
//! const TEN: NonZeroUsize = NonZeroUsize::new(10).unwrap();
//!
//! async fn sum_of_squares(numbers: Receiver<u64>) -> u64 {
//!     let mut squares = pipeline::unordered(numbers.into_stream(), TEN, 100, |n| async move { n * n });
//!     let mut sum = 0;
//!     while let Some(square) = squares.next().await {
//!         sum += square.expect("no square panics");
//!     }
//!     sum
//! }
//! ```
//!
//! # Contract
//!
//! - *Delivery.* Each input is processed once, by one worker, and has one output; workers take the inputs in their order. The
//!   outputs of [`ordered`] come in the order of the inputs, those of [`unordered`] as they are there. After the last of them
//!   comes the end.
//! - *When each communication proceeds.* A worker takes an input when one is there and the one before it was processed. The output
//!   of [`unordered`] waits, and its worker with it, for room among the outputs. [`ordered`] takes a place among the outputs first,
//!   and then the input it is for; that output never waits.
//! - *Back-pressure.* There are never more inputs taken whose outputs nobody has read than workers and `buffer` together (of
//!   [`ordered`]: beside the one that the reader waits for).
//! - *When each task exits.* A worker ends when there is no more input and its last output has room; or at once, where it waits,
//!   when [`Outputs`] is dropped. The inputs are dropped at their end, or with the last worker: so stages that are chained, one's
//!   [`Outputs`] the inputs of the next, end together.
//! - *Panics.* The output of an input whose processing panics is [`JoinError::Panicked`], and its worker goes on. So is the last
//!   output if the stream of inputs panics. (In a simulation or a model a panic ends the run.) What fails otherwise says so in its
//!   output; to stop at the first failure, drop [`Outputs`].

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use windtunnel::channel::{self, Receiver, Sender};
use windtunnel::sync::Mutex;
use windtunnel::task::JoinError;

use crate::call::caught;
use crate::owned::OwnedTasks;

/// What became of an input.
type Output<O> = Result<O, JoinError>;

/// The outputs of a stage, also as a [`Stream`]. Dropping it stops the workers.
#[must_use = "the workers stop when this is dropped"]
pub struct Outputs<O> {
    stream: BoxStream<'static, Output<O>>,
    workers: OwnedTasks,
}

/// Processes `inputs` on so many workers; an output is read as soon as it is there, and `buffer` of them wait for that beside
/// the workers.
///
/// # Panics
/// As [`spawn`](windtunnel::spawn).
pub fn unordered<S, O, P, F>(inputs: S, workers: NonZeroUsize, buffer: usize, process: P) -> Outputs<O>
where
    S: Stream<Item: Send> + Send + 'static,
    O: Send + 'static,
    P: Fn(S::Item) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = O> + Send + 'static,
{
    let (outputs, read) = channel::named("outputs", buffer);
    start(inputs, workers, read.into_stream(), |inputs| as_they_end(inputs, outputs.clone(), process.clone()))
}

/// Processes `inputs` on so many workers; outputs are read in the order of the inputs, and `buffer` of them wait for that beside
/// the workers. One that takes long keeps the later ones waiting.
///
/// # Panics
/// As [`spawn`](windtunnel::spawn).
pub fn ordered<S, O, P, F>(inputs: S, workers: NonZeroUsize, buffer: usize, process: P) -> Outputs<O>
where
    S: Stream<Item: Send> + Send + 'static,
    O: Send + 'static,
    P: Fn(S::Item) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = O> + Send + 'static,
{
    let (places, read) = channel::named("places", workers.get().saturating_add(buffer));
    let outputs = read.into_stream().map(Receiver::into_stream).flatten();
    start(inputs, workers, outputs, |inputs| as_they_came(inputs, places.clone(), process.clone()))
}

fn start<S, O, W>(
    inputs: S,
    workers: NonZeroUsize,
    outputs: impl Stream<Item = Output<O>> + Send + 'static,
    work: impl Fn(Arc<Inputs<S>>) -> W,
) -> Outputs<O>
where
    S: Stream,
    W: Future<Output = ()> + Send + 'static,
{
    let inputs = Arc::new(Mutex::named("inputs", Some(Box::pin(inputs))));
    let mut tasks = OwnedTasks::default();
    for _ in 0..workers.get() {
        tasks.spawn("worker", work(Arc::clone(&inputs)));
    }
    Outputs { stream: outputs.boxed(), workers: tasks }
}

/// The inputs that are left; `None` after the last. A worker locks them to take one.
type Inputs<S> = Mutex<Option<Pin<Box<S>>>>;

/// The next input; `None` after the last. A panic of the stream is the last.
async fn next<S: Stream>(inputs: &mut Option<Pin<Box<S>>>) -> Option<Result<S::Item, JoinError>> {
    let next = caught(inputs.as_mut()?.next()).await.transpose();
    if !matches!(next, Some(Ok(_))) {
        *inputs = None;
    }
    next
}

async fn output<I, O, P, F>(input: Result<I, JoinError>, process: &P) -> Output<O>
where
    P: Fn(I) -> F,
    F: Future<Output = O>,
{
    let input = input?;
    caught(async { process(input).await }).await
}

/// A worker whose outputs go where there is room when they are there.
async fn as_they_end<S, O, P, F>(inputs: Arc<Inputs<S>>, outputs: Sender<Output<O>>, process: P)
where
    S: Stream,
    P: Fn(S::Item) -> F,
    F: Future<Output = O>,
{
    loop {
        let input = next(&mut *inputs.lock().await).await;
        let Some(input) = input else { return };
        if outputs.send(output(input, &process).await).await.is_err() {
            return;
        }
    }
}

/// A worker whose outputs go where a place was taken with their inputs. A place for which there was no input stays empty.
async fn as_they_came<S, O, P, F>(inputs: Arc<Inputs<S>>, places: Sender<Receiver<Output<O>>>, process: P)
where
    S: Stream,
    P: Fn(S::Item) -> F,
    F: Future<Output = O>,
{
    loop {
        let (place, read) = channel::named("place", 1);
        let mut inputs = inputs.lock().await;
        if places.send(read).await.is_err() {
            return;
        }
        let Some(input) = next(&mut inputs).await else { return };
        drop(inputs);
        // There is room, but maybe no reader any more.
        drop(place.try_send(output(input, &process).await));
    }
}

impl<O> Outputs<O> {
    /// The next output; `None` after the last.
    ///
    /// # Cancel safety
    /// A dropped wait loses no output.
    pub async fn next(&mut self) -> Option<Result<O, JoinError>> {
        self.stream.next().await
    }
}

impl<O> Stream for Outputs<O> {
    type Item = Result<O, JoinError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(cx)
    }
}

impl<O> fmt::Debug for Outputs<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs").field("workers", &self.workers).finish_non_exhaustive()
    }
}
