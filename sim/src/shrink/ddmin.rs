//! Delta debugging.

/// The `items` that a failure needs: `fails` says whether some of them, in order, still fail; all of them do. Taking any one of
/// the result away makes it pass, unless `fails` gave up on the way.
///
/// The algorithm `ddmin` of Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (IEEE Transactions on
/// Software Engineering, 2002) after a try with no items at all.
pub fn ddmin<T: Clone>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if items.is_empty() || fails(&[]) {
        return Vec::new();
    }
    let mut items = items;
    let mut parts = 2;
    while items.len() >= 2 {
        let size = items.len().div_ceil(parts);
        let starts = || (0..items.len()).step_by(size);
        let part = |start: usize| &items[start..items.len().min(start + size)];
        let rest = |start: usize| [&items[..start], &items[items.len().min(start + size)..]].concat();
        let smaller = starts().map(|start| part(start).to_vec()).find(|part| fails(part));
        if let Some(part) = smaller {
            items = part;
            parts = 2;
            continue;
        }
        // With two parts, the rest of one is the other.
        let smaller = starts().filter(|_| parts > 2).map(rest).find(|rest| fails(rest));
        if let Some(rest) = smaller {
            items = rest;
            parts = (parts - 1).max(2);
        } else if size == 1 {
            break;
        } else {
            parts = (parts * 2).min(items.len());
        }
    }
    items
}
