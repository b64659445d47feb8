//! madsim: a cluster in one thread, deterministic. A run has one thread, so tokio's lock, atomic and slot serve here.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::run;

pub(crate) use madsim::time::Sleep;

pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(madsim::task::spawn(future));
}

pub(crate) fn now() -> Duration {
    madsim::time::TimeHandle::try_current().map_or(Duration::ZERO, |time| time.elapsed())
}

/// Longer sleeps would overflow madsim's clock.
const LONGEST_SLEEP: Duration = Duration::from_hours(100 * 365 * 24);

pub(crate) fn sleep_until(deadline: Duration) -> Sleep {
    let now = now();
    let mut sleep = madsim::time::sleep(deadline.saturating_sub(now).min(LONGEST_SLEEP));
    if deadline < now {
        // It is over, as on tokio; madsim would have it take its least millisecond.
        Pin::new(&mut sleep).reset(madsim::time::Instant::now());
    }
    sleep
}

pub(crate) struct TcpListener(madsim::net::TcpListener);

impl TcpListener {
    pub(crate) async fn bind(addr: SocketAddr) -> io::Result<Self> {
        madsim::net::TcpListener::bind(addr).await.map(Self)
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((TcpStream::new(stream), peer))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// madsim's stream, plus the extra latency of a slow link: what arrives over one is held back that long.
pub(crate) struct TcpStream {
    inner: madsim::net::TcpStream,
    held: VecDeque<u8>,
    hold: Option<Sleep>,
}

impl TcpStream {
    fn new(inner: madsim::net::TcpStream) -> Self {
        Self { inner, held: VecDeque::new(), hold: None }
    }

    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        madsim::net::TcpStream::connect(addr).await.map(Self::new)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    fn extra_latency(&self) -> Option<Duration> {
        let link: (IpAddr, IpAddr) = (self.inner.peer_addr().ok()?.ip(), self.inner.local_addr().ok()?.ip());
        run::with(|run| run.engine().sim.link_delay(link))
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
            let Some(delay) = self.extra_latency().filter(|_| buf.filled().len() > before) else {
                return Poll::Ready(Ok(()));
            };
            let arrived = buf.filled()[before..].iter().copied();
            self.held.extend(arrived);
            buf.set_filled(before);
            self.hold = Some(sleep_until(now() + delay));
        }
        if let Some(hold) = &mut self.hold {
            ready!(Pin::new(hold).poll(cx));
            self.hold = None;
        }
        let count = buf.remaining().min(self.held.len());
        for byte in self.held.drain(..count) {
            buf.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TcpStream {
    /// madsim sends on flush only; real streams send when written, so a write here flushes.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
