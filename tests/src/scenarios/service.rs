//! Services on simulated TCP: a full one, one that drains, one whose clients fail; and finger on top of it.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use windtunnel::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::select;
use windtunnel::sync::Context;
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::finger::{self, Finger, Limits, Question};
use windtunnel_patterns::service::{Drained, Listener, Options, Service, serve};
use windtunnel_sim::{Node, Sim, faults};

use super::live_tasks_of_patterns;

const PORT: u16 = 79;

/// Answers each line with itself. Told to drain, it answers the line under way and says goodbye.
struct Echo;

impl Service<TcpStream> for Echo {
    async fn handle(&self, mut stream: TcpStream, draining: Context) {
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        loop {
            let line = select! {
                biased;
                line = lines.next_line() => line,
                _ = draining.cancelled() => Ok(Some("goodbye".to_owned())),
            };
            let Ok(Some(line)) = line else { return };
            if writer.write_all(format!("{line}\n").as_bytes()).await.is_err() || line == "goodbye" {
                return;
            }
        }
    }

    async fn refuse(&self, mut stream: TcpStream) {
        stream.write_all(b"421\n").await.ok();
    }
}

/// A node that serves until `stop` is cancelled, and sends how it ended.
fn server(sim: &Sim, options: &Options, stop: &Context) -> (Node, windtunnel::Receiver<Drained>) {
    let (ended, how) = windtunnel::channel(1);
    let (options, stop) = (options.clone(), stop.clone());
    let node = sim.node("server", move |node| {
        let (options, stop, ended) = (options.clone(), stop.clone(), ended.clone());
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            ended.send(serve(listener, Echo, options, stop).await).await.ok();
        }
    });
    (node, how)
}

/// Says lines at `addr` until the server says something else; gives that, or how the connection broke.
async fn converse(addr: SocketAddr, pause: Duration) -> io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(addr).await?);
    loop {
        let mut answer = String::new();
        stream.write_all(b"line\n").await?;
        stream.read_line(&mut answer).await?;
        if answer != "line\n" {
            return Ok(answer);
        }
        time::sleep(pause).await;
    }
}

fn options(connections: usize, drain: Duration) -> Options {
    Options { connections: NonZeroUsize::new(connections).expect("one at least"), drain }
}

/// A service drains: running sessions end with a goodbye, who comes later is told, and it ends as soon as they have.
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_service_that_drains_lets_sessions_end_and_sends_others_away(sim: Sim) {
    let stop = Context::named("stop");
    let (node, how) = server(&sim, &options(10, time::secs(30)), &stop);
    time::sleep(time::millis(10)).await;
    let addr = node.addr(PORT);
    let sessions: Vec<_> = (0..5).map(|n| spawn_named("session", converse(addr, time::millis(100 + n)))).collect();
    // It answers nothing, and so holds the service open while others come.
    let silent = TcpStream::connect(addr).await.expect("it listens");
    time::sleep(time::millis(rng().random_range(100..2_000))).await;
    let start = Instant::now();
    stop.cancel();
    for session in sessions {
        assert_eq!(session.await.expect("nobody aborts it").expect("it does not break"), "goodbye\n");
    }
    drop(silent);
    assert_eq!(how.recv().await, Some(Drained { cut_off: 0 }));
    assert!(start.elapsed() < time::secs(1), "{:?}", start.elapsed());
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// Holds its connections whatever it is told, and answers late ones with a number.
struct Stubborn;

impl Service<TcpStream> for Stubborn {
    async fn handle(&self, mut stream: TcpStream, _draining: Context) {
        stream.read_u8().await.ok();
    }

    async fn refuse(&self, mut stream: TcpStream) {
        stream.write_all(b"421\n").await.ok();
    }
}

/// Sessions that do not end are cut off at the deadline; until then who comes is told so.
#[windtunnel_sim::test(seeds = 64)]
pub async fn sessions_that_do_not_end_are_cut_off_at_the_deadline(sim: Sim) {
    let (stop, drain) = (Context::named("stop"), time::secs(5));
    let (options, stopping) = (options(10, drain), stop.clone());
    let listener = TcpListener::bind(sim.main().addr(PORT)).await.expect("the port is free");
    let serving = spawn_named("service", serve(listener, Stubborn, options, stop));
    let addr = sim.main().addr(PORT);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(addr).await.expect("it listens"));
    }
    time::sleep(time::millis(10)).await;
    let start = Instant::now();
    stopping.cancel();
    for _ in 0..4 {
        time::sleep(time::secs(1)).await;
        let mut told = String::new();
        TcpStream::connect(addr).await.expect("it listens").read_to_string(&mut told).await.expect("it is told");
        assert_eq!(told, "421\n");
    }
    assert_eq!(serving.await, Ok(Drained { cut_off: 3 }));
    assert_eq!(start.elapsed().as_secs(), drain.as_secs());
    assert_eq!(live_tasks_of_patterns(), 0);
    assert!(TcpStream::connect(addr).await.is_err(), "it listens no more");
}

/// Whatever befalls the clients, the service ends within its deadline, and with it every task.
#[windtunnel_sim::test(seeds = 128)]
pub async fn clients_in_trouble_do_not_keep_a_service_from_its_end(sim: Sim) {
    let stop = Context::named("stop");
    let drain = time::secs(5);
    let (node, how) = server(&sim, &options(3, drain), &stop);
    let addr = node.addr(PORT);
    let clients = sim.nodes("client", 4, move |_| async move {
        loop {
            converse(addr, time::millis(200)).await.ok();
            time::sleep(time::millis(200)).await;
        }
    });
    sim.faults(faults::any().on(&clients).healed_by(time::secs(20)));
    time::sleep(time::millis(rng().random_range(1_000..20_000))).await;
    let start = Instant::now();
    stop.cancel();
    how.recv().await.expect("the server is well");
    assert!(start.elapsed() <= drain + time::millis(10), "{:?}", start.elapsed());
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// A listener that has run out of files, and comes to itself again after ten seconds.
struct OutOfFiles {
    tries: Arc<AtomicUsize>,
    until: Instant,
}

impl Listener for OutOfFiles {
    type Conn = ();

    async fn accept(&self) -> io::Result<()> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        if Instant::now() < self.until {
            return Err(io::Error::other("too many open files"));
        }
        std::future::pending().await
    }
}

struct Nothing;

impl Service<()> for Nothing {
    async fn handle(&self, (): (), _draining: Context) {}
}

/// A listener that goes on failing is tried ever more seldom, and not in a loop (census `tcp-accept-error-spin`).
#[windtunnel_sim::test(seeds = 4)]
pub async fn a_listener_that_fails_is_tried_ever_more_seldom(_sim: Sim) {
    let tries = Arc::new(AtomicUsize::new(0));
    let listener = OutOfFiles { tries: Arc::clone(&tries), until: Instant::now() + time::secs(10) };
    let stop = Context::named("stop").child_with_timeout(time::secs(20));
    serve(listener, Nothing, Options::default(), stop).await;
    // Eight tries in the first 1.3 seconds, then one a second; one when it drains.
    assert!((16..20).contains(&tries.load(Ordering::Relaxed)), "{tries:?}");
}

/// Users say who they are whatever happens to other clients: those that say nothing, much, or break off take no place for long
/// (census `finger-silent-client`, `finger-stalled-reader`).
#[windtunnel_sim::test(seeds = 64)]
pub async fn finger_answers_beside_clients_that_are_silent_or_stalled(sim: Sim) {
    let answer = |question: Question| async move {
        match question.user() {
            Some("big") => "x".repeat(1 << 20),
            Some(user) => format!("Login: {user}"),
            None => "nobody".to_owned(),
        }
    };
    let stop = Context::named("stop");
    let stopping = stop.clone();
    let server = sim.node("server", move |node| {
        let (stop, finger) = (stop.clone(), Finger::new(Limits::default(), answer));
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            serve(listener, finger, options(2, time::secs(60)), stop).await;
        }
    });
    time::sleep(time::millis(10)).await;
    let addr = server.addr(PORT);
    let _silent = TcpStream::connect(addr).await.expect("it listens");
    let mut stalled = TcpStream::connect(addr).await.expect("it listens");
    stalled.write_all(b"big\r\n").await.expect("it is short");
    let limits = Limits { answer: time::secs(100), ..Limits::default() };
    let conn = TcpStream::connect(addr).await.expect("it listens");
    let start = Instant::now();
    assert_eq!(finger::ask(conn, "rsc", &limits).await.expect("it has its turn"), "Login: rsc\n");
    assert!(start.elapsed() <= time::secs(11), "the silent one is gone after ten: {:?}", start.elapsed());
    let conn = TcpStream::connect(addr).await.expect("it listens");
    assert!(matches!(finger::ask(conn, "big", &limits).await, Err(finger::AskError::TooLong(65_536))));
    time::sleep(time::secs(60)).await;
    stopping.cancel();
    time::sleep(time::millis(100)).await;
    assert_eq!(live_tasks_of_patterns(), 0, "the stalled one is gone after thirty");
}
