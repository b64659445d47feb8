//! Channels side by side: producers → consumers, at three capacities, on both schedulers of tokio. The result is the time
//! of one message.

mod common;
mod rivals;
mod share;

use common::{criterion, measure, runtimes};
use criterion::Criterion;
use rivals::{AsyncChannel, Channel, Flume, Kanal, Tokio, Windtunnel};
use share::share;
use tokio::runtime::Runtime;

const SHAPES: [(u64, u64); 4] = [(1, 1), (4, 1), (1, 4), (4, 4)];
const CAPACITIES: [usize; 3] = [0, 1, 100];

fn main() {
    let mut criterion = criterion();
    for (threads, runtime) in &runtimes() {
        for (producers, consumers) in SHAPES {
            for capacity in CAPACITIES {
                let name = format!("channel {threads} {producers}to{consumers} capacity {capacity}");
                let cell = Cell { name, runtime, producers, consumers, capacity };
                cell.compare(&mut criterion);
            }
        }
    }
    criterion.final_summary();
}

struct Cell<'a> {
    name: String,
    runtime: &'a Runtime,
    producers: u64,
    consumers: u64,
    capacity: usize,
}

impl Cell<'_> {
    fn compare(&self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(&self.name);
        self.add::<Windtunnel>(&mut group);
        self.add::<Kanal>(&mut group);
        self.add::<Flume>(&mut group);
        self.add::<AsyncChannel>(&mut group);
        self.add::<Tokio>(&mut group);
        group.finish();
    }

    /// Measures channel `C`, where it has what the cell asks for.
    fn add<C: Channel>(&self, group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
        if (self.capacity > 0 || C::RENDEZVOUS) && (self.consumers == 1 || C::CONSUMERS) {
            let &Self { producers, consumers, capacity, .. } = self;
            measure(group, self.runtime, C::NAME, |n| transfer::<C>(n, producers, consumers, capacity));
        }
    }
}

/// Moves `n` messages from the producers to the consumers and waits until the last has arrived.
async fn transfer<C: Channel>(n: u64, producers: u64, consumers: u64, capacity: usize) {
    let (sender, receivers) = C::open(capacity, consumers);
    let consumers: Vec<_> = receivers
        .into_iter()
        .map(|mut receiver| {
            C::spawn(async move {
                let mut received = 0;
                while C::recv(&mut receiver).await.is_some() {
                    received += 1;
                }
                received
            })
        })
        .collect();
    for n in share(n, producers) {
        let sender = sender.clone();
        drop(C::spawn(async move {
            for message in 0..n {
                C::send(&sender, message).await;
            }
            0
        }));
    }
    drop(sender);
    let mut received = 0;
    for consumer in consumers {
        received += consumer.await;
    }
    assert_eq!(received, n, "every message arrives once");
}
