//! Finger: a server that answers questions about users, and a client, over any connection.
//!
//! After the first programs of "Go, for Distributed Systems" (000:302-360, census A1.5), with what they lack: the protocol is that of
//! RFC 1288, a question has a limit of size and of time, and so has the answer on its way out; and a user's name can be nothing but a
//! name, whatever program it is given to.
//!
//! ```
//! use windtunnel::net::{TcpListener, TcpStream};
//! use windtunnel::sync::Context;
//! use windtunnel_patterns::finger::{self, Finger, Limits, Question};
//! use windtunnel_patterns::service;
//!
//! async fn answer(question: Question) -> String {
//!     match question.user() {
//!         Some(user) => format!("Login: {user}\nNo plan."),
//!         None => "Nobody is logged in.".to_owned(),
//!     }
//! }
//!
//! async fn serve(stop: Context) -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:79").await?;
//!     service::serve(listener, Finger::new(Limits::default(), answer), service::Options::default(), stop).await;
//!     Ok(())
//! }
//!
//! async fn ask() -> Result<String, finger::AskError> {
//!     let conn = TcpStream::connect("127.0.0.1:79").await?;
//!     finger::ask(conn, "rsc", &Limits::default()).await
//! }
//! ```
//!
//! # Contract
//!
//! - *One question a connection.* The server reads a line, answers with lines that end in CRLF, and closes. A line may end in a bare
//!   LF, as the talk's client says it.
//! - *When each task exits.* A connection is over within [`Limits::question`] and [`Limits::answer`], and what the answering takes.
//! - *Argument safety.* A [`Question`] names letters, digits, `.`, `_` and `-`, and does not begin with `-`; anything else is refused, and so
//!   is forwarding to another host, as RFC 1288, 3.2.1 allows.

use std::future::Future;
use std::io;
use std::time::Duration;

use windtunnel::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use windtunnel::sync::Context;
use windtunnel::time;

use crate::service::Service;

/// How much and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a question with the end of its line; 512 by default.
    pub question_bytes: u64,
    /// How long a question may take to arrive; 10 s by default.
    pub question: Duration,
    /// Bytes of an answer that a client takes; 65,536 by default.
    pub answer_bytes: u64,
    /// How long an answer may take on its way; 30 s by default.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { question_bytes: 512, question: time::secs(10), answer_bytes: 65_536, answer: time::secs(30) }
    }
}

/// What a client wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    user: Option<String>,
    verbose: bool,
}

/// Why a line is no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    /// It names another host.
    #[error("finger forwarding service denied")]
    Forwarding,
    /// Its user has other characters than names have.
    #[error("a user's name is letters, digits, '.', '_' and '-', and begins with none of '-'")]
    Name,
}

impl Question {
    /// The user asked about; `None` for all who are logged in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether the client wants to know more than usual (`/W`).
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Parses a line (RFC 1288, 2.3), with or without its end.
    ///
    /// # Errors
    /// [`BadQuestion`].
    pub fn parse(line: &str) -> Result<Self, BadQuestion> {
        let line = line.trim_matches([' ', '\t', '\r', '\n']);
        let (verbose, user) = match line.strip_prefix("/W").or_else(|| line.strip_prefix("/w")) {
            Some(rest) if rest.is_empty() || rest.starts_with(' ') => (true, rest.trim_start()),
            _ => (false, line),
        };
        if user.contains('@') {
            return Err(BadQuestion::Forwarding);
        }
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if user.starts_with('-') || !user.chars().all(of_a_name) {
            return Err(BadQuestion::Name);
        }
        Ok(Self { user: (!user.is_empty()).then(|| user.to_owned()), verbose })
    }
}

/// The [`Service`] that answers with what a function says.
#[derive(Clone, Debug)]
pub struct Finger<A> {
    limits: Limits,
    answer: A,
}

impl<A> Finger<A> {
    /// Answers each question with the text that `answer` makes of it.
    pub fn new(limits: Limits, answer: A) -> Self {
        Self { limits, answer }
    }

    async fn converse<C, F>(&self, conn: C) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        A: Fn(Question) -> F,
        F: Future<Output = String>,
    {
        let mut conn = BufReader::new(conn);
        let mut line = Vec::new();
        let limit = self.limits.question_bytes;
        time::timeout(self.limits.question, (&mut conn).take(limit).read_until(b'\n', &mut line)).await??;
        let answer = match std::str::from_utf8(&line).map(Question::parse) {
            _ if !line.ends_with(b"\n") => format!("a question is one line of at most {limit} bytes"),
            Ok(Ok(question)) => (self.answer)(question).await,
            Ok(Err(bad)) => bad.to_string(),
            Err(_) => BadQuestion::Name.to_string(),
        };
        let lines: String = answer.lines().flat_map(|line| [line, "\r\n"]).collect();
        let saying = async {
            conn.write_all(lines.as_bytes()).await?;
            conn.shutdown().await
        };
        time::timeout(self.limits.answer, saying).await?
    }
}

impl<C, A, F> Service<C> for Finger<A>
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
    A: Fn(Question) -> F + Send + Sync + 'static,
    F: Future<Output = String> + Send,
{
    async fn handle(&self, conn: C, _draining: Context) {
        if let Err(error) = self.converse(conn).await {
            tracing::debug!("finger: {error}");
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The user would be more than one line.
    #[error("a user's name has no control characters")]
    Name,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The server said more than [`Limits::answer_bytes`].
    #[error("an answer of more than {0} bytes")]
    TooLong(u64),
}

/// Asks about `user`, or about everybody if that is empty, and gives all that the server says, with its line ends as `\n`.
///
/// # Errors
/// [`AskError`]; a question that the server refuses is an answer.
///
/// # Cancel safety
/// Dropped, it closes the connection.
pub async fn ask(
    mut conn: impl AsyncRead + AsyncWrite + Unpin,
    user: &str,
    limits: &Limits,
) -> Result<String, AskError> {
    if user.contains(char::is_control) {
        return Err(AskError::Name);
    }
    let most = limits.answer_bytes;
    let asking = async {
        conn.write_all(format!("{user}\r\n").as_bytes()).await?;
        conn.flush().await?;
        let mut answer = Vec::new();
        conn.take(most.saturating_add(1)).read_to_end(&mut answer).await?;
        Ok::<_, AskError>(answer)
    };
    let answer =
        time::timeout(limits.answer, asking).await.map_err(|time::Elapsed| AskError::TimedOut(limits.answer))??;
    if answer.len() as u64 > most {
        return Err(AskError::TooLong(most));
    }
    Ok(String::from_utf8_lossy(&answer).replace("\r\n", "\n"))
}
