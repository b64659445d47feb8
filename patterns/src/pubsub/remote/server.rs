//! The end of a connection at the server.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use windtunnel::io::{AsyncRead, AsyncWrite};
use windtunnel::time;

use super::{Event, Options, RemoteError, Wanted, Wire, decode, encode, kind};
use crate::frame::Frame;
use crate::pubsub::{self, Notice, PubSub, Subscription};

/// Serves the connection `stream` by `server`, until it is lost, a subscription has ended, or a publisher has.
///
/// # Errors
/// [`RemoteError`], if it ended otherwise than by the end of a subscription.
///
/// # Cancel safety
/// Dropped, it ends the connection and its subscription; an event that is being published may be or not.
pub async fn serve<P, S>(stream: S, server: &P, options: &Options) -> Result<(), RemoteError>
where
    P: PubSub<Event>,
    S: AsyncRead + AsyncWrite,
{
    let mut wire = Wire::new(stream, options);
    loop {
        let request = wire.next(options.idle).await?;
        let done = match request.kind {
            kind::PUBLISH => unless_lost(&mut wire, server.publish(decode(&request)?)).await?.is_ok(),
            kind::CLOSE => {
                unless_lost(&mut wire, server.close()).await?;
                true
            }
            kind::SUBSCRIBE => return serve_subscription(wire, server, decode(&request)?, options).await,
            other => return Err(RemoteError::Unexpected(other)),
        };
        wire.send(if done { kind::DONE } else { kind::REFUSED }, 0, Bytes::new()).await?;
    }
}

/// What `request` gives, unless the connection is lost before. The client says nothing until it has its answer.
async fn unless_lost<S, T>(wire: &mut Wire<S>, request: impl Future<Output = T>) -> Result<T, RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    let (request, next) = (pin!(request), pin!(wire.next(None)));
    match select(request, next).await {
        Either::Left((result, _)) => Ok(result),
        Either::Right((next, _)) => Err(next.map_or_else(|lost| lost, |frame| RemoteError::Unexpected(frame.kind))),
    }
}

async fn serve_subscription<P, S>(
    mut wire: Wire<S>,
    server: &P,
    wanted: Wanted,
    options: &Options,
) -> Result<(), RemoteError>
where
    P: PubSub<Event>,
    S: AsyncRead + AsyncWrite,
{
    if wanted.policy.capacity() > options.queue.get() {
        let (asked, most) = (wanted.policy.capacity(), options.queue);
        return Err(RemoteError::Malformed(format!("a queue of {asked} events is over the limit of {most}")));
    }
    let mut asked = pubsub::Options::new(wanted.policy);
    if let Some(topic) = wanted.topic {
        asked = asked.only(move |event: &Event| event.topic == topic);
    }
    let Ok(mut subscription) = server.subscribe(asked).await else {
        return wire.send(kind::REFUSED, 0, Bytes::new()).await;
    };
    wire.send(kind::DONE, 0, Bytes::new()).await?;
    loop {
        match next_happening(&mut wire, &mut subscription, options.heartbeat).await? {
            Happening::Notice(notice) => send_notice(&mut wire, notice, subscription.missed()).await?,
            Happening::Quiet => wire.send(kind::ALIVE, 0, Bytes::new()).await?,
            Happening::Cancel => {
                subscription.cancel().await;
                wire.send(kind::DONE, 0, Bytes::new()).await?;
            }
            Happening::End => break,
        }
    }
    wire.send(kind::END, subscription.missed(), Bytes::new()).await?;
    drop(subscription);
    wire.writer.end().await?;
    // A cancel may be on its way: where nobody reads it, the transport may take back what was written.
    while wire.next(options.idle).await.is_ok() {}
    Ok(())
}

/// What a server that has a subscriber reacts to.
enum Happening {
    Notice(Notice<Event>),
    End,
    Cancel,
    Quiet,
}

async fn next_happening<S>(
    wire: &mut Wire<S>,
    subscription: &mut Subscription<Event>,
    heartbeat: Option<Duration>,
) -> Result<Happening, RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    let happening = async {
        let (notice, order) = (pin!(subscription.recv()), pin!(wire.next(None)));
        match select(order, notice).await {
            Either::Left((Ok(Frame { kind: kind::CANCEL, .. }), _)) => Ok(Happening::Cancel),
            Either::Left((Ok(other), _)) => Err(RemoteError::Unexpected(other.kind)),
            Either::Left((Err(lost), _)) => Err(lost),
            Either::Right((notice, _)) => Ok(notice.map_or(Happening::End, Happening::Notice)),
        }
    };
    match heartbeat {
        None => happening.await,
        Some(heartbeat) => time::timeout(heartbeat, happening).await.unwrap_or(Ok(Happening::Quiet)),
    }
}

async fn send_notice<S>(wire: &mut Wire<S>, notice: Notice<Event>, missed: u64) -> Result<(), RemoteError>
where
    S: AsyncRead + AsyncWrite,
{
    match notice {
        Notice::Event(event) => wire.send(kind::EVENT, missed, encode(&event)).await,
        Notice::Missed(count) => wire.send(kind::MISSED, count, Bytes::new()).await,
        Notice::Disconnected => wire.send(kind::DISCONNECTED, missed, Bytes::new()).await,
    }
}
