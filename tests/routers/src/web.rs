//! The queries: a server, and clients that keep their connections.

use std::net::SocketAddr;
use std::sync::Arc;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::sync::Context;
use windtunnel::task::JoinHandle;
use windtunnel::{spawn, time};
use windtunnel_patterns::http::Http;
use windtunnel_patterns::routers::{Routers, web};
use windtunnel_patterns::service::{self, Drained};

use super::Counter;

pub struct Server {
    pub addr: SocketAddr,
    stop: Context,
    serving: JoinHandle<Drained>,
}

pub async fn serve(routers: &Arc<Routers<Counter>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (addr, stop) = (listener.local_addr().expect("it has one"), Context::named("stop"));
    let routers = Arc::clone(routers);
    let http = Http::new(time::secs(3600), move |request| web::answer(Arc::clone(&routers), request));
    let serving = spawn(service::serve(listener, http, service::Options::default(), stop.clone()));
    Server { addr, stop, serving }
}

impl Server {
    pub async fn stop(self) {
        self.stop.cancel();
        assert_eq!(self.serving.await, Ok(Drained { cut_off: 0 }));
    }
}

/// A query for each of `count` routers; each answers with `state`.
pub async fn ask_for_all(addr: SocketAddr, count: u64, connections: u64, state: u64) {
    let client = |number| spawn(ask_for(addr, (number..count).step_by(connections.try_into().expect("a few")), state));
    for client in (0..connections).map(client).collect::<Vec<_>>() {
        client.await.expect("its answers are right");
    }
}

async fn ask_for(addr: SocketAddr, routers: impl Iterator<Item = u64>, state: u64) {
    let mut stream = TcpStream::connect(addr).await.expect("the server is up");
    let mut answer = Vec::new();
    for router in routers {
        let request = format!("GET /routers/{router} HTTP/1.1\r\nHost: here\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the connection is kept");
        answer.clear();
        while !is_whole(&answer) {
            assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0, "the connection is kept");
        }
        let answer = std::str::from_utf8(&answer).expect("text");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&format!("\r\n\r\n{state}\n")),
            "{answer}"
        );
    }
}

/// Whether `answer` has its head and a line.
fn is_whole(answer: &[u8]) -> bool {
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").map(|head| &answer[head + 4..]);
    body.is_some_and(|body| body.ends_with(b"\n"))
}
