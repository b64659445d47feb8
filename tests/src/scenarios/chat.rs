//! Chat clients on a network in trouble.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use windtunnel::channel;
use windtunnel::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::sync::{Cause, Context};
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::chat::{self, Ended, Event, Handler};
use windtunnel_sim::{Node, Sim, faults, oracle};

const PORT: u16 = 840;
const PERIOD: Duration = time::millis(500);

/// Says each line back.
fn server(sim: &Sim) -> Node {
    sim.node("server", |node| async move {
        let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
        while let Ok((mut stream, _)) = listener.accept().await {
            spawn_named("connection", async move {
                let (read, mut write) = stream.split();
                windtunnel::io::copy(&mut BufReader::new(read), &mut write).await
            });
        }
    })
}

/// What a client's screen shows.
#[derive(Default)]
struct Screen {
    typed: AtomicUsize,
    said: AtomicUsize,
    ticks: AtomicUsize,
}

/// Sends what is typed; takes `pause` for each event.
struct Client {
    screen: Arc<Screen>,
    server: Option<windtunnel::net::OwnedWriteHalf>,
    pause: Duration,
    busy: bool,
}

impl Handler<usize, usize> for Client {
    async fn handle(&mut self, event: Event<usize, usize>) -> ControlFlow<()> {
        assert!(!std::mem::replace(&mut self.busy, true), "one event at a time");
        match event {
            Event::Ui(number) => {
                assert_eq!(number, self.screen.typed.fetch_add(1, Ordering::Relaxed), "in order");
                if let Some(server) = &mut self.server
                    && server.write_all(format!("{number}\n").as_bytes()).await.is_err()
                {
                    self.server = None;
                }
            }
            Event::Server(number) => {
                assert_eq!(number, self.screen.said.fetch_add(1, Ordering::Relaxed), "in order, and sent by somebody");
            }
            Event::Tick(_) => drop(self.screen.ticks.fetch_add(1, Ordering::Relaxed)),
        }
        time::sleep(self.pause).await;
        self.busy = false;
        ControlFlow::Continue(())
    }
}

/// Types numbers for ever, or as long as somebody listens, and reads those that the server says back. The loop of it all is `chat`.
async fn chat(stream: TcpStream, screen: Arc<Screen>, quit: Context) -> Ended {
    let (typing, ui) = channel::named("ui", 0);
    let (saying, server) = channel::named("server", 4);
    spawn_named("ui", async move {
        for number in 0.. {
            time::sleep(time::millis(rng().random_range(1..100))).await;
            if typing.send(number).await.is_err() {
                return;
            }
        }
    });
    let (read, write) = stream.into_split();
    spawn_named("server", async move {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let number = line.parse().expect("a whole line that was sent");
            if saying.send(number).await.is_err() {
                return;
            }
        }
    });
    let client = Client { screen, server: Some(write), pause: time::millis(5), busy: false };
    chat::run(ui, server, PERIOD, &quit, client).await
}

/// Whatever befalls the server, a client shows what is typed and ticks on time; and told to quit, it ends at once and its tasks with it.
#[windtunnel_sim::test(seeds = 128)]
pub async fn a_client_lives_on_whatever_befalls_its_server(sim: Sim) {
    let node = server(&sim);
    time::sleep(time::millis(10)).await;
    let (screen, quit) = (Arc::<Screen>::default(), Context::named("quit"));
    let stream = TcpStream::connect(node.addr(PORT)).await.expect("it listens");
    let chat = spawn_named("chat", chat(stream, Arc::clone(&screen), quit.clone()));
    sim.faults(faults::any().on(std::slice::from_ref(&node)).healed_by(time::secs(10)));
    time::sleep(time::secs(10)).await;
    let seen = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let (typed, said, ticks) = (seen(&screen.typed), seen(&screen.said), seen(&screen.ticks));
    assert!((15..=20).contains(&ticks), "{ticks} ticks in ten seconds");
    assert!(typed > 100 && said <= typed, "{typed} typed, {said} said");
    oracle::sometimes("the server is heard to the end", said + 10 > typed);
    oracle::sometimes("the server is not heard for long", said + 50 < typed);
    let start = Instant::now();
    quit.cancel();
    assert_eq!(chat.await, Ok(Ended::Quit(Cause::Cancelled)));
    assert!(start.elapsed() <= time::millis(6), "{:?}", start.elapsed());
}
