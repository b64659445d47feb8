//! Readers of quoted strings at the end of connections that break.

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::spawn;
use windtunnel::time::{self, Duration};
use windtunnel_patterns::quoted::{Held, Status};
use windtunnel_sim::{Sim, faults};

use super::live_tasks_of_patterns;

const PORT: u16 = 34;

/// Reads one string from `stream`, and answers with its length. A connection that breaks ends it wherever the string stands.
async fn answer(mut stream: TcpStream) -> windtunnel::io::Result<()> {
    let mut reader = Held::new();
    for length in 1.. {
        let status = reader.process(char::from(stream.read_u8().await?)).await;
        match status.expect("the string has not ended") {
            Status::NeedMoreInput => {}
            Status::Success => return stream.write_u8(length).await,
            Status::BadInput => return stream.write_u8(0).await,
        }
    }
    Ok(())
}

/// Says `text` slowly; gives the answer.
async fn ask(addr: std::net::SocketAddr, text: &str) -> windtunnel::io::Result<u8> {
    let mut stream = TcpStream::connect(addr).await?;
    for byte in text.bytes() {
        stream.write_u8(byte).await?;
        time::sleep(time::millis(50)).await;
    }
    stream.read_u8().await
}

/// Whatever befalls the clients, the server has a task that reads only for a string whose end it waits for, and every answer is
/// right.
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_connection_that_breaks_leaves_no_reader(sim: Sim) {
    let server = sim.node("server", |node| async move {
        let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
        while let Ok((stream, _)) = listener.accept().await {
            // A client that is dead says nothing any more.
            spawn(time::timeout(time::secs(20), answer(stream)));
        }
    });
    let addr = server.addr(PORT);
    let clients = sim.nodes("client", 4, move |_| async move {
        loop {
            for (text, length) in [(r#""two\" words""#, 13), ("\"\"", 2), ("no quote", 0)] {
                if let Ok(Ok(answer)) = time::timeout(time::secs(5), ask(addr, text)).await {
                    assert_eq!(answer, length, "{text}");
                    windtunnel_sim::oracle::sometimes("a string is read to its end", length > 0);
                }
            }
            time::sleep(time::millis(100)).await;
        }
    });
    sim.faults(faults::any().on(&clients).healed_by(time::secs(10)));
    time::sleep(time::secs(12)).await;
    for client in &clients {
        sim.kill(client);
    }
    time::sleep(Duration::from_secs(30)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}
