//! Frames on a byte stream: a kind, a tag, and a body of limited length.
//!
//! The framing of [`mux`](crate::mux), for any protocol that sends messages over a connection.
//!
//! ```
//! use windtunnel::io::{AsyncRead, AsyncWrite};
//! use windtunnel_patterns::frame::{Frame, FrameError, FrameReader, FrameWriter};
//!
//! /// Sends back what comes, until the other end says no more.
//! async fn echo(stream: impl AsyncRead + AsyncWrite) -> Result<(), FrameError> {
//!     let (input, output) = windtunnel::io::split(stream);
//!     let (mut frames, mut echoes) = (FrameReader::new(input, 1024), FrameWriter::new(output, 1024));
//!     while let Some(frame) = frames.next().await? {
//!         echoes.write(&frame).await?;
//!     }
//!     echoes.end().await
//! }
//! ```
//!
//! # Format
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | the length of the body, in bytes |
//! | 1 | the kind |
//! | 8 | the tag |
//! | length | the body |
//!
//! Numbers are unsigned, with the most significant byte first.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use windtunnel::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Length of what precedes the body, in bytes.
pub const HEADER: usize = 4 + 1 + 8;

/// Room for what one read may bring, in bytes, beside the frame that has begun.
const READ_AHEAD: usize = 8 * 1024;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What sort of message it is, for the protocol to say.
    pub kind: u8,
    /// Which exchange it belongs to.
    pub tag: u64,
    /// The message itself.
    pub body: Bytes,
}

/// Why no frame was read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The body is over the limit. Of a frame that was announced, nothing more is read; of one to be written, nothing was.
    #[error("a frame of {length} bytes is over the limit of {limit}: send less, or raise the limit at both ends")]
    TooLong {
        /// The length of the body, in bytes.
        length: usize,
        /// The most that is allowed, in bytes.
        limit: usize,
    },
    /// The stream ended in the middle of a frame.
    #[error("the stream ended in the middle of a frame")]
    Truncated,
    /// The stream failed.
    #[error("the stream failed: {message}")]
    Io {
        /// How.
        kind: io::ErrorKind,
        /// In words.
        message: String,
    },
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        FrameError::Io { kind: error.kind(), message: error.to_string() }
    }
}

/// Reads frames from a stream. It reads ahead: what it has read is lost with it.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    /// Read, and not part of a frame that was given out.
    read: BytesMut,
    limit: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames with bodies of at most `limit` bytes.
    pub fn new(stream: R, limit: usize) -> Self {
        Self { stream, read: BytesMut::new(), limit }
    }

    /// The next frame; `None` if the stream ends where one may.
    ///
    /// # Errors
    /// [`FrameError`]. A frame that is too long is refused by its header: no memory is set aside for it, and every later call
    /// gives the same error.
    ///
    /// # Cancel safety
    /// A dropped wait loses nothing.
    pub async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            let missing = match self.take()? {
                Ok(frame) => return Ok(Some(frame)),
                Err(missing) => missing,
            };
            self.read.reserve(missing.max(READ_AHEAD));
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return if self.read.is_empty() { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
    }

    /// A frame that has been read, or how many bytes it lacks, as far as is known.
    fn take(&mut self) -> Result<Result<Frame, usize>, FrameError> {
        let Some(mut header) = self.read.get(..HEADER) else { return Ok(Err(HEADER - self.read.len())) };
        let length = usize::try_from(header.get_u32()).unwrap_or(usize::MAX);
        let (kind, tag) = (header.get_u8(), header.get_u64());
        check_length(length, self.limit)?;
        if let Some(missing) = (HEADER + length).checked_sub(self.read.len()).filter(|missing| *missing > 0) {
            return Ok(Err(missing));
        }
        self.read.advance(HEADER);
        Ok(Ok(Frame { kind, tag, body: self.read.split_to(length).freeze() }))
    }
}

/// Writes frames to a stream.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
    limit: usize,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes frames with bodies of at most `limit` bytes. More than `u32::MAX` cannot be said in a header.
    pub fn new(stream: W, limit: usize) -> Self {
        Self { stream, limit: limit.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX)) }
    }

    /// Writes `frame`, in one piece if the stream takes it, and flushes it.
    ///
    /// # Errors
    /// [`FrameError`], but not [`Truncated`](FrameError::Truncated).
    ///
    /// # Cancel safety
    /// None: a part of the frame may have been written, and what is written next would be taken for the rest.
    pub async fn write(&mut self, frame: &Frame) -> Result<(), FrameError> {
        check_length(frame.body.len(), self.limit)?;
        let length = u32::try_from(frame.body.len()).expect("the limit is no more than this");
        let mut bytes = BytesMut::with_capacity(HEADER + frame.body.len());
        bytes.put_u32(length);
        bytes.put_u8(frame.kind);
        bytes.put_u64(frame.tag);
        bytes.put_slice(&frame.body);
        self.stream.write_all(&bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Tells the other end that no frame follows.
    ///
    /// # Errors
    /// [`FrameError::Io`].
    pub async fn end(&mut self) -> Result<(), FrameError> {
        Ok(self.stream.shutdown().await?)
    }
}

/// Whether a body of `length` bytes may be sent under `limit`.
pub(crate) fn check_length(length: usize, limit: usize) -> Result<(), FrameError> {
    if length > limit { Err(FrameError::TooLong { length, limit }) } else { Ok(()) }
}
