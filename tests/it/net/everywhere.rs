//! Bodies that pass on a real network and on a simulated one.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{MAX_DATAGRAM_BYTES, TcpListener, TcpStream, UdpSocket, lookup_host};
use windtunnel::time::{self, Instant};
use windtunnel::{spawn, task};

macro_rules! over_tcp {
    ($($body:ident)*) => {
        mod tcp_on_tokio {
            $(#[test] fn $body() {
                super::on_tokio(async {
                    let (client, server) = super::over_loopback().await;
                    super::$body(client, server).await;
                });
            })*
        }
        mod tcp_in_a_simulation {
            $(#[test] fn $body() {
                crate::common::simulate(stringify!($name), |sim| Box::pin(async move {
                    let (_server, client, server) = crate::net::connected(&sim).await;
                    super::$body(client, server).await;
                    let (client, server) = super::over_loopback().await;
                    super::$body(client, server).await;
                }));
            })*
        }
    };
}

macro_rules! over_udp {
    ($($body:ident)*) => {
        mod udp_on_tokio {
            use windtunnel::net::UdpSocket;
            $(#[test] fn $body() {
                super::on_tokio(async {
                    let (a, b) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
                    super::$body(a, b).await;
                });
            })*
        }
        mod udp_in_a_simulation {
            $(#[test] fn $body() {
                crate::common::simulate(stringify!($name), |sim| Box::pin(async move {
                    let (_server, here, there) = crate::net::sockets(&sim).await;
                    super::$body(here, there).await;
                }));
            })*
        }
    };
}

over_tcp! {
    an_echo_comes_back
    a_half_close_ends_one_direction_after_all_bytes
    dropping_the_owned_write_half_ends_what_it_sends
    dropping_the_owned_read_half_ends_nothing
    borrowed_halves_work_at_the_same_time
    a_writer_waits_for_its_reader
    a_peek_takes_nothing
    a_read_fails_at_its_deadline_and_works_after_it
    a_deadline_that_is_moved_while_unused_counts_anew
    a_write_fails_at_its_deadline
    writes_to_a_peer_that_is_gone_fail
}

over_udp! {
    a_datagram_is_answered
    a_datagram_keeps_its_bounds
    a_connected_socket_hears_its_peer_only
    too_long_a_datagram_is_refused
}

fn on_tokio(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(body);
}

async fn over_loopback() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(addr).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!((peer, client.peer_addr().unwrap()), (client.local_addr().unwrap(), addr));
    (client, server)
}

async fn an_echo_comes_back(mut client: TcpStream, mut server: TcpStream) {
    spawn(async move {
        let mut bytes = [0; 64];
        while server.read_exact(&mut bytes).await.is_ok() {
            server.write_all(&bytes).await.unwrap();
        }
    });
    for n in 0..20 {
        client.write_all(&[n; 64]).await.unwrap();
        let mut bytes = [0; 64];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, [n; 64]);
    }
}

async fn a_half_close_ends_one_direction_after_all_bytes(mut client: TcpStream, mut server: TcpStream) {
    client.write_all(&[7; 10_000]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, [7; 10_000]);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "the end stays the end");
    assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    server.write_all(b"answer").await.unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
}

async fn dropping_the_owned_write_half_ends_what_it_sends(client: TcpStream, mut server: TcpStream) {
    let (mut read, mut write) = client.into_split();
    write.write_all(b"question").await.unwrap();
    drop(write);
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    let mut answer = String::new();
    read.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
}

async fn dropping_the_owned_read_half_ends_nothing(client: TcpStream, mut server: TcpStream) {
    let (read, mut write) = client.into_split();
    drop(read);
    write.write_all(b"question").await.unwrap();
    let mut question = [0; 8];
    server.read_exact(&mut question).await.unwrap();
    server.write_all(b"answer").await.unwrap();
    write.write_all(b"more").await.unwrap();
    server.read_exact(&mut question[..4]).await.unwrap();
}

async fn borrowed_halves_work_at_the_same_time(mut client: TcpStream, mut server: TcpStream) {
    let echo = spawn(async move {
        let (mut read, mut write) = server.split();
        windtunnel::io::copy(&mut read, &mut write).await.unwrap()
    });
    let (mut read, mut write) = client.split();
    let sent = vec![3; 200_000];
    let mut received = vec![0; sent.len()];
    let mut writing = pin!(write.write_all(&sent));
    let mut reading = pin!(read.read_exact(&mut received));
    let (mut written, mut done) = (false, false);
    poll_fn(|cx| {
        written = written || writing.as_mut().poll(cx).map(Result::unwrap).is_ready();
        done = done || reading.as_mut().poll(cx).map(Result::unwrap).is_ready();
        if written && done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    assert_eq!(sent, received);
    drop(client);
    assert_eq!(echo.await.unwrap(), 200_000);
}

/// Far more than any system buffers.
const MUCH: usize = 256 << 20;

/// Writes until that takes longer than `patience`: how much went.
async fn fill(stream: &mut TcpStream, patience: time::Duration) -> usize {
    let (mut total, chunk) = (0, vec![1; 16_384]);
    while let Ok(count) = time::timeout(patience, stream.write(&chunk)).await {
        total += count.unwrap();
        assert!(total < MUCH, "nothing held it back");
    }
    total
}

async fn a_writer_waits_for_its_reader(mut client: TcpStream, mut server: TcpStream) {
    let filled = fill(&mut client, time::millis(200)).await;
    let writer = spawn(async move { client.write_all(&vec![2; 100_000]).await });
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).await.unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(bytes.len(), filled + 100_000);
    assert!(bytes[..filled].iter().all(|byte| *byte == 1) && bytes[filled..].iter().all(|byte| *byte == 2));
}

async fn a_peek_takes_nothing(mut client: TcpStream, mut server: TcpStream) {
    client.write_all(b"ab").await.unwrap();
    let mut bytes = [0; 2];
    while server.peek(&mut bytes).await.unwrap() < 2 {}
    assert_eq!(&bytes, b"ab");
    bytes = [0; 2];
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ab");
    drop(client);
    assert_eq!(server.peek(&mut bytes).await.unwrap(), 0);
}

async fn a_read_fails_at_its_deadline_and_works_after_it(mut client: TcpStream, mut server: TcpStream) {
    let start = Instant::now();
    client.set_read_deadline(Some(start + time::millis(50)));
    let error = client.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= time::millis(50), "{:?}", start.elapsed());
    server.write_all(b"x").await.unwrap();
    time::sleep(time::millis(50)).await;
    assert_eq!(
        client.read(&mut [0]).await.unwrap_err().kind(),
        ErrorKind::TimedOut,
        "bytes are there, the deadline too"
    );
    assert_eq!(client.peek(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
    client.write_all(b"x").await.unwrap();
    client.set_read_deadline(None);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 1, "nothing was lost");
    let (mut read, _write) = client.into_split();
    read.set_read_deadline(Some(Instant::now() + time::millis(10)));
    assert_eq!(read.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
}

async fn a_deadline_that_is_moved_while_unused_counts_anew(mut client: TcpStream, _server: TcpStream) {
    let start = Instant::now();
    client.set_read_deadline(Some(start + time::millis(60)));
    assert!(time::timeout(time::millis(20), client.read(&mut [0])).await.is_err(), "the limit comes first");
    client.set_read_deadline(Some(start + time::millis(120)));
    assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= time::millis(120), "{:?}", start.elapsed());
    client.set_read_deadline(Some(Instant::now() + time::secs(100)));
    assert!(time::timeout(time::millis(20), client.read(&mut [0])).await.is_err());
    let start = Instant::now();
    client.set_read_deadline(Some(start + time::millis(20)));
    assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() < time::secs(50), "{:?}", start.elapsed());
}

async fn a_write_fails_at_its_deadline(mut client: TcpStream, _server: TcpStream) {
    fill(&mut client, time::millis(200)).await;
    client.set_write_deadline(Some(Instant::now() + time::millis(50)));
    let error = client.write_all(&[0; 1000]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

async fn writes_to_a_peer_that_is_gone_fail(mut client: TcpStream, server: TcpStream) {
    drop(server);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let error = loop {
        match client.write(b"x").await {
            Ok(_) => time::sleep(time::millis(5)).await,
            Err(error) => break error.kind(),
        }
    };
    assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

async fn a_datagram_is_answered(a: UdpSocket, b: UdpSocket) {
    let (to, from) = (b.local_addr().unwrap(), a.local_addr().unwrap());
    assert_eq!(a.send_to(b"question", to).await.unwrap(), 8);
    let mut bytes = [0; 100];
    assert_eq!(b.recv_from(&mut bytes).await.unwrap(), (8, from));
    assert_eq!(&bytes[..8], b"question");
    b.send_to(&bytes[..8], from.to_string().as_str()).await.unwrap();
    assert_eq!(a.recv_from(&mut bytes).await.unwrap(), (8, to));
}

async fn a_datagram_keeps_its_bounds(a: UdpSocket, b: UdpSocket) {
    let to = b.local_addr().unwrap();
    let mut bytes = vec![0; MAX_DATAGRAM_BYTES];
    for length in [0, 1, MAX_DATAGRAM_BYTES] {
        a.send_to(&vec![1; length], to).await.unwrap();
        assert_eq!(b.recv_from(&mut bytes).await.unwrap().0, length);
    }
    a.send_to(b"abc", to).await.unwrap();
    assert_eq!(b.recv_from(&mut bytes[..2]).await.unwrap().0, 2, "the rest is cut off");
    a.send_to(b"d", to).await.unwrap();
    assert_eq!(b.recv_from(&mut bytes).await.unwrap().0, 1);
}

async fn a_connected_socket_hears_its_peer_only(a: UdpSocket, b: UdpSocket) {
    assert_eq!(a.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    a.connect(b.local_addr().unwrap()).await.unwrap();
    assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
    let stranger = UdpSocket::bind((a.local_addr().unwrap().ip(), 0)).await.unwrap();
    stranger.send_to(b"strange", a.local_addr().unwrap()).await.unwrap();
    time::sleep(time::millis(30)).await;
    a.send(b"question").await.unwrap();
    let mut bytes = [0; 100];
    let (count, from) = b.recv_from(&mut bytes).await.unwrap();
    b.send_to(&bytes[..count], from).await.unwrap();
    assert_eq!(a.recv(&mut bytes).await.unwrap(), 8);
}

async fn too_long_a_datagram_is_refused(a: UdpSocket, b: UdpSocket) {
    let to = b.local_addr().unwrap();
    let error = a.send_to(&vec![0; MAX_DATAGRAM_BYTES + 1], to).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("at most 65507 bytes"), "{error}");
}

#[test]
fn a_system_that_knows_localhost_is_asked() {
    on_tokio(async {
        let addrs = lookup_host("localhost:80").await.unwrap();
        assert!(
            addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80) && !addrs.is_empty(),
            "{addrs:?}"
        );
        assert_eq!(lookup_host("localhost").await.unwrap_err().kind(), ErrorKind::InvalidInput);
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connecting = task::spawn_named("client", TcpStream::connect(format!("localhost:{port}")));
        listener.accept().await.unwrap();
        connecting.await.unwrap().unwrap();
    });
}
