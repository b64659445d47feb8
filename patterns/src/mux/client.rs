//! The end that calls.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use windtunnel::channel::{self, Sender};
use windtunnel::io::{AsyncRead, AsyncWrite};
use windtunnel::sync::Semaphore;
use windtunnel::time;

use super::connection::{Command, Connection, Shared};
use super::{Lost, MuxError, Options};
use crate::frame::check_length;
use crate::owned::OwnedTasks;

/// Calls over one connection. It may be shared, in an `Arc`. See the [module](super).
pub struct Mux {
    options: Options,
    shared: Arc<Shared>,
    places: Semaphore,
    /// To the connection's task, which takes one when it has done the one before.
    commands: Sender<Command>,
    task: OwnedTasks,
}

/// What a [`Mux`] has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Calls that have a place.
    pub in_flight: usize,
    /// Replies that were dropped because their calls had ended: they came twice, or late.
    pub stray: u64,
    /// Replies that were dropped because no such call was ever made.
    pub unknown: u64,
}

impl Mux {
    /// Makes calls over `stream`, whose other end [`serve`](super::serve)s.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn), or if [`Options::in_flight`] is more than [`Semaphore::MAX_PERMITS`].
    pub fn new<S>(stream: S, options: Options) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (commands, queue) = channel::named("commands", 0);
        let shared = Arc::<Shared>::default();
        let places = Semaphore::named("calls in flight", options.in_flight.get());
        let connection = Connection::new(Arc::clone(&shared), &options);
        let mut task = OwnedTasks::default();
        task.spawn("mux", connection.run(stream, queue));
        Self { options, shared, places, commands, task }
    }

    /// The server's reply to `request`.
    ///
    /// # Errors
    /// [`MuxError`].
    ///
    /// # Cancel safety
    /// Dropped, it leaves nothing behind at this end; the server may carry the request out.
    pub async fn call(&self, request: impl Into<Bytes>) -> Result<Bytes, MuxError> {
        let request = request.into();
        check_length(request.len(), self.options.body).map_err(MuxError::TooLong)?;
        match self.options.deadline {
            None => self.exchange(request).await,
            Some(limit) => match time::timeout(limit, self.exchange(request)).await {
                Ok(reply) => reply,
                Err(time::Elapsed) => Err(MuxError::TimedOut(limit)),
            },
        }
    }

    async fn exchange(&self, request: Bytes) -> Result<Bytes, MuxError> {
        let _place = self.places.acquire().await.map_err(|_| self.shared.lost())?;
        let tag = self.shared.next_tag.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = channel::named("reply", 1);
        let call = Command::Call { tag, request, reply };
        self.commands.send(call).await.map_err(|_| self.shared.lost())?;
        answer.recv().await.unwrap_or_else(|| Err(self.shared.lost().into()))
    }

    /// Waits until the calls that have been made have ended, at most for `limit`, and ends the connection. Calls that are made
    /// meanwhile fail when it is done, with [`Lost::Closed`], as those that come later. When it returns, no task is left.
    ///
    /// # Errors
    /// [`Lost::CutOff`] if there were still calls when the time was up, or another reason if the connection had ended by itself.
    ///
    /// # Cancel safety
    /// Dropped, it has done nothing, or is as good as done.
    pub async fn close(&self, limit: Duration) -> Result<(), Lost> {
        let (end, ended) = channel::named("end", 0);
        let mut closing = pin!(async {
            let _all = self.places.acquire_many(self.options.in_flight.get()).await;
            self.shared.end(Lost::Closed);
            self.places.close();
            if self.commands.send(Command::Close(end)).await.is_ok() {
                ended.recv().await;
            }
        });
        if time::timeout(limit, closing.as_mut()).await.is_err() {
            self.shared.end(Lost::CutOff);
            self.places.close();
            self.task.abort();
            closing.await;
        }
        match self.shared.lost() {
            Lost::Closed => Ok(()),
            lost => Err(lost),
        }
    }

    /// What it has seen by now.
    pub fn stats(&self) -> Stats {
        let in_flight = self.options.in_flight.get() - self.places.available_permits();
        let [stray, unknown] = [&self.shared.stray, &self.shared.unknown].map(|count| count.load(Ordering::Relaxed));
        Stats { in_flight, stray, unknown }
    }
}

impl fmt::Debug for Mux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mux").field("options", &self.options).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
