//! Home routers on a simulated network.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use rand::seq::SliceRandom;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::spawn;
use windtunnel::sync::Context;
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Instant};
use windtunnel_patterns::frame::{Frame, FrameError, FrameReader, FrameWriter};
use windtunnel_patterns::http::Http;
use windtunnel_patterns::routers::{Calculator, EventError, Options, Policy, Routers, web};
use windtunnel_patterns::service;
use windtunnel_sim::oracle::sometimes;
use windtunnel_sim::{Sim, faults};

use super::live_tasks_of_patterns;

const PORT: u16 = 840;
const WEB: u16 = 80;
/// The length of a frame's body.
const BODY: usize = 8;

const NODES: u64 = 4;
const ROUTERS: u64 = 2_000;
/// The events of each router are numbered from 1.
const EVENTS: u64 = 2;
/// Routers that a node reports for at once.
const BATCH: usize = 50;

/// The state of a router is the number of its last event. What a device says again is passed over.
struct Last;

impl Calculator for Last {
    type Id = u64;
    type Event = u64;
    type State = u64;

    async fn begin(&self, _router: &u64) -> u64 {
        0
    }

    async fn event(&self, last: &mut u64, number: u64) {
        assert!(number <= *last + 1, "event {number} came after event {last}");
        *last = number.max(*last);
    }
}

/// What has been acknowledged, for each router. It survives the nodes, as a disk would.
#[derive(Clone)]
struct Acknowledged(Arc<Mutex<Vec<u64>>>);

impl Acknowledged {
    fn none() -> Self {
        let routers = usize::try_from(ROUTERS).expect("a few");
        Self(Arc::new(Mutex::new(vec![0; routers])))
    }

    fn with<R>(&self, f: impl FnOnce(&mut [u64]) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn of(&self, router: u64) -> u64 {
        self.with(|last| last[usize::try_from(router).expect("it is one of them")])
    }

    fn note(&self, router: u64, number: u64) {
        self.with(|last| {
            let last = &mut last[usize::try_from(router).expect("it is one of them")];
            *last = number.max(*last);
        });
    }

    fn is_complete(&self) -> bool {
        self.with(|last| last.iter().all(|number| *number == EVENTS))
    }
}

fn number(body: &[u8]) -> u64 {
    u64::from_be_bytes(body.try_into().expect("a body has a number"))
}

/// Hands in what comes over a connection, and acknowledges each event once it was accepted.
async fn receive(stream: TcpStream, routers: Arc<Routers<Last>>) -> Result<(), FrameError> {
    let (input, output) = stream.into_split();
    let (mut frames, mut acks) = (FrameReader::new(input, BODY), FrameWriter::new(output, BODY));
    while let Some(frame) = frames.next().await? {
        routers.event(frame.tag, number(&frame.body)).await.expect("they are not stopped");
        acks.write(&frame).await?;
    }
    Ok(())
}

/// The devices of a node: they report until all that they have to say was acknowledged.
async fn devices(server: SocketAddr, routers: Vec<u64>, acknowledged: Acknowledged) {
    loop {
        if let Ok(Ok(stream)) = time::timeout(time::secs(1), TcpStream::connect(server)).await {
            match time::timeout(time::secs(5), report(stream, routers.clone(), &acknowledged)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::debug!("{error}"),
                Err(time::Elapsed) => tracing::debug!("no acknowledgement for too long"),
            }
        }
        time::sleep(time::millis(100)).await;
    }
}

async fn report(stream: TcpStream, mut routers: Vec<u64>, acknowledged: &Acknowledged) -> Result<(), FrameError> {
    let (input, output) = stream.into_split();
    let (mut acks, mut frames) = (FrameReader::new(input, BODY), FrameWriter::new(output, BODY));
    routers.shuffle(&mut rng());
    for batch in routers.chunks(BATCH) {
        let mut under_way = 0;
        for &router in batch {
            for number in acknowledged.of(router) + 1..=EVENTS {
                let body = number.to_be_bytes().to_vec().into();
                frames.write(&Frame { kind: 0, tag: router, body }).await?;
                under_way += 1;
            }
        }
        for _ in 0..under_way {
            let ack = acks.next().await?.ok_or(FrameError::Truncated)?;
            acknowledged.note(ack.tag, number(&ack.body));
        }
    }
    Ok(())
}

/// A client of the web server that keeps its connection.
pub struct Browser(TcpStream);

impl Browser {
    /// A connection to the server at `addr`.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.expect("the server is up"))
    }

    /// The status of the answer to a request with this first line, and the line that is its body.
    pub async fn ask(&mut self, request: &str) -> (u16, String) {
        let request = format!("{request} HTTP/1.1\r\nHost: here\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.expect("the connection is kept");
        let mut answer = String::new();
        let mut bytes = [0; 512];
        loop {
            if let Some((head, body)) = answer.split_once("\r\n\r\n").filter(|(_, body)| body.ends_with('\n')) {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                return (status.expect("a status"), body.trim_end().to_owned());
            }
            let read = self.0.read(&mut bytes).await.expect("an answer");
            assert!(read > 0, "the connection is kept");
            answer.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
        }
    }

    /// The last event of `router` that is known.
    async fn last_of(&mut self, router: u64) -> u64 {
        match self.ask(&format!("GET /routers/{router}")).await {
            (200, number) => number.parse().expect("a number"),
            (404, _) => 0,
            other => panic!("{other:?}"),
        }
    }
}

/// The operator of 2,000 routers looks at them while they report and their links fail: what was acknowledged is in each answer, and
/// in the end all is. Events of a router that change places fail the run.
#[windtunnel_sim::test(seeds = 4)]
pub async fn every_acknowledged_event_is_in_the_state_of_its_router(sim: Sim) {
    let (routers, acknowledged) = (Arc::new(Routers::new(Options::default(), Last)), Acknowledged::none());
    let told = Arc::clone(&routers);
    let server = sim.node("server", move |node| {
        let routers = Arc::clone(&told);
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            while let Ok((stream, _)) = listener.accept().await {
                spawn_named("connection", receive(stream, Arc::clone(&routers)));
            }
        }
    });
    let listener = TcpListener::bind(sim.main().addr(WEB)).await.expect("the port is free");
    let (asked, stop) = (Arc::clone(&routers), Context::named("stop"));
    let http = Http::new(time::secs(3600), move |request| web::answer(Arc::clone(&asked), request));
    let serving = spawn(service::serve(listener, http, service::Options::default(), stop.clone()));
    let (addr, noted) = (server.addr(PORT), acknowledged.clone());
    let nodes: Vec<_> = (0..NODES)
        .map(|first| {
            let (routers, noted): (Vec<_>, _) = ((first..ROUTERS).step_by(4).collect(), noted.clone());
            sim.node(format!("home{first}"), move |_| devices(addr, routers.clone(), noted.clone()))
        })
        .collect();
    sim.faults(faults::any().on(&nodes).on_ports([PORT]).healed_by(time::secs(5)));
    let mut browser = Browser::connect(sim.main().addr(WEB)).await;
    let begin = Instant::now();
    while !acknowledged.is_complete() {
        assert!(begin.elapsed() < time::secs(60), "all is well, and something is not acknowledged");
        let router = rng().random_range(0..ROUTERS);
        let before = acknowledged.of(router);
        let last = browser.last_of(router).await;
        assert!((before..=EVENTS).contains(&last), "router {router}: {before} acknowledged, {last} known");
        time::sleep(time::millis(10)).await;
    }
    assert_eq!(browser.ask("GET /routers").await, (200, format!("{{\"count\":{ROUTERS}}}")));
    for router in 0..ROUTERS {
        assert_eq!(browser.last_of(router).await, EVENTS);
    }
    routers.stop().await;
    assert_eq!(browser.ask("GET /routers/1").await.0, 503);
    stop.cancel();
    serving.await.expect("it ends");
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// Counts events; the counts of routers that have ended are kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<HashMap<u64, u64>>>);

impl Kept {
    fn of(&self, router: u64) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&router).copied().unwrap_or(0)
    }
}

impl Calculator for Kept {
    type Id = u64;
    type Event = ();
    type State = u64;

    async fn begin(&self, router: &u64) -> u64 {
        let count = self.of(*router);
        sometimes("a router that had ended begins anew", count > 0);
        count
    }

    async fn event(&self, count: &mut u64, (): ()) {
        time::sleep(time::millis(rng().random_range(0..20))).await;
        *count += 1;
    }

    async fn end(&self, router: &u64, count: u64) {
        time::sleep(time::millis(rng().random_range(0..50))).await;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*router, count);
    }
}

/// Routers that end whenever they are idle and begin with what was kept: each event that was accepted counts once.
#[windtunnel_sim::test(seeds = 64)]
pub async fn routers_that_end_and_begin_anew_lose_nothing(_sim: Sim) {
    let policies = [Policy::Wait(0), Policy::Wait(2), Policy::Drop(NonZeroUsize::MIN)];
    let policy = policies[rng().random_range(0..policies.len())];
    let (kept, idle) = (Kept::default(), Some(time::millis(rng().random_range(1..40))));
    let routers = Arc::new(Routers::new(Options { policy, idle, ..Options::default() }, kept.clone()));
    let sources = (0..3).map(|_| {
        let routers = Arc::clone(&routers);
        spawn_named("source", async move {
            let mut accepted = [0; 3];
            for _ in 0..30 {
                let router = rng().random_range(0..accepted.len());
                match routers.event(router as u64, ()).await {
                    Ok(()) => accepted[router] += 1,
                    Err(EventError::Lost(())) => assert!(matches!(policy, Policy::Drop(_))),
                    Err(error) => panic!("{error}"),
                }
                time::sleep(time::millis(rng().random_range(0..40))).await;
            }
            accepted
        })
    });
    let mut accepted = [0; 3];
    for source in sources.collect::<Vec<_>>() {
        let of_source = source.await.expect("it ends");
        accepted.iter_mut().zip(of_source).for_each(|(all, of_source)| *all += of_source);
    }
    assert_eq!(accepted.iter().sum::<u64>() + routers.lost().await, 3 * 30);
    routers.stop().await;
    assert_eq!([0, 1, 2].map(|router| kept.of(router)), accepted);
    assert_eq!(live_tasks_of_patterns(), 0);
}
