//! `select!` over two and over eight channels: one task selects, another sends to each channel in turn. The result is the
//! time of one message. Each macro is measured over the channels that it comes with.

mod common;

use common::{criterion, measure, runtimes};
use futures::{SinkExt, StreamExt};

const CAPACITY: usize = 16;

/// One message in `$n` from each of the named channels, `$each` of them in all.
macro_rules! compare {
    ($group:ident, $runtime:ident, $($rx:ident)*) => {{
        measure(&mut $group, $runtime, "windtunnel", |n| async move {
            let (senders, receivers): (Vec<_>, Vec<_>) = [$(stringify!($rx)),*].map(|_| windtunnel::channel(CAPACITY)).into_iter().unzip();
            let producer = windtunnel::spawn(async move {
                for i in 0..n {
                    senders[index(i, senders.len())].send(i).await.expect("the selecting task is there");
                }
                senders
            });
            let [$($rx),*] = receivers.try_into().expect("as many as there are names");
            for _ in 0..n {
                windtunnel::select! { $(message = $rx.recv() => assert!(message.is_some()),)* }
            }
            producer.await.expect("a bench does not panic");
        });
        measure(&mut $group, $runtime, "tokio", |n| async move {
            let (senders, receivers): (Vec<_>, Vec<_>) = [$(stringify!($rx)),*].map(|_| tokio::sync::mpsc::channel(CAPACITY)).into_iter().unzip();
            let producer = tokio::spawn(async move {
                for i in 0..n {
                    senders[index(i, senders.len())].send(i).await.expect("the selecting task is there");
                }
                senders
            });
            let [$(mut $rx),*] = receivers.try_into().expect("as many as there are names");
            for _ in 0..n {
                tokio::select! { $(message = $rx.recv() => assert!(message.is_some()),)* }
            }
            producer.await.expect("a bench does not panic");
        });
        measure(&mut $group, $runtime, "futures", |n| async move {
            let (mut senders, receivers): (Vec<_>, Vec<_>) =
                [$(stringify!($rx)),*].map(|_| futures::channel::mpsc::channel(CAPACITY)).into_iter().unzip();
            let producer = tokio::spawn(async move {
                for i in 0..n {
                    let sender = index(i, senders.len());
                    senders[sender].send(i).await.expect("the selecting task is there");
                }
                senders
            });
            let [$(mut $rx),*] = receivers.try_into().expect("as many as there are names");
            for _ in 0..n {
                futures::select! { $(message = $rx.next() => assert!(message.is_some()),)* }
            }
            producer.await.expect("a bench does not panic");
        });
    }};
}

fn index(i: u64, len: usize) -> usize {
    usize::try_from(i).expect("few") % len
}

fn main() {
    let mut criterion = criterion();
    for (threads, runtime) in &runtimes() {
        let mut group = criterion.benchmark_group(format!("select {threads} 2 channels"));
        compare!(group, runtime, a b);
        group.finish();
        let mut group = criterion.benchmark_group(format!("select {threads} 8 channels"));
        compare!(group, runtime, a b c d e f g h);
        group.finish();
    }
    criterion.final_summary();
}
