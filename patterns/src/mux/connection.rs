//! The task that has the connection and the pending calls.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future;
use windtunnel::cell::CheckedCell;
use windtunnel::channel::{Receiver, Sender};
use windtunnel::io::{self, AsyncRead, AsyncWrite};

use super::{Lost, MuxError, Options, kind};
use crate::frame::{Frame, FrameReader, FrameWriter};

type Reply = Result<Bytes, MuxError>;

/// What the connection is to do.
pub(super) enum Command {
    Call {
        tag: u64,
        request: Bytes,
        reply: Sender<Reply>,
    },
    /// End; the sender is dropped when that is done.
    Close(Sender<()>),
}

/// What the connection and the callers say to each other beside the commands. Nothing waits for it: it is read after a channel
/// has told that the connection has ended.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) next_tag: AtomicU64,
    pub(super) stray: AtomicU64,
    pub(super) unknown: AtomicU64,
    ended: OnceLock<Lost>,
}

impl Shared {
    /// The first reason stays.
    pub(super) fn end(&self, lost: Lost) {
        let _ = self.ended.set(lost);
    }

    /// Why the connection is gone.
    pub(super) fn lost(&self) -> Lost {
        self.ended.get().cloned().unwrap_or(Lost::Closed)
    }

    fn count(&self, stray: u64) {
        let known = stray < self.next_tag.load(Ordering::Relaxed);
        let (counter, what) = if known { (&self.stray, "has ended") } else { (&self.unknown, "was never made") };
        counter.fetch_add(1, Ordering::Relaxed);
        tracing::debug!("a reply to call {stray}, which {what}, is dropped");
    }
}

/// The pending calls.
type Table = BTreeMap<u64, Sender<Reply>>;

/// A connection, to be run.
pub(super) struct Connection {
    shared: Arc<Shared>,
    in_flight: usize,
    body: usize,
    /// Shared by the halves of one task, which the cell checks.
    table: CheckedCell<Table>,
}

/// How a connection ended, and who is to be told when nothing is left of it.
type End = (Lost, Option<Sender<()>>);

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, options: &Options) -> Self {
        let table = CheckedCell::named("pending", Table::new());
        Self { shared, in_flight: options.in_flight.get(), body: options.body, table }
    }

    /// Ends when the stream does, or when it is told to.
    pub(super) async fn run<S>(self, stream: S, queue: Receiver<Command>)
    where
        S: AsyncRead + AsyncWrite,
    {
        let (input, output) = io::split(stream);
        let (reader, mut writer) = (FrameReader::new(input, self.body), FrameWriter::new(output, self.body));
        let (lost, _told) = self.exchange(reader, &mut writer, queue).await;
        tracing::debug!("the connection ends: {lost}");
        if lost == Lost::Closed {
            // The peer sees it in any case, when the stream is dropped.
            let _ = writer.end().await;
        }
    }

    /// Sends requests and takes replies until either comes to an end. Callers see it when the table and the queue go.
    async fn exchange<R, W>(&self, reader: FrameReader<R>, writer: &mut FrameWriter<W>, queue: Receiver<Command>) -> End
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (sending, receiving) = (pin!(self.send(writer, queue)), pin!(self.receive(reader)));
        let end = future::select(sending, receiving).await.factor_first().0;
        self.shared.end(end.0.clone());
        drop(self.table.replace(Table::new()));
        end
    }

    async fn send<W>(&self, writer: &mut FrameWriter<W>, queue: Receiver<Command>) -> End
    where
        W: AsyncWrite + Unpin,
    {
        while let Some(command) = queue.recv().await {
            match command {
                Command::Call { tag, request, reply } => {
                    self.register(tag, reply);
                    if let Err(error) = writer.write(&Frame { kind: kind::REQUEST, tag, body: request }).await {
                        return (Lost::Broken(error), None);
                    }
                }
                Command::Close(end) => return (Lost::Closed, Some(end)),
            }
        }
        (Lost::Closed, None)
    }

    /// A call whose caller is gone stays in the table until its reply comes, or until there are more calls than places: so the
    /// table never has more than one call more.
    fn register(&self, tag: u64, reply: Sender<Reply>) {
        self.table.with_mut(|table| {
            if table.len() >= self.in_flight {
                table.retain(|_, caller| !caller.is_closed());
            }
            table.insert(tag, reply);
        });
    }

    async fn receive<R>(&self, mut reader: FrameReader<R>) -> End
    where
        R: AsyncRead + Unpin,
    {
        let lost = loop {
            let frame = match reader.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => break Lost::Ended,
                Err(error) => break Lost::Broken(error),
            };
            let reply = match frame.kind {
                kind::REPLY => Ok(frame.body),
                kind::FAILURE => Err(MuxError::Failed(String::from_utf8_lossy(&frame.body).into_owned())),
                other => break Lost::Unexpected(other),
            };
            let caller = self.table.with_mut(|table| table.remove(&frame.tag));
            // There is room for the reply, if its caller is still there.
            if caller.is_none_or(|caller| caller.try_send(reply).is_err()) {
                self.shared.count(frame.tag);
            }
        };
        (lost, None)
    }
}
