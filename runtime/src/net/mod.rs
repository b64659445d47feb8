//! TCP and UDP of the run: the operating system's on tokio, the simulated cluster's in a simulation.
//!
//! In a simulation addresses are those of the cluster's nodes, names are theirs too, and the network behaves as
//! `windtunnel-sim` says and as its faults make it. A model has no network: there whatever opens a socket, and every lookup,
//! fails with [`io::ErrorKind::Unsupported`].

mod addr;
mod deadline;
mod tcp;
mod udp;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::pin;

use crate::task::{Op, blocked};

use addr::{Target, resolve};
pub use addr::{ToSocketAddrs, lookup_host};
pub use deadline::Deadline;
pub use tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpListener, TcpStream, WriteHalf};
pub use udp::{MAX_DATAGRAM_BYTES, UdpSocket};

/// Awaits `future`, noting where the task waits while it is pending.
async fn at<T>(op: Op, at: &'static Location<'static>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            blocked(op, None, at);
        }
        poll
    })
    .await
}

/// Looks `target` up and tries `attempt` with each of its addresses until one succeeds; otherwise the last error.
async fn first<T, F>(
    target: Target,
    caller: &'static Location<'static>,
    attempt: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut outcome = Err(io::Error::new(io::ErrorKind::InvalidInput, "the name has no address"));
    for addr in resolve(target, caller).await? {
        outcome = attempt(addr).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// An address in a trace line.
struct Shown(io::Result<SocketAddr>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(addr) => addr.fmt(f),
            Err(_) => f.write_str("a closed socket"),
        }
    }
}
