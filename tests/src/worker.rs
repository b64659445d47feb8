//! A server that runs tasks, and its client, over TCP: one line each way. The same code on a real and a simulated network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use windtunnel::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::{task, time};
use windtunnel_patterns::scheduler::Job;

/// What a server does with a task, of which it has the number and the key: false if it fails.
pub type Run = Arc<dyn Fn(usize, &str) -> bool + Send + Sync>;

/// Longest time a server waits for a client that connected and says nothing.
const PATIENCE: Duration = time::secs(5);

/// Accepts connections for ever; each brings one task.
pub async fn serve(listener: TcpListener, run: Run) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let run = Arc::clone(&run);
        task::spawn_named("connection", async move {
            let _ = time::timeout(PATIENCE, handle(stream, run)).await;
        });
    }
}

async fn handle(stream: TcpStream, run: Run) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let job = line.strip_prefix("run ").and_then(|job| job.trim_end().split_once(' '));
    let answer = match job.and_then(|(task, key)| Some((task.parse().ok()?, key))) {
        Some((task, key)) if run(task, key) => "done\n",
        Some(_) => "failed\n",
        None => "what?\n",
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await
}

/// Asks the server at `addr` to do `job`.
///
/// # Errors
/// If the connection fails, or the server says anything but `done`.
pub async fn call(addr: SocketAddr, job: Job) -> io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(addr).await?);
    stream.write_all(format!("run {} {}\n", job.task, job.key()).as_bytes()).await?;
    stream.flush().await?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    if answer == "done\n" { Ok(()) } else { Err(io::Error::other(format!("the server said {answer:?}"))) }
}
