//! What an application does with its end of a connection.

use std::io;
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

use super::connection::{Connection, End, Phase, SEGMENT_BYTES, Side};
use super::wire::Wire;

/// Puts the task's waker where it is woken from.
fn wait<T>(waiting: &mut Option<Waker>, cx: &Context<'_>) -> Poll<T> {
    match waiting {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waiting = Some(cx.waker().clone()),
    }
    Poll::Pending
}

impl End {
    fn take_error(&mut self) -> io::Result<()> {
        self.error.take().map_or(Ok(()), |error| Err(error.into()))
    }
}

impl Connection {
    /// Waits until the connection is established.
    pub(super) fn poll_connected(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let end = self.end_mut(Side::Client);
        end.take_error()?;
        if end.phase == Phase::Opening { wait(&mut end.writer, cx) } else { Poll::Ready(Ok(())) }
    }

    /// Reads what is there: nothing at the end. A peek leaves it there.
    pub(super) fn poll_read(
        &mut self,
        wire: &mut Wire,
        side: Side,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
        peek: bool,
    ) -> Poll<io::Result<()>> {
        let (readable, finished) = self.readable(side);
        let read = self.end(side).read;
        if read < readable {
            let until = readable.min(read + buf.remaining() as u64);
            self.end(side.other()).out.copy(read, until, |bytes| buf.put_slice(bytes));
            if !peek {
                self.read_until(wire, side, until);
            }
            return Poll::Ready(Ok(()));
        }
        let end = self.end_mut(side);
        end.take_error()?;
        if finished || end.phase == Phase::Gone || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        wait(&mut end.reader, cx)
    }

    fn read_until(&mut self, wire: &mut Wire, side: Side, offset: u64) {
        self.end_mut(side).read = offset;
        self.end_mut(side.other()).out.forget(offset);
        let (end, window) = (self.end(side), wire.options.window as u64);
        // Opened by half, not byte by byte: RFC 9293, 3.8.6.2.2.
        let opened = offset + window - end.advertised;
        if end.phase == Phase::Open && opened >= window.div_ceil(2) {
            self.acknowledge(wire, side);
        }
    }

    /// Sends as much as the peer has room for.
    pub(super) fn poll_write(
        &mut self,
        wire: &mut Wire,
        side: Side,
        cx: &Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let end = self.end_mut(side);
        end.take_error()?;
        if end.phase != Phase::Open || end.out.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.len().min(end.out.room());
        if count == 0 && !buf.is_empty() {
            wire.queue.change();
            return wait(&mut end.writer, cx);
        }
        end.out.bytes.extend(&buf[..count]);
        let mut left = count as u64;
        while left > 0 {
            let segment = left.min(SEGMENT_BYTES);
            self.send_new(wire, side, segment);
            left -= segment;
        }
        Poll::Ready(Ok(count))
    }

    /// Ends what this side sends.
    pub(super) fn finish(&mut self, wire: &mut Wire, side: Side) {
        let end = self.end_mut(side);
        if end.phase == Phase::Open && !end.out.finished {
            end.out.finished = true;
            self.send_new(wire, side, 1);
        }
    }

    /// The application lets go of its end.
    pub(super) fn close(&mut self, wire: &mut Wire, side: Side) {
        let unread = self.end(side).read < self.readable(side).0;
        let end = self.end_mut(side);
        (end.held, end.reader, end.writer) = (false, None, None);
        match end.phase {
            Phase::Opening => end.stop(wire, None),
            Phase::Open if unread => self.abort(wire, side),
            Phase::Open => {
                self.finish(wire, side);
                self.finish_if_done(side);
            }
            Phase::Unopened | Phase::Finished | Phase::Gone => {}
        }
    }

    /// The listener that held the server's end has gone.
    pub(super) fn turn_away(&mut self, wire: &mut Wire) {
        let server = self.end_mut(Side::Server);
        server.held = false;
        if matches!(server.phase, Phase::Opening | Phase::Open) {
            self.abort(wire, Side::Server);
        }
    }

    /// The host of this side loses its power.
    pub(super) fn vanish(&mut self, wire: &mut Wire, side: Side) {
        let end = self.end_mut(side);
        let opening = end.phase == Phase::Opening;
        end.held = false;
        end.stop(wire, None);
        if opening && side == Side::Server {
            // The SYN comes again, and finds who listens by then.
            *end = End::new(end.host, end.addr);
        }
    }
}
