//! A connection, whatever carries it.
//!
//! After `net.Conn` of "Go, for Distributed Systems" (000:278-297, 363-371, census A1.4): a client that takes a connection, and not an
//! address, runs over any transport. Here those are [`TcpStream`], real or simulated, and [`Pipe`], in memory; a wrapper of another is
//! a connection too.
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
//! use windtunnel::time::Instant;
//! use windtunnel_patterns::conn::Conn;
//!
//! /// Asks whether the peer is there, and gives it `limit` to answer.
//! async fn ping(conn: &mut impl Conn, limit: Duration) -> io::Result<u8> {
//!     conn.set_deadline(Some(Instant::now() + limit));
//!     conn.write_all(b"?").await?;
//!     conn.flush().await?;
//!     conn.read_u8().await
//! }
//! ```
//!
//! # Contract
//!
//! - *Deadlines* are moments of the run's clock: in a simulation they pass in virtual time, in a model at any time. An operation that
//!   waits fails at its deadline with [`io::ErrorKind::TimedOut`], and one that begins after it fails at once, also where it need not
//!   wait, until another deadline is set.
//! - *Nothing is lost* by a deadline: a read that failed has taken no byte, and of a write the peer gets what was said to be
//!   written and no more. The connection can be used again with another deadline. What reads or writes more than once, such as
//!   [`read_exact`](windtunnel::io::AsyncReadExt::read_exact), may have done a part.
//! - *A flush or a shutdown* that waits ends at the write deadline.
//! - *Who sets a deadline* has the connection for itself, so nobody waits then: it counts from the next operation on, as in Go.
//!
//! [`io::ErrorKind::TimedOut`]: std::io::ErrorKind::TimedOut

use std::net::SocketAddr;

use windtunnel::io::{AsyncRead, AsyncWrite};
use windtunnel::net::TcpStream;
use windtunnel::time::Instant;

use crate::pipe::Pipe;

/// A connection with deadlines: see the [module](self). To drop it is to close it.
pub trait Conn: AsyncRead + AsyncWrite + Unpin + Send {
    /// Sets the moment after which reads fail; `None` takes it away.
    fn set_read_deadline(&mut self, deadline: Option<Instant>);

    /// Sets the moment after which writes fail; `None` takes it away.
    fn set_write_deadline(&mut self, deadline: Option<Instant>);

    /// Sets both deadlines.
    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.set_read_deadline(deadline);
        self.set_write_deadline(deadline);
    }

    /// This end's address; `None` where there are none, or no longer.
    fn local_addr(&self) -> Option<SocketAddr>;

    /// The other end's address; `None` where there are none, or no longer.
    fn peer_addr(&self) -> Option<SocketAddr>;
}

impl Conn for TcpStream {
    fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        TcpStream::set_read_deadline(self, deadline);
    }

    fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        TcpStream::set_write_deadline(self, deadline);
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        TcpStream::local_addr(self).ok()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        TcpStream::peer_addr(self).ok()
    }
}

impl Conn for Pipe {
    fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        Pipe::set_read_deadline(self, deadline);
    }

    fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        Pipe::set_write_deadline(self, deadline);
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl<C: Conn + ?Sized> Conn for Box<C> {
    fn set_read_deadline(&mut self, deadline: Option<Instant>) {
        (**self).set_read_deadline(deadline);
    }

    fn set_write_deadline(&mut self, deadline: Option<Instant>) {
        (**self).set_write_deadline(deadline);
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        (**self).local_addr()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        (**self).peer_addr()
    }
}
