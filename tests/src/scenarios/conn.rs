//! Deadlines of connections on a network in trouble.

use std::io;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::conn::Conn;
use windtunnel_sim::{Node, Sim, faults, oracle};

const PORT: u16 = 820;
const PATIENCE: Duration = time::millis(50);

/// How many numbers it says.
const NUMBERS: u8 = 100;

/// Counts from zero to each that comes, one byte every 20 ms.
fn counter(sim: &Sim) -> Node {
    sim.node("counter", |node| async move {
        let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
        while let Ok((mut stream, _)) = listener.accept().await {
            spawn_named("connection", async move {
                for number in 0..NUMBERS {
                    time::sleep(time::millis(20)).await;
                    stream.write_u8(number).await?;
                }
                io::Result::Ok(())
            });
        }
    })
}

/// Reads numbers, each within its deadline or not, until the connection ends, breaks or is silent for ten deadlines; gives how many
/// came, and whether any of them came after a deadline had passed.
async fn count(mut conn: impl Conn) -> (u8, bool) {
    let (mut next, mut silent, mut late) = (0, 0, false);
    while silent < 10 {
        let start = Instant::now();
        conn.set_read_deadline(Some(start + PATIENCE));
        let read = conn.read_u8().await;
        assert!(start.elapsed() <= PATIENCE + time::millis(1), "{:?}", start.elapsed());
        match read {
            Ok(number) => {
                assert_eq!(number, next, "none is lost");
                late |= silent > 0;
                (next, silent) = (next + 1, 0);
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut && start.elapsed() >= PATIENCE => silent += 1,
            Err(_) => break,
        }
    }
    (next, late)
}

/// Whatever befalls the link, each read ends by its deadline, and bytes that come late are read by a later one.
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_deadline_loses_nothing_whatever_befalls_the_link(sim: Sim) {
    let node = counter(&sim);
    let end = Instant::now() + time::secs(20);
    sim.faults(faults::any().on(std::slice::from_ref(&node)).healed_by(time::secs(10)));
    let (mut whole, mut late) = (false, false);
    while Instant::now() < end {
        if let Ok(Ok(stream)) = time::timeout(time::secs(1), TcpStream::connect(node.addr(PORT))).await {
            let (numbers, came_late) = count(stream).await;
            whole |= numbers == NUMBERS;
            late |= came_late;
        }
        time::sleep(time::millis(100)).await;
    }
    assert!(whole, "it is healed for ten seconds");
    oracle::sometimes("a number comes after a deadline", late);
}
