//! Histories of clients whose operations overlap.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windtunnel_sim::history::{History, Model, Moment, Operation};

/// A history of `count` operations by `clients`, each of which takes effect at a random moment between its invocation and
/// its return: linearizable, by construction. `draw` makes the operations.
pub fn linearizable<M: Model<Ret: Clone>>(
    model: &M,
    (seed, count, clients): (u64, usize, usize),
    mut draw: impl FnMut(&mut ChaCha8Rng, usize) -> M::Op,
    result: impl Fn(&M::State, &M::Op) -> M::Ret,
) -> History<M::Op, M::Ret> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut free_at = vec![0_u64; clients];
    let mut operations = Vec::new();
    for number in 0..count {
        let client = number % clients;
        let invoke = free_at[client] + rng.random_range(1..100);
        let effect = invoke + rng.random_range(1..1000);
        let end = effect + rng.random_range(1..1000);
        free_at[client] = end;
        operations.push((effect, client, draw(&mut rng, number), invoke, end));
    }
    operations.sort_by_key(|(effect, client, ..)| (*effect, *client));
    let mut states = std::collections::HashMap::new();
    let moment = |at: u64, order| Moment { at: Duration::from_nanos(at), order };
    let take_effect = |(_, client, op, invoke, end): (u64, usize, M::Op, u64, u64)| {
        let state = states.entry(model.key(&op)).or_insert_with(|| model.init());
        let ret = result(state, &op);
        *state = model.step(state, &op, Some(&ret)).expect("the result is the state's own");
        let returned = Some((ret, moment(end, 1)));
        Operation { process: client.to_string(), op, invoke: moment(invoke, 0), returned }
    };
    History { operations: operations.into_iter().map(take_effect).collect() }
}
