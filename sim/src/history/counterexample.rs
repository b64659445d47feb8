//! Why a history is not linearizable, as small as it goes.

use std::fmt;

use super::check::item;
use super::model::Model;
use super::record::{History, Moment, Operation};
use super::search::{Found, Item, Search};

/// The part of a history that is not linearizable.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The object, if there are several.
    pub key: Option<String>,
    /// The operations on it in the shortest prefix that is not linearizable, as indexes into the history, by invocation. A
    /// prefix ends with a return; what has not returned by then has an unknown outcome.
    pub prefix: Vec<usize>,
    /// Of these, a smallest set that conflicts: whatever the others did, and whenever after their invocation, there is no
    /// order. Without one of these there is. By invocation.
    pub conflict: Vec<usize>,
    /// Whether a search was stopped on the way, so that prefix or set may be larger than need be.
    pub bounded: bool,
    /// Where the prefix ends.
    pub(super) end: Moment,
    /// The conflicting operations, as a table.
    rows: Vec<[String; 5]>,
}

/// Looks at `stop` that one search for something smaller may take, each after a thousand steps, and that all of them may.
const LOOKS_EACH: u32 = 20_000;
const LOOKS_IN_ALL: u32 = 100_000;

/// Operations with which the search for few that conflict ends.
const MOST_GROWN: usize = 64;

impl Counterexample {
    /// For the operations `members`, which are not linearizable but have an order up to `from`.
    pub(super) fn find<M: Model>(
        history: &History<M::Op, M::Ret>,
        model: &M,
        key: &M::Key,
        members: &[usize],
        from: Moment,
        stop: &mut dyn FnMut() -> bool,
    ) -> Self {
        let mut minimiser =
            Minimiser { model, operations: &history.operations, members, stop, looks: 0, bounded: false };
        let (end, kept) = minimiser.shortest_prefix(from);
        let mut conflict = minimiser.minimal(end, kept);
        let bounded = minimiser.bounded;
        let invoked = |index: &usize| history.operations[*index].invoke;
        let mut prefix: Vec<usize> = members.iter().copied().filter(|index| invoked(index) < end).collect();
        prefix.sort_by_key(invoked);
        conflict.sort_by_key(invoked);
        let rows = conflict.iter().map(|index| row(model, &history.operations[*index])).collect();
        let key = Some(format!("{key:?}")).filter(|key| key != "()");
        Self { key, prefix, conflict, bounded, end, rows }
    }
}

fn row<M: Model>(model: &M, operation: &Operation<M::Op, M::Ret>) -> [String; 5] {
    let Operation { process, op, invoke, returned } = operation;
    let (ret, at) = match returned {
        Some((ret, at)) => (format!("{ret:?}"), format!("{:?}", at.at)),
        None => ("?".into(), "?".into()),
    };
    [process.clone(), model.describe(op), ret, format!("{:?}", invoke.at), at]
}

/// Searches again and again, for less.
struct Minimiser<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Op, M::Ret>],
    members: &'a [usize],
    stop: &'a mut dyn FnMut() -> bool,
    looks: u32,
    bounded: bool,
}

impl<M: Model> Minimiser<'_, M> {
    fn returned(&self, index: usize) -> Option<Moment> {
        self.operations[index].returned.as_ref().map(|(_, at)| *at)
    }

    /// Whether the operations up to `end` have no order although all but the sorted `kept` may have any outcome.
    fn conflicts(&mut self, end: Moment, kept: &[usize]) -> bool {
        matches!(self.search(end, kept), Found::Nothing(_))
    }

    /// An order of the operations up to `end` if all but the sorted `kept` may have any outcome.
    fn search(&mut self, end: Moment, kept: &[usize]) -> Found {
        if self.looks >= LOOKS_IN_ALL {
            self.bounded = true;
            return Found::Stopped;
        }
        let known = |index: &usize| kept.binary_search(index).is_ok();
        let items = self.members.iter().filter(|index| self.operations[**index].invoke < end).map(|index| {
            let item: Item<M> = item(self.operations, *index);
            Item { returned: item.returned.filter(|_| known(index)), ..item }
        });
        let search = Search::new(self.model, items);
        let (stop, looks) = (&mut *self.stop, &mut self.looks);
        let most = LOOKS_IN_ALL.min(*looks + LOOKS_EACH);
        let found = search.run(&mut || {
            *looks += 1;
            *looks > most || stop()
        });
        self.bounded |= found == Found::Stopped;
        found
    }

    /// Where the shortest prefix without an order ends, not before `from`, and what has returned in it.
    fn shortest_prefix(&mut self, from: Moment) -> (Moment, Vec<usize>) {
        let mut ends: Vec<Moment> = self.members.iter().filter_map(|index| self.returned(*index)).collect();
        ends.retain(|end| *end >= from);
        ends.sort();
        let within = |this: &Self, end: Moment| -> Vec<usize> {
            let returned = |index: &usize| this.returned(*index).is_some_and(|at| at <= end);
            this.members.iter().copied().filter(returned).collect()
        };
        // The first is nearly always it. A longer prefix of one without an order has none either.
        let (mut low, mut high, mut probe) = (0, ends.len() - 1, 0);
        while low < high {
            let kept = within(self, ends[probe]);
            if self.conflicts(ends[probe], &kept) {
                high = probe;
            } else {
                low = probe + 1;
            }
            probe = low.midpoint(high);
        }
        (ends[high], within(self, ends[high]))
    }

    /// A part of `all` that conflicts, if few are enough: first that which returned last and then, as long as there is an
    /// order, one that it shows to be missing.
    fn grown(&mut self, end: Moment, all: &[usize]) -> Option<Vec<usize>> {
        let mut by_return = all.to_vec();
        by_return.sort_by_key(|index| self.returned(*index));
        let mut kept = vec![by_return.pop()?];
        let begins = self.operations[kept[0]].invoke;
        while kept.len() < MOST_GROWN {
            let order = match self.search(end, &kept) {
                Found::Nothing(_) => return Some(kept),
                Found::Stopped => return None,
                Found::Order(order) => order,
            };
            // What took effect as it did not, perhaps; or else the latest that was not seen to take effect before the last.
            let took_effect = order.iter().copied().find(|index| by_return.contains(index));
            let before = |index: &&usize| self.returned(**index).is_some_and(|at| at < begins);
            let missing = took_effect.or_else(|| by_return.iter().rfind(before).or(by_return.last()).copied())?;
            by_return.retain(|index| *index != missing);
            kept.push(missing);
            kept.sort_unstable();
        }
        None
    }

    /// The smallest part of `kept` that is found by leaving out halves, quarters and so on, down to single operations.
    fn minimal(&mut self, end: Moment, mut kept: Vec<usize>) -> Vec<usize> {
        if let Some(grown) = self.grown(end, &kept) {
            kept = grown;
        }
        let mut size = kept.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < kept.len() {
                let without = [&kept[..at], &kept[kept.len().min(at + size)..]].concat();
                if self.conflicts(end, &without) {
                    kept = without;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        kept
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortest = if self.bounded { "a" } else { "the shortest" };
        let key = self.key.as_ref().map_or(String::new(), |key| format!(" on key {key}"));
        let (count, conflict) = (self.prefix.len(), self.conflict.len());
        writeln!(f, "not linearizable: {conflict} of {count} operations{key} conflict, whatever the others did")?;
        let end = self.end.at;
        write!(f, "  {shortest} prefix without an order has {count} operations and ends with the return at {end:?}")?;
        let head = ["process", "operation", "result", "invoke", "return"].map(String::from);
        let table: Vec<&[String; 5]> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 5] = std::array::from_fn(width);
        for row in table {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            write!(f, "\n  {}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}
