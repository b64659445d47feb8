//! A mail server: enough of SMTP that real clients deliver, and an end in good order.
//!
//! After the `SMTPService` of "Go forth and Multiply" (001:85-147, census A4.3), whose draining is never reached: here
//! [`serve`](crate::service::serve) drains, sessions end between two mails, and who comes later is told 421.
//!
//! ```
//! use windtunnel::net::TcpListener;
//! use windtunnel::sync::Context;
//! use windtunnel_patterns::service;
//! use windtunnel_patterns::smtp::{Limits, Mail, Refusal, Smtp};
//!
//! async fn deliver(mail: Mail) -> Result<(), Refusal> {
//!     println!("{} bytes from {} to {:?}", mail.text.len(), mail.from, mail.to);
//!     Ok(())
//! }
//!
//! async fn run(stop: Context) -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:2525").await?;
//!     let smtp = Smtp::new("mail.example.org", Limits::default(), deliver);
//!     service::serve(listener, smtp, service::Options::default(), stop).await;
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! - *Delivery.* A mail is accepted, with 250, after it was delivered whole; so a client that does not get the answer may send it again:
//!   at least once.
//! - *What it speaks.* HELO, EHLO (with SIZE, 8BITMIME and PIPELINING), MAIL, RCPT, DATA, RSET, NOOP, VRFY and QUIT of RFC 5321. Only a
//!   dot between two CRLFs ends a mail: one between bare line feeds does not, or what one server takes for text would be commands
//!   to another.
//! - *When each task exits.* A session ends with QUIT; when its client is gone, silent for longer than [`Limits::silence`], or wrong too
//!   often; and when the service drains, with 421, as soon as no mail is under way.

use std::future::Future;
use std::io;
use std::time::Duration;

use windtunnel::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use windtunnel::sync::Context;
use windtunnel::{select, time};

use crate::service::Service;

/// How much and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a mail; 10 MiB by default.
    pub mail: usize,
    /// Recipients of a mail; 100 by default, the least that RFC 5321, 4.5.3.1.8 allows.
    pub recipients: usize,
    /// How long a client may be silent; 5 min by default (RFC 5321, 4.5.3.2.7).
    pub silence: Duration,
    /// Commands that may be wrong in a session; 20 by default.
    pub errors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mail: 10 << 20, recipients: 100, silence: time::secs(300), errors: 20 }
    }
}

/// Bytes of a command with its line end, by RFC 5321, 4.5.3.1.4.
const COMMAND_BYTES: u64 = 512;
/// Bytes of a mail that are looked at together.
const PIECE_BYTES: u64 = 4 << 10;

/// A mail that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who sends it; empty for a mail that must not be answered.
    pub from: String,
    /// Who is to get it; one at least.
    pub to: Vec<String>,
    /// Head and body, as they came, without the dots that were added on the way.
    pub text: Vec<u8>,
}

/// Why a mail is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may be tried again later.
    #[error("{0}")]
    ForNow(String),
    /// Not to be tried again.
    #[error("{0}")]
    ForEver(String),
}

/// The [`Service`] that takes mails.
#[derive(Clone, Debug)]
pub struct Smtp<D> {
    name: String,
    limits: Limits,
    deliver: D,
}

impl<D> Smtp<D> {
    /// A server that calls itself `name`, and gives each mail to `deliver`.
    pub fn new(name: impl Into<String>, limits: Limits, deliver: D) -> Self {
        Self { name: name.into(), limits, deliver }
    }

    fn not_available(&self) -> String {
        format!("421 {} Service not available", self.name)
    }
}

impl<C, D, F> Service<C> for Smtp<D>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    D: Fn(Mail) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Refusal>> + Send,
{
    async fn handle(&self, conn: C, draining: Context) {
        let mut session = Session { smtp: self, conn: BufReader::new(conn), envelope: None, errors: 0 };
        if let Err(error) = session.run(&draining).await {
            tracing::debug!("smtp: {error}");
        }
    }

    async fn refuse(&self, mut conn: C) {
        let line = self.not_available() + "\r\n";
        if conn.write_all(line.as_bytes()).await.is_ok() {
            conn.shutdown().await.ok();
        }
    }
}

/// Who sends a mail to whom.
#[derive(Debug)]
struct Envelope {
    from: String,
    to: Vec<String>,
}

/// Whether a session goes on.
enum Next {
    Command,
    End,
}

struct Session<'a, C, D> {
    smtp: &'a Smtp<D>,
    conn: BufReader<C>,
    /// The mail that is under way.
    envelope: Option<Envelope>,
    errors: usize,
}

impl<C, D, F> Session<'_, C, D>
where
    C: AsyncRead + AsyncWrite + Unpin,
    D: Fn(Mail) -> F,
    F: Future<Output = Result<(), Refusal>>,
{
    async fn run(&mut self, draining: &Context) -> io::Result<()> {
        self.reply(&format!("220 {} ESMTP", self.smtp.name)).await?;
        loop {
            let line = read_line(&mut self.conn, COMMAND_BYTES, self.smtp.limits.silence);
            let line = if self.envelope.is_some() {
                Some(line.await?)
            } else {
                select! {
                    biased;
                    _ = draining.cancelled() => None,
                    line = line => Some(line?),
                }
            };
            let Some(line) = line else {
                self.reply(&self.smtp.not_available()).await?;
                return self.conn.shutdown().await;
            };
            if line.is_empty() {
                return Ok(());
            }
            if let Next::End = self.obey(&line).await? {
                return self.conn.shutdown().await;
            }
        }
    }

    async fn obey(&mut self, line: &[u8]) -> io::Result<Next> {
        let Some(line) = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()) else {
            self.reply("500 a command is one line of at most 512 bytes, in UTF-8").await?;
            return Ok(Next::End);
        };
        let line = line.trim_end();
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "HELO" => self.hello(format!("250 {}", self.smtp.name)),
            "EHLO" => self.hello(format!(
                "250-{}\r\n250-SIZE {}\r\n250-8BITMIME\r\n250 PIPELINING",
                self.smtp.name, self.smtp.limits.mail
            )),
            "MAIL" => self.mail(argument),
            "RCPT" => self.recipient(argument),
            "DATA" => return self.data().await.map(|()| Next::Command),
            "RSET" => self.hello("250 OK".to_owned()),
            "NOOP" => "250 OK".to_owned(),
            "VRFY" => "252 try to send it".to_owned(),
            "QUIT" => {
                self.reply("221 goodbye").await?;
                return Ok(Next::End);
            }
            _ => "500 no such command".to_owned(),
        };
        self.errors += usize::from(answer.starts_with('5'));
        self.reply(&answer).await?;
        if self.errors > self.smtp.limits.errors {
            self.reply(&format!("421 {} too many errors", self.smtp.name)).await?;
            return Ok(Next::End);
        }
        Ok(Next::Command)
    }

    /// Begins anew.
    fn hello(&mut self, answer: String) -> String {
        self.envelope = None;
        answer
    }

    fn mail(&mut self, argument: &str) -> String {
        let Some((from, options)) = path(argument, "FROM:") else {
            return "501 say MAIL FROM:<address>".to_owned();
        };
        if self.envelope.is_some() {
            return "503 a mail is under way: RSET gives it up".to_owned();
        }
        for option in options.split_ascii_whitespace() {
            match option.to_ascii_uppercase().split_once('=') {
                Some(("SIZE", size)) if size.parse().is_ok_and(|size: usize| size <= self.smtp.limits.mail) => {}
                Some(("SIZE", _)) => return format!("552 a mail has at most {} bytes", self.smtp.limits.mail),
                Some(("BODY", "7BIT" | "8BITMIME")) => {}
                _ => return "555 SIZE and BODY are known here".to_owned(),
            }
        }
        self.envelope = Some(Envelope { from: from.to_owned(), to: Vec::new() });
        "250 OK".to_owned()
    }

    fn recipient(&mut self, argument: &str) -> String {
        let most = self.smtp.limits.recipients;
        match (path(argument, "TO:"), &mut self.envelope) {
            (None | Some(("", _)), _) => "501 say RCPT TO:<address>".to_owned(),
            (_, None) => "503 say MAIL first".to_owned(),
            (_, Some(envelope)) if envelope.to.len() >= most => format!("452 a mail has at most {most} recipients"),
            (Some((to, _)), Some(envelope)) => {
                envelope.to.push(to.to_owned());
                "250 OK".to_owned()
            }
        }
    }

    /// Takes the text of a mail and delivers it.
    async fn data(&mut self) -> io::Result<()> {
        let Some(Envelope { from, to }) = self.envelope.take_if(|envelope| !envelope.to.is_empty()) else {
            self.errors += 1;
            return self.reply("503 say MAIL and RCPT first").await;
        };
        self.reply("354 end it with a dot on a line of its own").await?;
        let answer = match self.text().await? {
            None => format!("552 a mail has at most {} bytes", self.smtp.limits.mail),
            Some(text) => match (self.smtp.deliver)(Mail { from, to, text }).await {
                Ok(()) => "250 OK".to_owned(),
                Err(Refusal::ForNow(why)) => format!("451 {}", one_line(&why)),
                Err(Refusal::ForEver(why)) => format!("554 {}", one_line(&why)),
            },
        };
        self.reply(&answer).await
    }

    /// The text up to the dot; `None` if it is too long.
    async fn text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut text, mut fits, mut begins, mut after_cr) = (Vec::new(), true, true, false);
        loop {
            let piece = read_line(&mut self.conn, PIECE_BYTES, self.smtp.limits.silence).await?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if begins && piece == b".\r\n" {
                return Ok(fits.then_some(text));
            }
            let stuffed = begins && piece[0] == b'.';
            // A CR at the end of one piece and its LF in the next are one line end.
            begins = piece.ends_with(b"\r\n") || (after_cr && piece == b"\n");
            after_cr = piece.ends_with(b"\r");
            let piece = &piece[usize::from(stuffed)..];
            fits &= text.len() + piece.len() <= self.smtp.limits.mail;
            if fits {
                text.extend_from_slice(piece);
            }
        }
    }

    async fn reply(&mut self, answer: &str) -> io::Result<()> {
        let saying = async {
            self.conn.write_all(format!("{answer}\r\n").as_bytes()).await?;
            self.conn.flush().await
        };
        time::timeout(self.smtp.limits.silence, saying).await?
    }
}

/// The next line, or as much of it as `most` bytes; nothing at the end of the stream.
async fn read_line<C: AsyncRead + Unpin>(conn: &mut BufReader<C>, most: u64, within: Duration) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    time::timeout(within, conn.take(most).read_until(b'\n', &mut line)).await??;
    Ok(line)
}

/// The address of `keyword<address>`, without a source route, and the options behind it.
fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    let (address, options) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    let address = match address.split_once(':') {
        Some((route, address)) if route.starts_with('@') => address,
        _ => address,
    };
    let fits =
        head.eq_ignore_ascii_case(keyword) && !address.contains([' ', '<', '"']) && !address.contains(char::is_control);
    fits.then_some((address, options))
}

/// What the user's code says, as it can stand in an answer.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
