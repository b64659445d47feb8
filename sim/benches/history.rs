//! Linearizability of 10,000 operations by 10 clients.

use criterion::Criterion;
use rand::Rng;
use windtunnel_sim::history::{EntryOp, KeyValue, Register, RegisterOp, Ret, Verdict};

mod share;

const EXTENT: (u64, usize, usize) = (1, 10_000, 10);

fn key_value(c: &mut Criterion) {
    for keys in [10, 100] {
        let model = KeyValue::<u64, usize>::default();
        let history = share::linearizable(
            &model,
            EXTENT,
            |rng, number| {
                let op = match rng.random_range(0..4) {
                    0 | 1 => EntryOp::Get,
                    2 => EntryOp::Put(number),
                    _ => EntryOp::Delete,
                };
                (rng.random_range(0..keys), op)
            },
            |state, (_, op)| if *op == EntryOp::Get { Ret::Value(*state) } else { Ret::Done },
        );
        c.bench_function(&format!("key-value, {keys} keys"), |b| {
            b.iter(|| assert!(matches!(history.check(&model, &mut || false), Verdict::Linearizable)));
        });
    }
}

fn register(c: &mut Criterion) {
    let model = Register(0);
    let draw = |rng: &mut rand_chacha::ChaCha8Rng, number| {
        if rng.random() { RegisterOp::Read } else { RegisterOp::Write(number + 1) }
    };
    let result = |state: &usize, op: &RegisterOp<usize>| match op {
        RegisterOp::Read => Ret::Value(*state),
        _ => Ret::Done,
    };
    let history = share::linearizable(&model, EXTENT, draw, result);
    c.bench_function("one register, distinct values", |b| {
        b.iter(|| assert!(matches!(history.check(&model, &mut || false), Verdict::Linearizable)));
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    key_value(&mut criterion);
    register(&mut criterion);
    criterion.final_summary();
}
