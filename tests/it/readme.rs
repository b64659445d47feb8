//! The README's examples, run: the same function under tokio, in a model and in a simulated cluster.

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::{Receiver, Sender, channel, select, spawn, time};
use windtunnel_sim::Sim;

/// Adds what arrives and reports the total each second. Ends when `numbers` closes or nobody reads `totals`.
pub async fn tally(numbers: Receiver<u64>, totals: Sender<u64>) {
    let mut total = 0;
    let mut tick = time::interval(time::secs(1));
    loop {
        select! {
            n = numbers.recv() => match n { Some(n) => total += n, None => break },
            _ = tick.tick() => if totals.send(total).await.is_err() { break },
        }
    }
}

#[windtunnel_model::test(max_ticks = 1)]
async fn tally_leaves_no_task_behind() {
    let (numbers, input) = channel(0);
    let (output, totals) = channel(1);
    spawn(tally(input, output));
    numbers.send(40).await.unwrap();
    numbers.send(2).await.unwrap();
    drop(numbers);
    while totals.recv().await.is_some() {}
}

#[windtunnel_sim::test(seeds = 256)]
async fn a_partitioned_server_answers_once_healed(sim: Sim) {
    let server = sim.node("server", |node| serve(node.addr(80)));
    sim.partition(&[&server], &[sim.main()]);
    time::sleep(time::secs(5)).await;
    sim.heal();
    assert_eq!(ask(server.addr(80)).await.unwrap(), "hello");
}

async fn serve(addr: std::net::SocketAddr) {
    let listener = TcpListener::bind(addr).await.expect("the port is free");
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = stream.write_all(b"hello").await;
    }
}

async fn ask(addr: std::net::SocketAddr) -> std::io::Result<String> {
    let mut answer = String::new();
    TcpStream::connect(addr).await?.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[test]
fn tally_adds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let ((numbers, input), (output, totals)) = (channel(0), channel(1));
        spawn(tally(input, output));
        numbers.send(42).await.unwrap();
        while totals.recv().await != Some(42) {}
    });
}
