//! HTTP/1.1 over any connection, as a [`Service`]: hyper speaks it, [`serve`](crate::service::serve) accepts, limits and drains.
//!
//! ```
//! use windtunnel::net::TcpListener;
//! use windtunnel::sync::Context;
//! use windtunnel::time;
//! use windtunnel_patterns::http::{Http, Request, Response};
//! use windtunnel_patterns::service;
//!
//! async fn hello(request: Request) -> Response {
//!     Response::new(format!("Hello from {}\n", request.uri().path()))
//! }
//!
//! async fn run(stop: Context) -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:8080").await?;
//!     service::serve(listener, Http::new(time::secs(60), hello), service::Options::default(), stop).await;
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! - *Ordering.* The requests of a connection are answered one after the other.
//! - *When each task exits.* A connection ends when its client closes it, after the limit given to [`Http::new`], or, when the service
//!   drains, with the answer under way.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{self, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::rt::ReadBufCursor;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use windtunnel::io::{AsyncRead, AsyncWrite, ReadBuf};
use windtunnel::sync::Context;
use windtunnel::{select, time};

use crate::service::Service;

/// A request; its body is for the handler to read, or to leave.
pub type Request = hyper::Request<Incoming>;

/// An answer with a text.
pub type Response = hyper::Response<String>;

pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer of this kind.
pub(crate) fn respond(status: StatusCode, kind: HeaderValue, text: String) -> Response {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The [`Service`] that answers requests with what a function says.
#[derive(Clone, Debug)]
pub struct Http<H> {
    limit: Duration,
    handler: H,
}

impl<H> Http<H> {
    /// Answers with what `handler` gives, on connections that last as long as `limit` at most.
    pub fn new(limit: Duration, handler: H) -> Self {
        Self { limit, handler }
    }
}

impl<C, H, F> Service<C> for Http<H>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send,
{
    async fn handle(&self, conn: C, draining: Context) {
        let answer = service_fn(async |request| Ok::<_, Infallible>((self.handler)(request).await));
        // Without a date an answer is a function of the request.
        let serving = http1::Builder::new().auto_date_header(false).serve_connection(Io(conn), answer);
        let mut serving = pin!(serving);
        let conversing = async {
            select! {
                ended = serving.as_mut() => return ended,
                _ = draining.cancelled() => serving.as_mut().graceful_shutdown(),
            }
            serving.await
        };
        match time::timeout(self.limit, conversing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("http: {error}"),
            Err(time::Elapsed) => tracing::debug!("http: the connection's time is up"),
        }
    }
}

/// A connection as hyper sees it.
struct Io<C>(C);

/// What one read takes at most.
const CHUNK: usize = 4 << 10;

impl<C: AsyncRead + Unpin> hyper::rt::Read for Io<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; CHUNK];
        let mut read = ReadBuf::new(&mut bytes[..buf.remaining().min(CHUNK)]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<C: AsyncWrite + Unpin> hyper::rt::Write for Io<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
