//! The registry: the live tasks of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Entry;
use crate::backend::Kind;
use crate::lock::Lock;
use crate::run;

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
    /// Entries of tasks that have ended, whose memory the next ones take over.
    spare: Vec<Arc<Entry>>,
}

/// Spare entries of a shard: what a process keeps at most is some hundred kilobytes in all.
const SPARE: usize = 128;

impl Registry {
    pub(crate) const fn new() -> Self {
        let shards = [const { Shard(Lock::outside_models(Slab { places: Vec::new(), free: Vec::new(), spare: Vec::new() })) };
            SHARDS];
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
        let entry = slab.reuse(entry(id, place));
        slab.places[place] = Some(Arc::clone(&entry));
        entry
    }

    /// Removes `entry`, which was added here and is removed once.
    pub(super) fn remove(&self, entry: &Entry) {
        let mut slab = self.shard(entry.id).lock();
        let removed = slab.places[entry.place].take();
        slab.free.push(entry.place);
        let removed = removed.filter(|removed| removed.id == entry.id).expect("a task leaves its own place");
        if keeps_entries(run::kind()) && slab.spare.len() < SPARE {
            slab.spare.push(removed);
        }
    }

    /// Forgets every task.
    #[cfg(feature = "model")]
    pub(crate) fn clear(&mut self) {
        *self.next.get_mut() = 0;
        for shard in &mut self.shards {
            let mut slab = shard.0.lock();
            slab.places.clear();
            slab.free.clear();
        }
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

    /// The live task of this number.
    #[cfg(feature = "sim")]
    pub(super) fn find(&self, id: u64) -> Option<Arc<Entry>> {
        self.shard(id).lock().places.iter().flatten().find(|entry| entry.id == id).cloned()
    }

    fn shard(&self, id: u64) -> &Lock<Slab> {
        let shard = usize::try_from(id % SHARDS as u64).expect("below SHARDS");
        &self.shards[shard].0
    }
}

/// Whether the memory of an entry may be used again. On loom it holds objects that end with the execution.
fn keeps_entries(kind: Kind) -> bool {
    match kind {
        Kind::Tokio => true,
        #[cfg(feature = "sim")]
        Kind::Madsim => false,
        #[cfg(feature = "model")]
        Kind::Loom => false,
        #[cfg(feature = "model")]
        Kind::Explore => true,
    }
}

impl Slab {
    /// `entry` in memory of its own: that of an ended task, if nobody looks at it any more.
    fn reuse(&mut self, entry: Entry) -> Arc<Entry> {
        if let Some(mut spare) = self.spare.pop()
            && let Some(place) = Arc::get_mut(&mut spare)
        {
            *place = entry;
            return spare;
        }
        Arc::new(entry)
    }
}
