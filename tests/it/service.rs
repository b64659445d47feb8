//! A service on tokio and madsim, by the bodies of its models; on real TCP; and finger.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::spawn;
use windtunnel::sync::Context;
use windtunnel::task::dump;
use windtunnel::time;
use windtunnel_patterns::finger::{self, AskError, BadQuestion, Finger, Limits, Question};
use windtunnel_patterns::service::{Drained, Options, Service, serve};
use windtunnel_suite::models::service as models;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    stopped_it_ends_with_its_last_connection
    what_hangs_is_cut_off
    no_more_than_the_limit_at_once
    an_error_of_accept_is_not_the_end
    dropped_it_leaves_no_connection
}

/// Panics at the first byte, if it is that.
struct Fragile;

impl Service<TcpStream> for Fragile {
    async fn handle(&self, mut stream: TcpStream, _draining: Context) {
        let byte = stream.read_u8().await.unwrap_or_default();
        assert_ne!(byte, b'!', "not this one");
        stream.write_u8(byte).await.ok();
    }
}

#[test]
fn a_connection_that_panics_gives_its_place_back() {
    on_two_threads(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, options) =
            (Context::named("stop"), Options { connections: NonZeroUsize::MIN, ..Options::default() });
        let serving = spawn(serve(listener, Fragile, options, stop.clone()));
        for byte in *b"a!b!c" {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_u8(byte).await.unwrap();
            assert_eq!(stream.read_u8().await.ok(), (byte != b'!').then_some(byte));
        }
        stop.cancel();
        assert_eq!(serving.await, Ok(Drained { cut_off: 0 }));
        assert!(dump().groups.iter().all(|group| group.tasks[0].name.as_deref() != Some("connection")));
    });
}

/// A server on real TCP, where `plan` is everybody's.
async fn finger_server(limits: Limits) -> (std::net::SocketAddr, Context) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, stop) = (listener.local_addr().unwrap(), Context::named("stop"));
    let answer = |question: Question| async move {
        let verbose = if question.is_verbose() { "\nOffice: 6.824" } else { "" };
        question.user().map_or_else(|| "Nobody.".to_owned(), |user| format!("Login: {user}{verbose}\nNo plan."))
    };
    spawn(serve(listener, Finger::new(limits, answer), Options::default(), stop.clone()));
    (addr, stop)
}

/// What the server at `addr` says to these bytes, until it closes.
async fn says(addr: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[test]
fn finger_speaks_its_protocol() {
    on_two_threads(async {
        let (addr, _stop) = finger_server(Limits::default()).await;
        assert_eq!(says(addr, b"rsc\r\n").await, "Login: rsc\r\nNo plan.\r\n");
        assert_eq!(says(addr, b"rsc\n").await, "Login: rsc\r\nNo plan.\r\n", "as the talk's client says it");
        assert_eq!(says(addr, b"/W rsc\r\n").await, "Login: rsc\r\nOffice: 6.824\r\nNo plan.\r\n");
        assert_eq!(says(addr, b"\r\n").await, "Nobody.\r\n");
        assert_eq!(says(addr, b"rsc@mit\r\n").await, "finger forwarding service denied\r\n");
        for dangerous in ["-x", "a b", "a;b", "$(reboot)", "../etc/passwd", "a\0b"] {
            let line = format!("{dangerous}\r\n");
            assert_eq!(says(addr, line.as_bytes()).await, format!("{}\r\n", BadQuestion::Name), "{dangerous:?}");
        }
        assert_eq!(says(addr, &[b'a'; 512]).await, "a question is one line of at most 512 bytes\r\n");
    });
}

#[test]
fn a_silent_client_is_left_when_its_time_is_up() {
    on_two_threads(async {
        let limits = Limits { question: time::millis(50), ..Limits::default() };
        let (addr, _stop) = finger_server(limits).await;
        assert_eq!(says(addr, b"rs").await, "");
    });
}

#[test]
fn a_client_asks_one_line_and_takes_no_more_than_it_wants() {
    on_two_threads(async {
        let (addr, _stop) = finger_server(Limits::default()).await;
        let limits = Limits { answer_bytes: 10, ..Limits::default() };
        let conn = async || TcpStream::connect(addr).await.unwrap();
        let answer = finger::ask(conn().await, "rsc", &Limits::default()).await.unwrap();
        assert_eq!(answer, "Login: rsc\nNo plan.\n");
        assert!(matches!(finger::ask(conn().await, "rsc", &limits).await, Err(AskError::TooLong(10))));
        assert!(matches!(finger::ask(conn().await, "a\r\nb", &limits).await, Err(AskError::Name)));
    });
}

proptest! {
    #[test]
    fn a_question_is_a_name_or_an_error(line in "(/W ?)?[-a-z@;. \\t]{0,8}(\r\n|\n)?") {
        if let Ok(question) = Question::parse(&line)
            && let Some(user) = question.user()
        {
            prop_assert!(!user.is_empty() && !user.starts_with('-') && line.contains(user));
            prop_assert!(user.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)));
        }
    }
}
