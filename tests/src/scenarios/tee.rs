//! A tee to mirrors on a network in trouble.

use std::sync::{Arc, Mutex, PoisonError};

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::tee::{OnError, Options, Tee, WriterError};
use windtunnel_sim::{Node, Sim, faults, oracle};

const PORT: u16 = 830;
const PATIENCE: Duration = time::secs(1);
const MIRRORS: usize = 3;

/// What each mirror has read of its connection, and how many of them ended.
#[derive(Default)]
struct Read {
    bytes: Mutex<[Vec<u8>; MIRRORS]>,
    ended: Mutex<[bool; MIRRORS]>,
}

impl Read {
    fn take(&self, mirror: usize, bytes: &[u8]) {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)[mirror].extend_from_slice(bytes);
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)[mirror] = bytes.is_empty();
    }
}

/// Mirrors that take what comes, after `pause` for each piece of it.
fn mirrors(sim: &Sim, pause: fn(usize) -> Duration) -> (Vec<Node>, Arc<Read>) {
    let read = Arc::<Read>::default();
    let mirror = |number: usize| {
        let read = Arc::clone(&read);
        sim.node(format!("mirror{number}"), move |node| {
            let read = Arc::clone(&read);
            async move {
                let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
                while let Ok((mut stream, _)) = listener.accept().await {
                    let read = Arc::clone(&read);
                    spawn_named("connection", async move {
                        let mut bytes = vec![0; 65_536];
                        while let Ok(count) = stream.read(&mut bytes).await {
                            read.take(number, &bytes[..count]);
                            if count == 0 {
                                return;
                            }
                            time::sleep(pause(number)).await;
                        }
                    });
                }
            }
        })
    };
    ((0..MIRRORS).map(mirror).collect(), read)
}

async fn tee_to(nodes: &[Node], options: Options) -> Tee<TcpStream> {
    time::sleep(time::millis(10)).await;
    let mut streams = Vec::new();
    for node in nodes {
        streams.push(TcpStream::connect(node.addr(PORT)).await.expect("it listens"));
    }
    Tee::new(streams, options)
}

/// What is written: each byte tells where it is.
fn text(bytes: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(bytes).collect()
}

/// Whatever befalls the mirrors, writing goes on: each has a prefix; one that is not left out has all; no write waits longer than its
/// patience allows.
#[windtunnel_sim::test(seeds = 128)]
pub async fn mirrors_in_trouble_are_left_out(sim: Sim) {
    let (nodes, read) = mirrors(&sim, |_| Duration::ZERO);
    let options = Options { on_error: OnError::LeaveOut, patience: Some(PATIENCE) };
    let mut tee = tee_to(&nodes, options).await;
    sim.faults(faults::any().on_minority_of(&nodes).healed_by(time::secs(30)));
    let text = text(400_000);
    for piece in text.chunks(4_000) {
        let start = Instant::now();
        tee.write_all(piece).await.expect("a majority is well");
        tee.flush().await.expect("a majority is well");
        // Either of the two may wait.
        assert!(start.elapsed() <= 2 * PATIENCE + time::millis(1), "{:?}", start.elapsed());
        time::sleep(time::millis(200)).await;
    }
    tee.shutdown().await.expect("a majority is well");
    let failed: Vec<_> = tee.failures().iter().map(|failure| failure.writer).collect();
    drop(tee);
    time::sleep(time::secs(30)).await;
    let (bytes, ended) = (&*read.bytes.lock().unwrap_or_else(PoisonError::into_inner), &read.ended);
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    for (number, bytes) in bytes.iter().enumerate() {
        assert!(text.starts_with(bytes), "mirror {number} has something else");
        // A connection that broke in the end, behind all that was sent, is nobody's failure.
        let is_whole = failed.contains(&number) || !ended[number] || bytes.len() == text.len();
        assert!(is_whole, "mirror {number} was not left out and has {} bytes", bytes.len());
    }
    oracle::sometimes("a mirror is left out", !failed.is_empty());
    oracle::sometimes("all stay", failed.is_empty());
}

/// A mirror that hangs is left out when the patience with it is over, and the others are as quick as before.
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_mirror_that_hangs_costs_its_patience_once(sim: Sim) {
    let (nodes, read) = mirrors(&sim, |number| if number == 1 { time::secs(1_000) } else { Duration::ZERO });
    let options = Options { on_error: OnError::LeaveOut, patience: Some(PATIENCE) };
    let mut tee = tee_to(&nodes, options).await;
    let (text, start) = (text(1 << 20), Instant::now());
    tee.write_all(&text).await.expect("two are well");
    tee.shutdown().await.expect("two are well");
    assert!((PATIENCE..PATIENCE + time::secs(5)).contains(&start.elapsed()), "{:?}", start.elapsed());
    let [failure] = tee.failures() else { panic!("{:?}", tee.failures()) };
    assert!(failure.writer == 1 && matches!(failure.error, WriterError::TooSlow(PATIENCE)), "{failure}");
    drop(tee);
    time::sleep(time::secs(10)).await;
    let bytes = read.bytes.lock().unwrap_or_else(PoisonError::into_inner);
    assert!([0, 2].iter().all(|mirror| bytes[*mirror] == text));
}
