//! A mail over a pipe, under every interleaving of a few. Each limit of time may pass at any moment. The client says all at once, as
//! PIPELINING allows, and then reads. Client and server are tasks of their own, since loom gives those more stack than main.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::sync::Context;
use windtunnel::task::spawn_named;
use windtunnel::time;
use windtunnel_patterns::pipe::{Pipe, pipe};
use windtunnel_patterns::service::{Drained, Options, Service, serve};
use windtunnel_patterns::smtp::{Limits, Mail, Refusal, Smtp};

use super::Once;

/// Replies that fit on their way to the client, so that the server need not wait for it.
const ROOM: usize = 8;
const TALK: &[u8] = b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n";

/// Counts the mails, each of which must be whole.
#[derive(Clone, Default)]
struct Delivered(Arc<AtomicUsize>);

impl Delivered {
    fn server(&self) -> Smtp<impl Fn(Mail) -> std::future::Ready<Result<(), Refusal>> + Clone + use<>> {
        let count = self.clone();
        Smtp::new("s", Limits::default(), move |mail: Mail| {
            assert_eq!((&*mail.from, &*mail.to.concat(), &*mail.text), ("a", "b", &b"hi\r\n"[..]));
            count.0.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(()))
        })
    }

    /// An accepted mail was delivered: the codes that the client heard say so with the fifth of them.
    fn check(&self, heard: &[String]) {
        let whole = ["220", "250", "250", "354", "250", "221"];
        let late = heard.last().is_some_and(|code| code == "421");
        let answers = &heard[..heard.len() - usize::from(late)];
        assert!(whole[..answers.len()] == *answers, "{heard:?}");
        let delivered = self.0.load(Ordering::Relaxed);
        assert!(delivered == 1 || (delivered == 0 && answers.len() < 5), "accepted and not delivered: {heard:?}");
    }
}

/// Sends the mail, and gives the codes of all replies, until the server closes.
async fn send(mut conn: Pipe) -> Vec<String> {
    let mut replies = Vec::new();
    // A server that is gone may have said why.
    if conn.write_all(TALK).await.is_ok() {
        conn.flush().await.ok();
    }
    conn.read_to_end(&mut replies).await.expect("a pipe that ends has no error");
    String::from_utf8_lossy(&replies).lines().map(|line| line[..3].to_owned()).collect()
}

fn options() -> Options {
    Options { connections: NonZeroUsize::MIN, drain: time::secs(1) }
}

/// A mail is accepted once it was delivered whole, or a limit of time has passed; either way both sides end.
#[windtunnel_model::test(preemptions = 2)]
pub async fn a_mail_is_delivered_before_it_is_accepted() {
    let (delivered, (here, there)) = (Delivered::default(), pipe(ROOM));
    let server = delivered.server();
    let serving = spawn_named("server", async move { server.handle(there, Context::new()).await });
    let sending = spawn_named("client", send(here));
    delivered.check(&sending.await.expect("nobody aborts it"));
    serving.await.expect("nobody aborts it");
}

/// The service is to stop at any moment: the mail is accepted and delivered, or it is not and the client knows.
#[windtunnel_model::test(preemptions = 1)]
pub async fn drained_at_any_moment_it_ends() {
    let (delivered, (here, there)) = (Delivered::default(), pipe(ROOM));
    let stop = Context::named("stop");
    let serving = spawn_named("service", serve(Once::new(there), delivered.server(), options(), stop.clone()));
    let sending = spawn_named("client", send(here));
    stop.cancel();
    delivered.check(&sending.await.expect("nobody aborts it"));
    assert!(matches!(serving.await, Ok(Drained { cut_off: 0 | 1 })));
}

/// Dropped at any moment, it leaves no connection behind, and the client is not kept waiting.
#[windtunnel_model::test(preemptions = 1)]
pub async fn dropped_it_leaves_no_task() {
    let (delivered, (here, there)) = (Delivered::default(), pipe(ROOM));
    let serving = serve(Once::new(there), delivered.server(), options(), Context::named("stop"));
    let serving = spawn_named("service", time::timeout(time::secs(1), serving));
    let sending = spawn_named("client", send(here));
    assert_eq!(serving.await, Ok(Err(time::Elapsed)));
    delivered.check(&sending.await.expect("nobody aborts it"));
}

/// A mail whose limits of time are the server's: it is accepted once it was delivered whole.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn a_mail_in_time() {
    let (delivered, (here, there)) = (Delivered::default(), pipe(ROOM));
    let server = delivered.server();
    let serving = spawn_named("server", async move { server.handle(there, Context::new()).await });
    let sending = spawn_named("client", send(here));
    delivered.check(&sending.await.expect("nobody aborts it"));
    serving.await.expect("nobody aborts it");
}
