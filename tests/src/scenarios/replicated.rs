//! The client of a replicated service in simulated time, and on a simulated network.

use std::net::SocketAddr;
use std::sync::Arc;

use windtunnel::spawn;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::call::NoAnswer;
use windtunnel_patterns::replicated::{Client, Options};
use windtunnel_sim::{Node, Sim, faults};

use super::first::{PORT, ask, replicas};
use super::live_tasks_of_patterns;

const OPTIONS: Options = Options { stagger: time::secs(1), deadline: time::secs(10) };

/// Time since `start`, in tenths of a second: the moments of these scenarios are a tenth apart at least.
fn tenths_since(start: Instant) -> u128 {
    (start.elapsed() + time::millis(10)).as_millis() / 100
}

/// A server whose answer is late, but before that of the next, is not preferred for it (census
/// `client-late-reply-keeps-slow-server`).
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_server_that_was_too_slow_is_left(_sim: Sim) {
    let call_one = |server: usize, ()| async move {
        time::sleep([time::millis(1_500), time::millis(800)][server]).await;
        Ok::<_, String>(server)
    };
    let client = Client::new(vec![0, 1], OPTIONS, call_one);
    let mut took = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        client.call(()).await.expect("both answer");
        took.push(tenths_since(start));
    }
    assert_eq!(took, [15, 8, 8, 8, 8], "tenths of a second");
    assert_eq!(client.preferred().await, 1);
}

/// A call that began before another found the preferred server dead ends after it: that server is not brought back (census
/// `client-stale-preference`).
#[windtunnel_sim::test(seeds = 16)]
pub async fn an_older_call_does_not_bring_a_dead_server_back(_sim: Sim) {
    // Each request says how long the servers take for it; a server that takes no time is dead.
    let call_one = |server: usize, takes: [Duration; 3]| async move {
        if takes[server].is_zero() {
            return Err("dead");
        }
        time::sleep(takes[server]).await;
        Ok(server)
    };
    let client = Arc::new(Client::new(vec![0, 1, 2], OPTIONS, call_one));
    let older = Arc::clone(&client);
    // It moves the preference as well, from server 0 to 1.
    let older = spawn(async move { older.call([time::secs(60), time::millis(800), time::secs(60)]).await });
    time::sleep(time::millis(500)).await;
    assert_eq!(client.call([Duration::ZERO, Duration::ZERO, time::millis(100)]).await, Ok(2));
    assert_eq!(client.preferred().await, 2);
    assert_eq!(older.await.expect("it ends"), Ok(1));
    assert_eq!(client.preferred().await, 2, "server 1 has died since");
}

/// Servers are asked a stagger apart, or as soon as the last one asked has failed; one asked earlier that fails hurries nobody.
#[windtunnel_sim::test(seeds = 16)]
pub async fn servers_are_asked_a_stagger_apart_or_once_the_last_has_failed(_sim: Sim) {
    let call_one = |server: usize, start: Instant| async move {
        match server {
            // Silent for longer than its turn, then it fails in the middle of the turn of server 2.
            0 => time::sleep(time::millis(1_500)).await,
            1 => {}
            _ => {
                let asked = tenths_since(start);
                time::sleep(time::millis(800)).await;
                return Ok((server, asked));
            }
        }
        Err("no")
    };
    let client = Client::new(vec![0, 1, 2, 3], OPTIONS, call_one);
    let start = Instant::now();
    assert_eq!(client.call(start).await, Ok((2, 10)), "server 1 fails at once, and server 3 is not asked");
    assert_eq!((tenths_since(start), client.preferred().await), (18, 2));
}

fn client(nodes: &[Node]) -> Client<SocketAddr, impl Fn(SocketAddr, ()) -> CallOne + use<>> {
    let call_one: fn(SocketAddr, ()) -> CallOne = |addr, ()| Box::pin(ask(addr));
    Client::new(nodes.iter().map(|node| node.addr(PORT)).collect(), OPTIONS, call_one)
}

type CallOne = std::pin::Pin<Box<dyn Future<Output = std::io::Result<u8>> + Send>>;

/// A dead server is asked by one call; the next begin with one that is alive.
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_dead_server_delays_one_call(sim: Sim) {
    let (nodes, _) = replicas(&sim, &[time::millis(10); 3]);
    time::sleep(time::secs(1)).await;
    let client = client(&nodes);
    for (dead, delay) in [(None, 0), (Some(0), 1), (None, 0), (Some(1), 1), (None, 0)] {
        if let Some(dead) = dead {
            sim.kill(&nodes[dead]);
        }
        let start = Instant::now();
        let answer = client.call(()).await.expect("one server is alive");
        assert_eq!(usize::from(answer), client.preferred().await);
        assert_eq!(start.elapsed().as_secs(), delay, "server {answer} answered");
    }
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// With every server out of reach a call ends at its deadline, and leaves nothing behind.
#[windtunnel_sim::test(seeds = 64)]
pub async fn the_deadline_holds_with_every_server_dead(sim: Sim) {
    let (nodes, _) = replicas(&sim, &[time::millis(10); 3]);
    for node in &nodes {
        sim.kill(node);
    }
    let (client, start) = (client(&nodes), Instant::now());
    assert!(matches!(client.call(()).await, Err(NoAnswer::TimedOut { .. })));
    assert_eq!(start.elapsed().as_secs(), OPTIONS.deadline.as_secs());
    assert_eq!(client.preferred().await, 0, "none was better");
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// Whatever befalls a minority, calls are answered; and once it has passed, all of them by one server, without delay.
#[windtunnel_sim::test(seeds = 128)]
pub async fn calls_are_answered_while_a_minority_is_in_trouble(sim: Sim) {
    let (nodes, _) = replicas(&sim, &[time::millis(10); 3]);
    sim.faults(faults::any().on_minority_of(&nodes).on_ports([PORT]).healed_by(time::secs(10)));
    let client = client(&nodes);
    let begin = Instant::now();
    while begin.elapsed() < time::secs(12) {
        client.call(()).await.expect("two servers are well");
        time::sleep(time::millis(100)).await;
    }
    let preferred = client.preferred().await;
    for _ in 0..5 {
        let start = Instant::now();
        assert_eq!(client.call(()).await.map(usize::from).expect("all are well"), preferred);
        assert!(start.elapsed() < OPTIONS.stagger, "{:?}", start.elapsed());
    }
    assert_eq!(live_tasks_of_patterns(), 0);
}
