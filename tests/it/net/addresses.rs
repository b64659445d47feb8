//! Addresses, ports, names, and the requests that come to a listener.

use std::io::ErrorKind;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use windtunnel::time::{self, Instant};
use windtunnel::{channel, spawn};
use windtunnel_sim::net::TcpOptions;

use super::{PORT, idle, truths};

truths! {
    async fn connecting_takes_a_round_trip(sim: Sim) {
        let server = idle(&sim, "server");
        let addr = server.addr(PORT);
        let _accepting = sim.spawn_on(&server, "acceptor", async move {
            TcpListener::bind(addr).await.unwrap().accept().await.map(drop)
        });
        time::sleep(time::millis(1)).await;
        let start = Instant::now();
        TcpStream::connect(addr).await.unwrap();
        assert!((time::millis(2)..time::millis(21)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    async fn a_connection_is_refused_where_nobody_listens(sim: Sim) {
        let server = idle(&sim, "server");
        let start = Instant::now();
        assert_eq!(TcpStream::connect(server.addr(1)).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!((time::millis(2)..time::millis(21)).contains(&start.elapsed()), "{:?}", start.elapsed());
        let error = TcpStream::connect("10.9.9.9:80").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
    }

    async fn a_port_can_be_made_to_refuse(sim: Sim) {
        let _listener = TcpListener::bind(sim.main().addr(PORT)).await.unwrap();
        sim.refuse(sim.main(), PORT);
        let refused = TcpStream::connect(sim.main().addr(PORT)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        sim.admit(sim.main(), PORT);
        TcpStream::connect(sim.main().addr(PORT)).await.unwrap();
    }

    async fn a_full_backlog_makes_the_next_wait(sim: Sim) {
        sim.set_tcp(TcpOptions { backlog: 2, ..TcpOptions::default() });
        let listener = TcpListener::bind(sim.main().addr(PORT)).await.unwrap();
        let client = idle(&sim, "client");
        let addr = sim.main().addr(PORT);
        let (done, connected) = channel(3);
        for n in 0..3 {
            let done = done.clone();
            sim.spawn_on(&client, "client", async move {
                time::sleep(time::millis(50 * n)).await;
                let stream = TcpStream::connect(addr).await.unwrap();
                done.send(n).await.unwrap();
                drop(stream);
            });
        }
        time::sleep(time::millis(900)).await;
        assert_eq!((connected.try_recv(), connected.try_recv()), (Ok(0), Ok(1)));
        assert!(connected.try_recv().is_err(), "the backlog is full");
        listener.accept().await.unwrap();
        let start = Instant::now();
        assert_eq!(connected.recv().await, Some(2));
        assert!(start.elapsed() > time::millis(150), "its SYN had to be sent again: {:?}", start.elapsed());
    }

    async fn a_port_is_taken_once(sim: Sim) {
        let main = sim.main();
        let first = TcpListener::bind(main.addr(PORT)).await.unwrap();
        let taken = |addr: &'static str| async move { TcpListener::bind(addr).await.unwrap_err().kind() };
        assert_eq!(TcpListener::bind(main.addr(PORT)).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(taken("0.0.0.0:80").await, ErrorKind::AddrInUse);
        let loopback = TcpListener::bind("127.0.0.1:80").await.expect("another address");
        let _datagrams = UdpSocket::bind(main.addr(PORT)).await.expect("another protocol");
        drop((first, loopback));
        let _any = TcpListener::bind("0.0.0.0:80").await.expect("the port is free again");
        assert_eq!(taken("127.0.0.1:80").await, ErrorKind::AddrInUse);
        assert_eq!(taken("10.0.0.77:81").await, ErrorKind::AddrNotAvailable);
        assert_eq!(UdpSocket::bind("0.0.0.0:80").await.unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    async fn port_zero_is_a_free_port_and_clients_have_their_own(sim: Sim) {
        let one = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let other = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let (one, port) = (one.local_addr().unwrap(), other.local_addr().unwrap().port());
        assert!(one.port() >= 49_152 && port >= 49_152 && one.port() != port);
        let a = TcpStream::connect(sim.main().addr(port)).await.unwrap();
        let b = TcpStream::connect(sim.main().addr(port)).await.unwrap();
        assert_eq!(a.peer_addr().unwrap(), sim.main().addr(port));
        let ports = [a.local_addr().unwrap().port(), b.local_addr().unwrap().port()];
        assert!(ports[0] != ports[1] && ports.iter().all(|it| *it != one.port() && *it != port), "{ports:?}");
        let accepted = other.accept().await.unwrap().1;
        assert_eq!(accepted, a.local_addr().unwrap());
    }

    async fn loopback_stays_on_its_node(sim: Sim) {
        let server = idle(&sim, "server");
        let listen = async |addr: &'static str| {
            sim.spawn_on(&server, "binder", TcpListener::bind(addr)).await.unwrap().unwrap()
        };
        let local = listen("127.0.0.1:80").await;
        assert_eq!(TcpStream::connect(server.addr(80)).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(TcpStream::connect("127.0.0.1:80").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let inside = sim.spawn_on(&server, "client", TcpStream::connect("127.0.0.1:80")).await.unwrap().unwrap();
        assert!(inside.local_addr().unwrap().ip().is_loopback());
        drop(local);
        let _all = listen("0.0.0.0:80").await;
        TcpStream::connect(server.addr(80)).await.unwrap();
        sim.spawn_on(&server, "client", TcpStream::connect("127.0.0.1:80")).await.unwrap().unwrap();
    }

    async fn names_of_nodes_are_looked_up(sim: Sim) {
        let server = idle(&sim, "replica1");
        assert_eq!(lookup_host("replica1:80").await.unwrap(), [server.addr(80)]);
        assert_eq!(lookup_host("localhost:80").await.unwrap(), ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(lookup_host("10.1.2.3:80").await.unwrap(), ["10.1.2.3:80".parse().unwrap()]);
        let error = lookup_host("replica2:80").await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()),
            (ErrorKind::NotFound, "cannot look up `replica2`: no node has this name"));
        assert_eq!(lookup_host("replica1").await.unwrap_err().kind(), ErrorKind::InvalidInput);
        let listening = sim.spawn_on(&server, "acceptor", async {
            let listener = TcpListener::bind("replica1:80").await.unwrap();
            listener.accept().await.unwrap().0.write_all(b"x").await.unwrap();
        });
        time::sleep(time::millis(1)).await;
        let mut stream = TcpStream::connect("replica1:80").await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        listening.await.unwrap();
        sim.fail_lookups("replica1");
        let error = TcpStream::connect("replica1:80").await.unwrap_err();
        assert!(error.to_string().contains("name resolution fails for now"), "{error}");
        sim.mend_lookups("replica1");
        lookup_host("replica1:80").await.unwrap();
    }

    async fn a_dropped_listener_resets_what_it_did_not_hand_out(sim: Sim) {
        let listener = TcpListener::bind(sim.main().addr(PORT)).await.unwrap();
        let mut client = TcpStream::connect(sim.main().addr(PORT)).await.unwrap();
        time::sleep(time::millis(1)).await;
        drop(listener);
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn a_dropped_connect_and_a_dropped_accept_leave_nothing(sim: Sim) {
        let listener = TcpListener::bind(sim.main().addr(PORT)).await.unwrap();
        let (client, addr) = (idle(&sim, "client"), sim.main().addr(PORT));
        sim.spawn_on(&client, "hasty", async move {
            assert!(time::timeout(time::millis(1), TcpStream::connect(addr)).await.is_err());
        });
        assert!(time::timeout(time::millis(100), listener.accept()).await.is_err(), "nobody has connected");
        let connecting = sim.spawn_on(&client, "patient", TcpStream::connect(addr));
        for _ in 0..30 {
            if time::timeout(time::millis(1), listener.accept()).await.is_ok() {
                return connecting.await.unwrap().map(drop).unwrap();
            }
        }
        panic!("the connection was lost with an accept");
    }

    async fn two_acceptors_share_a_listener(sim: Sim) {
        let listener = std::sync::Arc::new(TcpListener::bind(sim.main().addr(PORT)).await.unwrap());
        let acceptors: Vec<_> = (0..2).map(|_| {
            let listener = std::sync::Arc::clone(&listener);
            spawn(async move { listener.accept().await.map(drop) })
        }).collect();
        time::sleep(time::millis(1)).await;
        for _ in 0..2 {
            TcpStream::connect(sim.main().addr(PORT)).await.unwrap();
        }
        for acceptor in acceptors {
            acceptor.await.unwrap().unwrap();
        }
    }
}
