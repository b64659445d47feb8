//! Randomness of the run: the operating system's on tokio, the seed's in a simulation, explored or fixed in a model.

use rand::RngCore;

use crate::backend::Kind;
use crate::run;

/// One of `0..n`.
///
/// In a simulation it follows the seed; in a model *every* alternative is explored, so keep `n` small there.
///
/// # Panics
/// If `n` is zero.
pub fn choose(n: usize) -> usize {
    run::choose(n)
}

/// The current run's generator, for use with the `rand` crate.
///
/// On tokio this is `rand`'s thread generator, in a simulation the workload's own stream of the seed. In a model it is a
/// fixed stream that is not explored: use [`choose`] for what the model should vary.
pub fn rng() -> Rng {
    Rng(())
}

/// See [`rng`].
#[derive(Debug)]
pub struct Rng(());

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        match run::kind() {
            Kind::Tokio => rand::rng().fill_bytes(bytes),
            #[cfg(feature = "model")]
            Kind::Explore => {
                crate::engine::explore::World::with(crate::engine::explore::World::draw);
                run::with(|run| run.engine().workload().fill_bytes(bytes));
            }
            #[cfg(any(feature = "sim", feature = "model"))]
            _ => run::with(|run| run.engine().workload().fill_bytes(bytes)),
        }
    }
}
