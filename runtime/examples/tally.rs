//! A production program: adds what arrives and reports the total each millisecond.

use windtunnel::{Receiver, Sender, channel, select, spawn, time};

/// Ends when `numbers` closes or nobody reads `totals`.
async fn tally(numbers: Receiver<u64>, totals: Sender<u64>) {
    let mut total = 0;
    let mut tick = time::interval(time::millis(1));
    loop {
        select! {
            n = numbers.recv() => match n {
                Some(n) => total += n,
                None => break,
            },
            _ = tick.tick() => if totals.send(total).await.is_err() {
                break;
            },
        }
    }
    // The last word, unless nobody listens.
    let _ = totals.send(total).await;
}

#[tokio::main]
async fn main() {
    let (numbers, input) = channel(0);
    let (output, totals) = channel(16);
    spawn(tally(input, output));
    spawn(async move {
        for n in 1..=100 {
            if numbers.send(n).await.is_err() {
                return;
            }
            time::sleep(time::millis(1)).await;
        }
    });
    let mut last = 0;
    while let Some(total) = totals.recv().await {
        last = total;
    }
    println!("the total is {last}");
}
