//! `/debug/tasks`: a hundred leaked tasks in its top row, on a live program, for a client that speaks HTTP.

use serde_json::Value;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::sync::Context;
use windtunnel::task::spawn_named;
use windtunnel::time::Instant;
use windtunnel::{go, spawn, time};
use windtunnel_patterns::debug;
use windtunnel_patterns::http::{Http, Request, Response};
use windtunnel_patterns::service::{Drained, Options, serve};

use crate::common::{on_one_thread, on_two_threads, simulate};

const LEAKED: usize = 100;

/// The status and the body of the answer to a request with this first line.
async fn ask(addr: std::net::SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream
        .write_all(format!("{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().expect("a status").to_owned(), body.to_owned())
}

/// Hints 9 and 10, look at the tasks of a live program: the talk's x.go, whose hundred tasks all wait to send (census A5.7, `xgo-leak`).
async fn leaks_are_in_the_top_row(addr: std::net::SocketAddr) {
    let c = go::named::<u8>("c", 0);
    for _ in 0..LEAKED {
        let c = c.clone();
        spawn(async move { c.send(1).await });
    }
    let listener = TcpListener::bind(addr).await.unwrap();
    let (addr, stop) = (listener.local_addr().unwrap(), Context::named("stop"));
    let http = Http::new(time::secs(60), debug::answer);
    let serving = spawn_named("debug", serve(listener, http, Options::default(), stop.clone()));
    // Until each has come to its send.
    time::sleep(time::millis(50)).await;
    let (status, text) = ask(addr, "GET /debug/tasks").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let mut lines = text.lines();
    let total = lines.next().and_then(|line| line.strip_suffix(" tasks")).expect("the total is on top");
    assert!(
        lines.next().is_some_and(|row| row.starts_with("100 × channel send (c)") && row.contains("debug.rs")),
        "{text}"
    );
    assert!(total.parse::<usize>().is_ok_and(|total| total > LEAKED), "{text}");
    let (status, json) = ask(addr, "GET /debug/tasks?format=json").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let json: Value = serde_json::from_str(&json).expect("an object");
    assert_eq!(
        (&json["groups"][0]["count"], &json["groups"][0]["waits"]),
        (&LEAKED.into(), &"channel send (c)".into())
    );
    let counts = json["groups"].as_array().expect("an array").iter().map(|group| group["count"].as_u64().unwrap());
    assert_eq!(json["total"].as_u64(), Some(counts.sum()));
    for (request, expected) in [
        ("GET /", "404 Not Found"),
        ("GET /debug/tasks?x", "404 Not Found"),
        ("POST /debug/tasks", "405 Method Not Allowed"),
    ] {
        assert_eq!(ask(addr, request).await.0, format!("HTTP/1.1 {expected}"), "{request}");
    }
    assert_eq!(ask(addr, "nonsense").await.0, "HTTP/1.1 400 Bad Request");
    stop.cancel();
    assert_eq!(serving.await, Ok(Drained { cut_off: 0 }));
    c.close().unwrap();
}

#[test]
fn a_hundred_leaked_tasks_are_in_the_top_row_of_a_live_program() {
    on_two_threads(leaks_are_in_the_top_row("127.0.0.1:0".parse().unwrap()));
    on_one_thread(leaks_are_in_the_top_row("127.0.0.1:0".parse().unwrap()));
}

#[test]
fn a_hundred_leaked_tasks_are_in_the_top_row_of_a_simulated_cluster() {
    simulate("leaks", |sim| {
        let addr = sim.main().addr(6060);
        Box::pin(leaks_are_in_the_top_row(addr))
    });
}

/// Says after a second which path was asked for.
async fn slow_answer(request: Request) -> Response {
    time::sleep(time::secs(1)).await;
    Response::new(request.uri().path().to_owned())
}

#[test]
fn a_connection_ends_at_its_limit_and_with_the_answer_under_way_when_the_service_drains() {
    simulate("http", |sim| {
        let addr = sim.main().addr(80);
        Box::pin(async move {
            let (listener, stop) = (TcpListener::bind(addr).await.unwrap(), Context::named("stop"));
            let http = Http::new(time::secs(60), slow_answer);
            let serving = spawn_named("http", serve(listener, http, Options::default(), stop.clone()));
            let (start, mut silent) = (Instant::now(), TcpStream::connect(addr).await.unwrap());
            assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
            assert_eq!(start.elapsed().as_secs(), 60);
            let mut kept = TcpStream::connect(addr).await.unwrap();
            kept.write_all(b"GET /a HTTP/1.1\r\nHost: here\r\n\r\nGET /b HTTP/1.1\r\nHost: here\r\n\r\n")
                .await
                .unwrap();
            time::sleep(time::millis(500)).await;
            stop.cancel();
            let mut answers = String::new();
            kept.read_to_string(&mut answers).await.unwrap();
            assert!(answers.ends_with("\r\n\r\n/a") && answers.contains("connection: close"), "{answers}");
            assert_eq!(serving.await, Ok(Drained { cut_off: 0 }));
        })
    });
}
