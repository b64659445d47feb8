//! The end that answers.

use std::fmt::Display;
use std::future::Future;

use bytes::Bytes;
use futures_util::{FutureExt, future};
use windtunnel::channel::{self, Receiver, Sender};
use windtunnel::io::{self, AsyncRead, AsyncWrite};
use windtunnel::task::JoinSet;
use windtunnel::time;

use super::{Lost, Options, kind};
use crate::call;
use crate::frame::{Frame, FrameReader, FrameWriter, check_length};

/// Answers the requests that come over `stream` by `handler`, each in a task of its own and [`Options::in_flight`] at once, in
/// whatever order the answers come. It ends when the peer has said that no more requests come and all have been answered.
///
/// A handler that fails, panics, takes longer than [`Options::deadline`] or gives more than [`Options::body`] has a failure for an
/// answer, which says so. (In a simulation or a model a panic ends the run.)
///
/// # Errors
/// [`Lost`], if the connection ended otherwise.
///
/// # Cancel safety
/// Dropped, or ended by an error, it drops the handlers where they wait.
///
/// # Panics
/// If [`Options::in_flight`] is more than [`Semaphore::MAX_PERMITS`](windtunnel::sync::Semaphore::MAX_PERMITS).
pub async fn serve<S, H, F, E>(stream: S, options: Options, handler: H) -> Result<(), Lost>
where
    S: AsyncRead + AsyncWrite,
    H: Fn(Bytes) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Bytes, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let (input, output) = io::split(stream);
    let (replies, answered) = channel::named("replies", 0);
    let reading = read(FrameReader::new(input, options.body), &options, &handler, replies);
    let writing = write(FrameWriter::new(output, options.body), answered);
    future::try_join(reading, writing).await.map(|_| ())
}

/// Has each request answered. The tasks are dropped with it when `serve` is, and are done when it ends by itself.
async fn read<R, H, F, E>(
    mut reader: FrameReader<R>,
    options: &Options,
    handler: &H,
    replies: Sender<Frame>,
) -> Result<JoinSet<()>, Lost>
where
    R: AsyncRead + Unpin,
    H: Fn(Bytes) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Bytes, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let tasks = JoinSet::with_limit(options.in_flight.get());
    while let Some(Frame { kind, tag, body }) = reader.next().await.map_err(Lost::Broken)? {
        if kind != kind::REQUEST {
            return Err(Lost::Unexpected(kind));
        }
        let (options, handler, replies) = (options.clone(), handler.clone(), replies.clone());
        let answering = async move {
            let frame = answer(async { handler(body).await }, tag, &options).await;
            // Nobody takes it if the connection is lost.
            let _ = replies.send(frame).await;
        };
        tasks.spawn(answering).await;
        while tasks.join_next().now_or_never().flatten().is_some() {}
    }
    Ok(tasks)
}

async fn answer<E: Display>(reply: impl Future<Output = Result<Bytes, E>>, tag: u64, options: &Options) -> Frame {
    let reply = call::answer(reply);
    let reply = match options.deadline {
        None => Ok(reply.await),
        Some(limit) => time::timeout(limit, reply).await.map_err(|_| format!("no answer within {limit:?}")),
    };
    let reply = reply.and_then(|reply| reply.map_err(|error| error.to_string()));
    let reply = reply.and_then(|body| match check_length(body.len(), options.body) {
        Ok(()) => Ok(body),
        Err(error) => Err(error.to_string()),
    });
    match reply {
        Ok(body) => Frame { kind: kind::REPLY, tag, body },
        Err(mut error) => {
            error.truncate(error.floor_char_boundary(options.body));
            Frame { kind: kind::FAILURE, tag, body: error.into() }
        }
    }
}

/// Ends when all who may send a reply have.
async fn write<W>(mut writer: FrameWriter<W>, answered: Receiver<Frame>) -> Result<(), Lost>
where
    W: AsyncWrite + Unpin,
{
    while let Some(frame) = answered.recv().await {
        writer.write(&frame).await.map_err(Lost::Broken)?;
    }
    writer.end().await.map_err(Lost::Broken)
}
