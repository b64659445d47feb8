//! What links do: latency, loss, order, bandwidth, windows.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::spawn;
use windtunnel::time::{self, Instant};
use windtunnel_sim::net::{Event, EventKind, Fate, LinkConditions, TcpOptions};
use windtunnel_sim::{Sim, simulate as run};

use super::{connected, connected_to, idle, pass, sockets, truths};

truths! {
    async fn the_end_comes_as_fast_as_bytes(sim: Sim) {
        let (_server, mut client, mut peer) = connected(&sim).await;
        let start = Instant::now();
        client.shutdown().await.unwrap();
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
        assert!((time::millis(1)..time::millis(11)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    async fn a_writer_is_held_back_at_the_window_and_goes_on_once_it_is_read(sim: Sim) {
        sim.set_tcp(TcpOptions { window: 10_000, ..TcpOptions::default() });
        let (_server, mut client, mut peer) = connected(&sim).await;
        let mut total = 0;
        while let Ok(count) = time::timeout(time::secs(1), client.write(&[0; 3_000])).await {
            total += count.unwrap();
        }
        assert_eq!(total, 10_000);
        peer.read_exact(&mut [0; 10_000]).await.unwrap();
        let start = Instant::now();
        client.write_all(&[0; 10_000]).await.unwrap();
        assert!(start.elapsed() < time::millis(11), "the news of it takes a latency: {:?}", start.elapsed());
    }

    async fn a_reader_that_takes_little_does_not_stop_the_writer(sim: Sim) {
        sim.set_tcp(TcpOptions { window: 1_000, ..TcpOptions::default() });
        let (_server, mut client, mut peer) = connected(&sim).await;
        let writer = spawn(async move { client.write_all(&vec![0; 20_000]).await });
        for _ in 0..20_000 / 80 {
            peer.read_exact(&mut [0; 80]).await.unwrap();
        }
        writer.await.unwrap().unwrap();
    }

    async fn a_lost_segment_comes_after_its_timer(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        for (healed_after, arrives_after) in [(500, 1_000), (1_500, 3_000), (4_000, 7_000)] {
            sim.partition_one_way(&[sim.main()], &[&server]);
            let start = Instant::now();
            client.write_all(b"x").await.unwrap();
            time::sleep(time::millis(healed_after)).await;
            sim.heal();
            peer.read_exact(&mut [0]).await.unwrap();
            let after = time::millis(arrives_after);
            assert!((after..after + time::millis(11)).contains(&start.elapsed()), "{:?}", start.elapsed());
            time::sleep(time::millis(100)).await;
        }
    }

    async fn a_reset_does_not_overtake_bytes(sim: Sim) {
        let (_server, mut client, mut peer) = connected(&sim).await;
        peer.write_all(b"unread").await.unwrap();
        time::sleep(time::millis(100)).await;
        client.write_all(b"bytes").await.unwrap();
        drop(client);
        peer.read_exact(&mut [0; 5]).await.unwrap();
        assert_eq!(peer.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn under_loss_all_bytes_come_once_and_in_order(sim: Sim) {
        let (_server, mut client, mut peer) = connected(&sim).await;
        sim.record_network();
        sim.set_every_link(&LinkConditions { loss: 0.1, ..LinkConditions::default() });
        let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        let expected = sent.clone();
        spawn(async move { client.write_all(&sent).await.unwrap() });
        let (start, mut received) = (Instant::now(), Vec::new());
        peer.read_to_end(&mut received).await.unwrap();
        assert!(received == expected);
        assert!(start.elapsed() < time::secs(60), "a timer finds all that is missing: {:?}", start.elapsed());
        let lost = sim.network_events().iter().filter(|event| matches!(event.fate, Fate::Lost(_))).count();
        assert!(lost > 5, "{lost}");
    }

    async fn what_is_on_its_way_does_not_cross_a_partition_made_since(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        sim.slow_link(sim.main(), &server, time::millis(500));
        let start = Instant::now();
        client.write_all(b"x").await.unwrap();
        time::sleep(time::millis(100)).await;
        sim.partition(&[sim.main()], &[&server]);
        time::sleep(time::millis(100)).await;
        sim.heal();
        peer.read_exact(&mut [0]).await.unwrap();
        assert!((time::millis(1500)..time::millis(1520)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    async fn a_datagram_on_its_way_is_lost_in_a_partition_made_since(sim: Sim) {
        let (server, here, there) = sockets(&sim).await;
        here.send_to(b"x", there.local_addr().unwrap()).await.unwrap();
        sim.partition(&[sim.main()], &[&server]);
        sim.heal();
        assert!(time::timeout(time::secs(1), there.recv_from(&mut [0])).await.is_err());
    }

    async fn a_timer_that_runs_does_not_delay_what_comes_before_it(sim: Sim) {
        let (node, mut client, mut peer) = connected(&sim).await;
        let other = idle(&sim, "other");
        let (mut here, mut there) = connected_to(&sim, &other).await;
        time::sleep(time::millis(100)).await;
        sim.partition(&[sim.main()], &[&node]);
        client.write_all(b"x").await.unwrap();
        let start = Instant::now();
        pass(&mut here, &mut there).await;
        assert!(start.elapsed() < time::millis(11), "{:?}", start.elapsed());
        sim.heal();
        peer.read_exact(&mut [0]).await.unwrap();
    }

    async fn a_lost_window_update_is_made_good(sim: Sim) {
        sim.set_tcp(TcpOptions { window: 1_000, ..TcpOptions::default() });
        let (server, mut client, mut peer) = connected(&sim).await;
        client.write_all(&[0; 1_000]).await.unwrap();
        time::sleep(time::millis(100)).await;
        sim.partition_one_way(&[&server], &[sim.main()]);
        peer.read_exact(&mut [0; 1_000]).await.unwrap();
        time::sleep(time::millis(100)).await;
        sim.heal();
        time::timeout(time::secs(5), client.write_all(b"x")).await.expect("the writer goes on").unwrap();
        peer.read_exact(&mut [0]).await.unwrap();
    }

    async fn the_latency_is_that_of_the_link_and_may_be_short(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        let short = time::Duration::from_micros(100);
        sim.set_link(sim.main(), &server, LinkConditions { latency: short..short, ..LinkConditions::default() });
        sim.set_link(&server, sim.main(), LinkConditions { latency: time::secs(2)..time::secs(2), ..LinkConditions::default() });
        time::sleep(time::secs(3)).await;
        let start = Instant::now();
        pass(&mut client, &mut peer).await;
        assert!((short..short * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
        let start = Instant::now();
        pass(&mut peer, &mut client).await;
        assert!((time::secs(2)..time::millis(2001)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    async fn slow_round_trips_move_the_timer(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        sim.slow_link(sim.main(), &server, time::millis(1_500));
        for _ in 0..5 {
            pass(&mut client, &mut peer).await;
            time::sleep(time::secs(1)).await;
        }
        sim.record_network();
        pass(&mut client, &mut peer).await;
        time::sleep(time::secs(2)).await;
        let data = sim.network_events().iter().filter(|event| event.kind == EventKind::Data).count();
        assert_eq!(data, 1, "nothing was sent again");
    }

    async fn packets_queue_for_the_bandwidth(sim: Sim) {
        let (server, mut client, mut peer) = connected(&sim).await;
        let conditions = LinkConditions { bandwidth: Some(15_000), ..LinkConditions::default() };
        sim.set_link(sim.main(), &server, conditions);
        let start = Instant::now();
        client.write_all(&[0; 14_600]).await.unwrap();
        peer.read_exact(&mut [0; 14_600]).await.unwrap();
        assert!((time::secs(1)..time::millis(1_011)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }

    async fn datagrams_overtake_each_other_and_tcp_does_not(sim: Sim) {
        let (_server, here, there) = sockets(&sim).await;
        for n in 0..50 {
            here.send_to(&[n], there.local_addr().unwrap()).await.unwrap();
        }
        let mut order = Vec::new();
        for _ in 0..50 {
            let mut byte = [0];
            there.recv_from(&mut byte).await.unwrap();
            order.push(byte[0]);
        }
        assert!(!order.is_sorted());
        order.sort_unstable();
        assert!(order.into_iter().eq(0..50));
    }

    async fn datagrams_are_lost_as_the_link_says(sim: Sim) {
        let (server, here, there) = sockets(&sim).await;
        sim.set_link(sim.main(), &server, LinkConditions { loss: 0.5, ..LinkConditions::default() });
        let received = received_of_200(&here, &there).await;
        assert!((60..140).contains(&received.len()), "{received:?}");
    }

    async fn datagrams_come_twice_as_the_link_says(sim: Sim) {
        let (server, here, there) = sockets(&sim).await;
        sim.set_link(sim.main(), &server, LinkConditions { duplicate: 0.5, ..LinkConditions::default() });
        let received = received_of_200(&here, &there).await;
        assert!((260..340).contains(&received.len()), "{received:?}");
        assert_eq!(received.iter().collect::<BTreeSet<_>>().len(), 200, "each of them at least once");
    }

    async fn a_datagram_to_nobody_vanishes(sim: Sim) {
        let (server, here, there) = sockets(&sim).await;
        here.send_to(b"x", server.addr(1)).await.unwrap();
        here.send_to(b"x", "10.0.0.1:1").await.unwrap();
        drop(there);
        here.send_to(b"x", server.addr(super::PORT)).await.unwrap();
        assert!(time::timeout(time::secs(10), here.recv_from(&mut [0])).await.is_err());
    }

    async fn what_a_socket_does_not_read_is_lost_in_the_end(sim: Sim) {
        let (_server, here, there) = sockets(&sim).await;
        for _ in 0..300 {
            here.send_to(&[0; 1_000], there.local_addr().unwrap()).await.unwrap();
        }
        time::sleep(time::secs(1)).await;
        let mut received = 0;
        while time::timeout(time::millis(1), there.recv_from(&mut [0])).await.is_ok() {
            received += 1;
        }
        assert_eq!(received, 212);
    }

    async fn every_packet_is_an_event_with_its_fate(sim: Sim) {
        sim.record_network();
        let (server, mut client, mut peer) = connected(&sim).await;
        pass(&mut client, &mut peer).await;
        sim.partition_one_way(&[&server], &[sim.main()]);
        client.write_all(b"abc").await.unwrap();
        peer.read_exact(&mut [0; 3]).await.unwrap();
        drop(client);
        let events = sim.network_events();
        assert!(events.iter().zip(1..).all(|(event, id)| event.id == id), "{events:?}");
        let opened = events.iter().filter(|event| event.kind == EventKind::Open).count();
        assert_eq!(opened, 2, "one each way");
        let data: Vec<_> = events.iter().filter(|event| event.kind == EventKind::Data).collect();
        assert_eq!(data.iter().map(|event| event.bytes).collect::<Vec<_>>(), [1, 3]);
        for event in data {
            assert_eq!((&*event.from, &*event.to), ("main", "server"));
            let Fate::Arrived(at) = event.fate else { panic!("{event:?}") };
            assert!((time::millis(1)..time::millis(11)).contains(&at.saturating_sub(event.sent)), "{event:?}");
        }
        let last_answer = events.iter().rfind(|event| &*event.from == "server").unwrap();
        assert!(matches!(last_answer.fate, Fate::Lost(_)), "{last_answer:?}");
        assert!(events.iter().any(|event| event.kind == EventKind::End && event.fate == Fate::OnItsWay));
    }

    async fn an_idle_connection_costs_nothing(sim: Sim) {
        sim.record_network();
        let (_server, mut client, mut peer) = connected(&sim).await;
        pass(&mut client, &mut peer).await;
        time::sleep(time::secs(2)).await;
        let before = sim.network_events().len();
        time::sleep(time::secs(600)).await;
        assert_eq!(sim.network_events().len(), before);
        pass(&mut peer, &mut client).await;
    }
}

/// Sends 200 numbered datagrams; what came.
async fn received_of_200(from: &windtunnel::net::UdpSocket, to: &windtunnel::net::UdpSocket) -> Vec<u8> {
    for n in 0..200 {
        from.send_to(&[n], to.local_addr().unwrap()).await.unwrap();
    }
    let (mut received, mut byte) = (Vec::new(), [0]);
    while time::timeout(time::secs(1), to.recv_from(&mut byte)).await.is_ok() {
        received.push(byte[0]);
    }
    received
}

#[test]
fn ten_idle_minutes_take_no_real_time() {
    let idle = |minutes: u64| {
        let body = async move |sim: Sim| {
            let (_server, mut client, mut peer) = connected(&sim).await;
            pass(&mut client, &mut peer).await;
            time::sleep(time::secs(60 * minutes)).await;
        };
        (0..20).map(|seed| run(seed, body).0.real).min().unwrap()
    };
    let (ten, none) = (idle(10), idle(0));
    assert!(ten < none + time::millis(1), "{ten:?} against {none:?}");
}

#[test]
fn the_network_draws_from_a_stream_of_its_own() {
    let drawn = |loss: f64| {
        let body = async move |sim: Sim| {
            sim.set_every_link(&LinkConditions { loss, ..LinkConditions::default() });
            let (_server, mut client, mut peer) = connected(&sim).await;
            pass(&mut client, &mut peer).await;
            let workload = rand::Rng::random::<u64>(&mut windtunnel::rand::rng());
            (workload, rand::Rng::random::<u64>(&mut sim.fault_rng()), windtunnel::rand::choose(1 << 30))
        };
        run(7, body).1.unwrap()
    };
    assert_eq!(drawn(0.0), drawn(0.3));
}

/// How long ten datagrams take, of which one is sent each 5 ms, after so many others, and losses of this share.
fn latencies(seed: u64, others: usize, loss: f64) -> Vec<time::Duration> {
    let body = async move |sim: Sim| {
        let (server, from, _to) = sockets(&sim).await;
        let addr = server.addr(super::PORT);
        sim.set_every_link(&LinkConditions { loss, duplicate: loss, ..LinkConditions::default() });
        for _ in 0..others {
            from.send_to(&[0], addr).await.unwrap();
        }
        time::sleep(time::millis(100)).await;
        sim.set_every_link(&LinkConditions::default());
        sim.record_network();
        for _ in 0..10 {
            from.send_to(&[0], addr).await.unwrap();
            time::sleep(time::millis(5)).await;
        }
        time::sleep(time::millis(20)).await;
        let took = |event: Event| match event.fate {
            Fate::Arrived(at) => at.saturating_sub(event.sent),
            fate => panic!("{fate:?}"),
        };
        sim.network_events().into_iter().map(took).collect::<Vec<_>>()
    };
    run(seed, body).1.unwrap()
}

#[test]
fn a_latency_depends_neither_on_earlier_packets_nor_on_earlier_faults() {
    let plain = latencies(7, 0, 0.0);
    assert_eq!(plain, latencies(7, 25, 0.0));
    assert_eq!(plain, latencies(7, 25, 0.5));
    assert_ne!(plain, latencies(8, 0, 0.0), "but on the seed");
    assert!(plain.iter().collect::<BTreeSet<_>>().len() > 5, "and on the time: {plain:?}");
}
