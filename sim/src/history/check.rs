//! From a history to a verdict.

use std::cell::Cell;
use std::hash::BuildHasherDefault;

use indexmap::IndexMap;
use rustc_hash::FxHasher;

use super::counterexample::Counterexample;
use super::model::Model;
use super::record::{History, Operation};
use super::search::{Found, Item, Search};

/// Whether a history is linearizable.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is.
    Linearizable,
    /// It is not.
    NotLinearizable(Counterexample),
    /// The search was stopped, or would have needed too much memory.
    Undecided,
}

/// Steps of the search, in thousands, after which [`History::assert_linearizable`] gives up: some ten seconds. A number of
/// steps and not a time, so that a simulation stays a pure function of its seed.
const MOST_KILOSTEPS: u32 = 100_000;

impl<Op: std::fmt::Debug, Ret: std::fmt::Debug> History<Op, Ret> {
    /// Looks for an order of the operations until `stop` returns true, which is asked every thousand steps or so.
    ///
    /// The search remembers up to six million configurations of an object, about 500 MB where states are small, and gives up
    /// beyond.
    pub fn check<M: Model<Op = Op, Ret = Ret>>(&self, model: &M, stop: &mut dyn FnMut() -> bool) -> Verdict {
        let mut verdict = Verdict::Linearizable;
        for (key, members) in self.partition(model) {
            match Search::new(model, members.iter().map(|index| item(&self.operations, *index))).run(stop) {
                Found::Nothing(from) => {
                    let found = Counterexample::find(self, model, &key, &members, from, stop);
                    if !matches!(&verdict, Verdict::NotLinearizable(other) if other.end <= found.end) {
                        verdict = Verdict::NotLinearizable(found);
                    }
                }
                Found::Stopped if matches!(verdict, Verdict::Linearizable) => verdict = Verdict::Undecided,
                Found::Order(_) | Found::Stopped => {}
            }
        }
        verdict
    }

    /// The operations on each object, as indexes.
    fn partition<M: Model<Op = Op, Ret = Ret>>(
        &self,
        model: &M,
    ) -> IndexMap<M::Key, Vec<usize>, BuildHasherDefault<FxHasher>> {
        let mut members = IndexMap::<_, Vec<usize>, _>::default();
        for (index, operation) in self.operations.iter().enumerate() {
            members.entry(model.key(&operation.op)).or_default().push(index);
        }
        members
    }

    /// Passes if the history is linearizable.
    ///
    /// # Panics
    /// If it is not, with the operations that conflict; if that is not decided after a hundred million steps or in the memory
    /// that [`check`](Self::check) names.
    #[track_caller]
    pub fn assert_linearizable<M: Model<Op = Op, Ret = Ret>>(&self, model: &M) {
        let looks = Cell::new(0);
        let mut stop = || looks.replace(looks.get() + 1) >= MOST_KILOSTEPS;
        match self.check(model, &mut stop) {
            Verdict::Linearizable => {}
            Verdict::NotLinearizable(counterexample) => panic!("{counterexample}"),
            Verdict::Undecided => panic!(
                "undecided whether the history of {} operations is linearizable: record fewer operations on one object, \
                 or fewer of unknown outcome",
                self.operations.len()
            ),
        }
    }
}

/// The search's view of an operation.
pub(super) fn item<M: Model>(operations: &[Operation<M::Op, M::Ret>], id: usize) -> Item<'_, M> {
    let operation = &operations[id];
    let returned = operation.returned.as_ref().map(|(ret, at)| (ret, *at));
    Item { id, op: &operation.op, invoke: operation.invoke, returned }
}
