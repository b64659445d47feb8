//! Bugs of the finger and SMTP services (talks 000 and 001) towards their clients: simulated, over TCP.

use std::sync::Arc;

use windtunnel::go::{self, Channel};
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::signal::{Signal, Signals};
use windtunnel::sync::WaitGroup;
use windtunnel::task::spawn_named;
use windtunnel::time::{Duration, secs, sleep, timeout};
use windtunnel_model::Builder;
use windtunnel_patterns::finger::Question;
use windtunnel_sim::{Node, Sim};

use super::simulated::{Program, Symptom, scenario, simulated};
use super::{Bug, Check, Exhaustive, Expected, Simulated};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &SILENT_CLIENT,
    &STALLED_READER,
    &ACCEPT_FATAL,
    &CRLF_AND_ARGS,
    &IDLE_CONNECTION_LEAK,
    &DRAIN_DEAD_CODE,
    &LISTEN_ERROR_SILENT,
];

const PORT: u16 = 79;

/// As good as none.
const NEVER: Duration = Duration::from_hours(24 * 365);

const SIMULATION: &str = "simulation";

/// A deadlock in which `task` is seen in `wait`.
const fn stuck(id: &'static str, programs: [Program; 2], tasks: &'static [(&'static str, &'static str)]) -> Check {
    let [buggy, mended] = programs;
    let symptom = Symptom { message: "no end within an hour of simulated time", tasks };
    Check::Simulated(Simulated {
        checker: SIMULATION,
        buggy: scenario(id, buggy),
        mended: scenario(id, mended),
        symptom,
    })
}

/// Where a handler says that it has ended.
type Ended = Channel<()>;

/// One line of at most 512 bytes, without its end; `None` if there is none in time.
async fn read_line(stream: &mut TcpStream, deadline: Duration) -> Option<String> {
    let line = async {
        let mut line = Vec::new();
        while line.len() < 512 && !line.ends_with(b"\n") {
            line.push(stream.read_u8().await.ok()?);
        }
        String::from_utf8(line).ok()
    };
    timeout(deadline, line).await.ok().flatten()
}

/// `serveConn`: reads a line and writes what there is to say of that user.
async fn serve_conn(mut stream: TcpStream, ended: Ended, deadline: Duration, answer: Arc<[u8]>) {
    if read_line(&mut stream, deadline).await.is_some() {
        timeout(deadline, stream.write_all(&answer)).await.ok();
    }
    drop(stream);
    ended.send(()).await.expect("it is never closed");
}

/// A server on a node of its own, each handler of which has `deadline` for a read and a write.
fn server(sim: &Sim, ended: &Ended, deadline: Duration, answer: usize) -> Node {
    let (ended, answer) = (ended.clone(), Arc::from(vec![b'.'; answer]));
    sim.node("server", move |node| {
        let (ended, answer) = (ended.clone(), Arc::clone(&answer));
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            while let Ok((stream, _)) = listener.accept().await {
                spawn_named("serveConn", serve_conn(stream, ended.clone(), deadline, Arc::clone(&answer)));
            }
        }
    })
}

/// A client that connects, says `line`, and neither says nor reads more; it ends when the handler has.
async fn client_that_waits(sim: Sim, line: &str, deadline: Duration) {
    let ended = go::named("ended", 1);
    let server = server(&sim, &ended, deadline, 1 << 20);
    sleep(secs(1)).await;
    let mut stream = TcpStream::connect(server.addr(PORT)).await.expect("the server listens");
    stream.write_all(line.as_bytes()).await.expect("the server is there");
    ended.recv().await;
}

static SILENT_CLIENT: Bug = Bug {
    id: "finger-silent-client",
    source: "000:345-352",
    summary: "A client connects and sends no line: its handler waits for the line for ever, and so does one more with each such client.",
    mend: "A deadline for the line, and a limit to its length.",
    check: stuck(
        "finger-silent-client",
        [|sim| Box::pin(client_that_waits(sim, "", NEVER)), |sim| Box::pin(client_that_waits(sim, "", secs(10)))],
        &[("serveConn", "tcp read"), ("main", "channel recv (ended)")],
    ),
};

static STALLED_READER: Bug = Bug {
    id: "finger-stalled-reader",
    source: "000:354-357",
    summary: "A client asks and does not read the answer: when the buffers are full, its handler waits to write for ever.",
    mend: "A deadline for the answer.",
    check: stuck(
        "finger-stalled-reader",
        [
            |sim| Box::pin(client_that_waits(sim, "rsc\r\n", NEVER)),
            |sim| Box::pin(client_that_waits(sim, "rsc\r\n", secs(10))),
        ],
        &[("serveConn", "tcp write"), ("main", "channel recv (ended)")],
    ),
};

static IDLE_CONNECTION_LEAK: Bug = Bug {
    id: "smtp-idle-connection-leak",
    source: "001:123-135",
    summary: "A session ends when its client ends it: one that says nothing more after a while holds its handler for ever.",
    mend: "A deadline for each command.",
    check: stuck(
        "smtp-idle-connection-leak",
        [
            |sim| Box::pin(client_that_waits(sim, "MAIL FROM", NEVER)),
            |sim| Box::pin(client_that_waits(sim, "MAIL FROM", secs(300))),
        ],
        &[("serveConn", "tcp read"), ("main", "channel recv (ended)")],
    ),
};

/// The accept loop: the first accept fails, as when there is no file descriptor left, and the second has a client.
async fn accept_after_an_error(fatal: bool) {
    let (accepts, served) = (go::named("accepts", 0), go::named("served", 1));
    let (listener, answers) = (accepts.clone(), served.clone());
    spawn_named("serve", async move {
        while let Some(accepted) = listener.recv().await {
            match accepted {
                Ok(client) => answers.send(client).await.expect("it is never closed"),
                Err("too many open files") if !fatal => {}
                Err(_) => return,
            }
        }
    });
    for accepted in [Err("too many open files"), Ok("client")] {
        accepts.send(accepted).await.expect("closed below");
    }
    assert_eq!(served.recv().await, Some("client"));
    accepts.close().expect("closed once");
}

static ACCEPT_FATAL: Bug = Bug {
    id: "finger-accept-fatal",
    source: "000:334-340",
    summary: "Any error of accept ends the server: one that would have passed, such as too many open files, is the end as well.",
    mend: "Tell errors apart: wait and try again after one that passes.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(accept_after_an_error(true)),
        mended: || Box::pin(accept_after_an_error(false)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (accepts)")], message: "" },
    }),
};

/// What the command is called with, for lines as real clients send them.
fn arguments(parse: impl Fn(&str) -> Option<String>) {
    assert_eq!(parse("rsc\r\n").as_deref(), Some("rsc"), "the name that the client asked for");
    assert_eq!(parse("-x\r\n"), None, "an option of the command is no name");
}

static CRLF_AND_ARGS: Bug = Bug {
    id: "finger-crlf-and-args",
    source: "000:349-354",
    summary: "Only the line feed is cut off: a client that ends its line as the protocol says asks for another name; and a name may be an option.",
    mend: "Cut off both, and refuse what cannot be a name.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { arguments(|line| line.strip_suffix('\n').map(str::to_owned)) }),
        mended: || Box::pin(async { arguments(|line| Question::parse(line).ok()?.user().map(str::to_owned)) }),
        expected: Expected {
            word: "PANIC",
            tasks: &[("main", "running")],
            message: "the name that the client asked for",
        },
    }),
};

/// A mail server that is told to end while a client is in a session: at once, or when its sessions have ended.
async fn terminated_in_a_session(sim: Sim, drains: bool) {
    let server = sim.node("server", move |node| async move {
        let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
        let mut signals = drains.then(|| Signals::listen([Signal::Terminate]).expect("a simulation has signals"));
        let sessions = WaitGroup::new();
        let accepting = async {
            while let Ok((mut stream, _)) = listener.accept().await {
                sessions.add(1);
                let session = sessions.clone();
                spawn_named("session", async move {
                    while read_line(&mut stream, secs(300)).await.is_some() {
                        stream.write_all(b"250 OK\r\n").await.ok();
                    }
                    session.done();
                });
            }
        };
        match &mut signals {
            Some(signals) => windtunnel::select! {
                () = accepting => {}
                _ = signals.recv() => {}
            },
            // Nobody listens: the process ends where it stands.
            None => accepting.await,
        }
        sessions.wait().await;
    });
    sleep(secs(1)).await;
    let mut stream = TcpStream::connect(server.addr(PORT)).await.expect("the server listens");
    for command in ["HELO", "MAIL"] {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.ok();
        let answer = read_line(&mut stream, secs(60)).await;
        assert!(answer.as_deref() == Some("250 OK\r\n"), "a session in progress is cut off");
        sim.signal(&server, Signal::Terminate);
        sleep(secs(1)).await;
    }
}

static DRAIN_DEAD_CODE: Bug = Bug {
    id: "smtp-drain-dead-code",
    source: "001:85-147",
    summary: "The signal ends main at once: draining is never reached, running sessions are cut off, and nobody is told 421.",
    mend: "On the signal stop accepting, and wait for the running sessions, with a deadline.",
    check: simulated(
        "smtp-drain-dead-code",
        SIMULATION,
        [|sim| Box::pin(terminated_in_a_session(sim, false)), |sim| Box::pin(terminated_in_a_session(sim, true))],
        "a session in progress is cut off",
    ),
};

/// `RunTCP` on a port that another listener has: what its caller learns.
async fn run_on_a_taken_port(sim: Sim, tells: bool) {
    let _other = TcpListener::bind(sim.main().addr(PORT)).await.expect("the port is free on a new node");
    let listening = TcpListener::bind(sim.main().addr(PORT)).await;
    let told = if tells { listening.err() } else { None };
    assert!(told.is_some(), "the service does not run, and nobody is told");
}

static LISTEN_ERROR_SILENT: Bug = Bug {
    id: "smtp-listen-error-silent",
    source: "001:66-70",
    summary: "The port is in use: the service returns without a word, and the program goes on or ends as if all were well.",
    mend: "Return the error.",
    check: simulated(
        "smtp-listen-error-silent",
        SIMULATION,
        [|sim| Box::pin(run_on_a_taken_port(sim, false)), |sim| Box::pin(run_on_a_taken_port(sim, true))],
        "the service does not run, and nobody is told",
    ),
};
