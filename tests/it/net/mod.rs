//! The network tells the truth: the same bodies over loopback on tokio and over simulated links, and what only a simulation
//! can bring about.

mod addresses;
mod everywhere;
mod failures;
mod links;

use windtunnel::channel;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream, UdpSocket};
use windtunnel_sim::{Node, Sim};

const PORT: u16 = 80;

/// A test for each body of a simulation.
macro_rules! truths {
    ($(async fn $name:ident($sim:ident: Sim) $body:block)*) => {
        $(#[test] fn $name() {
            async fn body($sim: windtunnel_sim::Sim) $body
            $crate::common::simulate(stringify!($name), |sim| Box::pin(body(sim)));
        })*
    };
}
use truths;

/// A node that does nothing by itself.
fn idle(sim: &Sim, name: &str) -> Node {
    sim.node(name, |_| std::future::pending())
}

/// A node called `server`, and a connection to it: this end, and that.
async fn connected(sim: &Sim) -> (Node, TcpStream, TcpStream) {
    let server = idle(sim, "server");
    let (client, peer) = connected_to(sim, &server).await;
    (server, client, peer)
}

async fn connected_to(sim: &Sim, server: &Node) -> (TcpStream, TcpStream) {
    let addr = server.addr(PORT);
    let (bound, listening) = channel(1);
    let accepted = sim.spawn_on(server, "acceptor", async move {
        let listener = TcpListener::bind(addr).await.unwrap();
        bound.send(()).await.unwrap();
        listener.accept().await.unwrap().0
    });
    listening.recv().await.unwrap();
    (TcpStream::connect(addr).await.unwrap(), accepted.await.unwrap())
}

/// A socket on the main node, and one on a node called `server`.
async fn sockets(sim: &Sim) -> (Node, UdpSocket, UdpSocket) {
    let server = idle(sim, "server");
    let addr = server.addr(PORT);
    let there = sim.spawn_on(&server, "binder", async move { UdpSocket::bind(addr).await.unwrap() }).await.unwrap();
    (server, UdpSocket::bind(sim.main().addr(PORT)).await.unwrap(), there)
}

/// Sends a byte from one end to the other.
async fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"x").await.unwrap();
    to.read_exact(&mut [0]).await.unwrap();
}
