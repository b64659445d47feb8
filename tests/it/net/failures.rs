//! Partitions, killed nodes, and what is left of their connections.

use std::io::ErrorKind;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream, UdpSocket};
use windtunnel::spawn;
use windtunnel::time::{self, Instant};
use windtunnel_sim::net::{LinkConditions, TcpOptions};
use windtunnel_sim::{Cause, Sim, simulate as run};

use super::{PORT, connected, connected_to, idle, pass, truths};

truths! {
    async fn a_connect_without_an_answer_times_out(sim: Sim) {
        let (cut, dead) = (idle(&sim, "cut"), idle(&sim, "dead"));
        sim.partition(&[&cut], &[sim.main()]);
        sim.kill(&dead);
        for node in [cut, dead] {
            let start = Instant::now();
            assert_eq!(TcpStream::connect(node.addr(PORT)).await.unwrap_err().kind(), ErrorKind::TimedOut);
            assert!((time::secs(100)..time::secs(101)).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
    }

    async fn a_connect_survives_a_partition_that_heals_in_time(sim: Sim) {
        let server = sim.node("server", |node| async move {
            TcpListener::bind(node.addr(PORT)).await.unwrap().accept().await.map(drop).unwrap();
        });
        sim.partition(&[&server], &[sim.main()]);
        let healing = sim.clone();
        spawn(async move {
            time::sleep(time::secs(20)).await;
            healing.heal();
        });
        TcpStream::connect(server.addr(PORT)).await.unwrap();
    }

    async fn a_partition_that_outlasts_the_limit_fails_the_connection(sim: Sim) {
        sim.set_tcp(TcpOptions { give_up_after: time::secs(30), ..TcpOptions::default() });
        let (server, mut client, peer) = connected(&sim).await;
        sim.partition(&[&server], &[sim.main()]);
        let start = Instant::now();
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!((time::secs(30)..time::secs(31)).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        drop(peer);
    }

    async fn an_end_whose_peer_has_given_up_is_reset_when_it_writes(sim: Sim) {
        sim.set_tcp(TcpOptions { give_up_after: time::secs(30), ..TcpOptions::default() });
        let (server, mut client, mut peer) = connected(&sim).await;
        sim.partition(&[&server], &[sim.main()]);
        client.write_all(b"x").await.unwrap();
        client.read(&mut [0]).await.unwrap_err();
        sim.heal();
        peer.write_all(b"x").await.unwrap();
        assert_eq!(peer.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn across_a_one_way_partition_bytes_go_and_answers_do_not(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        sim.partition_one_way(&[&server], &[sim.main()]);
        let start = Instant::now();
        pass(&mut client, &mut peer).await;
        assert!(start.elapsed() < time::millis(11), "{:?}", start.elapsed());
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut, "nothing acknowledges it");
    }

    async fn a_writer_that_waits_for_room_behind_a_partition_gives_up(sim: Sim) {
        sim.set_tcp(TcpOptions { window: 1_000, ..TcpOptions::default() });
        let (server, mut client, mut peer) = connected(&sim).await;
        client.write_all(&[0; 1_000]).await.unwrap();
        time::sleep(time::millis(100)).await;
        sim.partition(&[&server], &[sim.main()]);
        peer.read_exact(&mut [0; 1_000]).await.unwrap();
        let start = Instant::now();
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!((time::secs(100)..time::secs(103)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    async fn writes_to_a_dropped_stream_are_reset_after_a_round_trip(sim: Sim) {
        let (_server, mut client, peer) = connected(&sim).await;
        drop(peer);
        time::sleep(time::millis(100)).await;
        client.write_all(b"x").await.expect("the peer may still read, as far as is known here");
        time::sleep(time::millis(1)).await;
        client.write_all(b"x").await.expect("the reset takes a round trip");
        time::sleep(time::millis(21)).await;
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    async fn a_stream_that_is_dropped_unread_resets_its_peer(sim: Sim) {
        let (_server, mut client, peer) = connected(&sim).await;
        client.write_all(b"unread").await.unwrap();
        time::sleep(time::millis(100)).await;
        drop(peer);
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn the_last_bytes_of_a_dropped_stream_come_despite_loss(sim: Sim) {
        let (_server, mut client, mut peer) = connected(&sim).await;
        sim.set_every_link(&LinkConditions { loss: 0.1, ..LinkConditions::default() });
        client.write_all(&vec![1; 20_000]).await.unwrap();
        drop(client);
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, vec![1; 20_000]);
    }

    async fn a_killed_node_says_nothing_until_it_runs_again(sim: Sim) {
        let (server, mut client, peer) = connected(&sim).await;
        sim.kill(&server);
        client.set_read_deadline(Some(Instant::now() + time::secs(1000)));
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut, "no goodbye");
        client.set_read_deadline(None);
        client.write_all(b"x").await.unwrap();
        time::sleep(time::secs(10)).await;
        sim.restart(&server).await;
        let start = Instant::now();
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(start.elapsed() < time::secs(10), "{:?}", start.elapsed());
        drop(peer);
    }

    async fn what_a_node_sent_before_its_death_arrives(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        peer.write_all(b"last words").await.unwrap();
        sim.kill(&server);
        let mut words = [0; 10];
        client.read_exact(&mut words).await.unwrap();
        assert_eq!(&words, b"last words");
    }

    async fn a_killed_client_frees_its_server_when_it_runs_again(sim: Sim) {
        let (server, client, mut peer) = connected(&sim).await;
        drop((server, client));
        let other = idle(&sim, "other");
        let (mut here, there) = connected_to(&sim, &other).await;
        sim.kill(&other);
        drop(there);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0, "another connection ends as it should");
        here.set_read_deadline(Some(Instant::now() + time::secs(1)));
        assert_eq!(here.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut, "and this one does not");
    }

    async fn no_socket_survives_a_restart(sim: Sim) {
        let server = sim.node("server", |node| async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the old listener is gone");
            let socket = UdpSocket::bind(node.addr(PORT)).await.expect("the old socket is gone");
            let (mut stream, _) = listener.accept().await.unwrap();
            while socket.recv_from(&mut [0]).await.is_ok() {
                stream.write_all(b"x").await.unwrap();
            }
        });
        time::sleep(time::millis(1)).await;
        let here = UdpSocket::bind(sim.main().addr(PORT)).await.unwrap();
        let mut old = TcpStream::connect(server.addr(PORT)).await.unwrap();
        for _ in 0..3 {
            time::sleep(time::millis(20)).await;
            sim.restart(&server).await;
            time::sleep(time::millis(1)).await;
            let mut new = TcpStream::connect(server.addr(PORT)).await.unwrap();
            time::sleep(time::millis(20)).await;
            here.send_to(b"go", server.addr(PORT)).await.unwrap();
            new.read_exact(&mut [0]).await.unwrap();
            old.write_all(b"x").await.unwrap();
            assert_eq!(old.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            old = new;
        }
    }

    async fn a_listener_of_a_killed_node_is_gone_although_it_is_held_elsewhere(sim: Sim) {
        let server = idle(&sim, "server");
        let listener = sim.spawn_on(&server, "binder", TcpListener::bind(server.addr(PORT))).await.unwrap().unwrap();
        sim.restart(&server).await;
        let refused = TcpStream::connect(server.addr(PORT)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(listener.accept().await.unwrap_err().kind(), ErrorKind::NotConnected);
    }

    async fn a_connection_to_a_node_that_died_before_it_knew_is_reset(sim: Sim) {
        let server = sim.node("server", |node| async move {
            drop(TcpListener::bind(node.addr(PORT)).await.unwrap().accept().await);
        });
        sim.slow_link(sim.main(), &server, time::millis(100));
        let mut client = TcpStream::connect(server.addr(PORT)).await.unwrap();
        sim.restart(&server).await;
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn datagrams_do_not_reach_a_killed_node(sim: Sim) {
        let (server, here, there) = super::sockets(&sim).await;
        here.send_to(b"x", server.addr(PORT)).await.unwrap();
        sim.kill(&server);
        time::sleep(time::millis(100)).await;
        assert_eq!(there.recv_from(&mut [0]).await.unwrap_err().kind(), ErrorKind::NotConnected);
        here.send_to(b"x", server.addr(PORT)).await.unwrap();
    }
}

#[test]
fn waiting_for_a_killed_node_for_ever_is_a_deadlock_found_at_once() {
    let body = async |sim: Sim| {
        let (server, mut client, mut peer) = connected(&sim).await;
        pass(&mut client, &mut peer).await;
        time::sleep(time::millis(100)).await;
        sim.kill(&server);
        client.read(&mut [0]).await.map(drop)
    };
    for seed in 0..16 {
        let (outcome, _) = run(seed, body);
        assert_eq!(outcome.cause, Some(Cause::Deadlock));
        assert!(outcome.simulated < time::secs(3), "{:?}", outcome.simulated);
    }
}

#[test]
#[should_panic(expected = "give each node a name of its own")]
fn a_name_is_one_nodes() {
    let (outcome, _) = run(1, async |sim: Sim| {
        idle(&sim, "twice");
        idle(&sim, "twice");
    });
    if let Some(Cause::Panic { message, .. }) = outcome.cause {
        panic!("{message}");
    }
}
