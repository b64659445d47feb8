//! The registry: the live tasks of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Entry;
use crate::lock::Lock;

/// Threads that spawn at the same time meet in one of so many places.
const SHARDS: usize = 8;

/// The live tasks of a run.
pub(crate) struct Registry {
    next: AtomicU64,
    shards: [Shard; SHARDS],
}

/// The tasks whose number is the same modulo [`SHARDS`], on cache lines of their own.
#[repr(align(128))]
struct Shard(Lock<Slab>);

/// Entries in places that are used again, so that a spawn allocates nothing here once as many tasks have been alive.
struct Slab {
    places: Vec<Option<Arc<Entry>>>,
    free: Vec<usize>,
}

impl Registry {
    pub(crate) const fn new() -> Self {
        let shards = [const { Shard(Lock::outside_models(Slab { places: Vec::new(), free: Vec::new() })) }; SHARDS];
        Self { next: AtomicU64::new(0), shards }
    }

    /// Adds what `entry` makes of its number and its place.
    pub(super) fn add(&self, entry: impl FnOnce(u64, usize) -> Entry) -> Arc<Entry> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut slab = self.shard(id).lock();
        let place = slab.free.pop().unwrap_or_else(|| {
            slab.places.push(None);
            slab.places.len() - 1
        });
        let entry = Arc::new(entry(id, place));
        slab.places[place] = Some(Arc::clone(&entry));
        entry
    }

    /// Removes `entry`, which was added here and is removed once.
    pub(super) fn remove(&self, entry: &Entry) {
        let mut slab = self.shard(entry.id).lock();
        let removed = slab.places[entry.place].take();
        slab.free.push(entry.place);
        drop(slab);
        debug_assert!(removed.is_some_and(|removed| removed.id == entry.id), "a task leaves its own place");
    }

    /// The live tasks, oldest first.
    pub(crate) fn live(&self) -> Vec<Arc<Entry>> {
        let mut live = Vec::new();
        for shard in &self.shards {
            live.extend(shard.0.lock().places.iter().flatten().cloned());
        }
        live.sort_unstable_by_key(|entry| entry.id);
        live
    }

    fn shard(&self, id: u64) -> &Lock<Slab> {
        let shard = usize::try_from(id % SHARDS as u64).expect("below SHARDS");
        &self.shards[shard].0
    }
}
