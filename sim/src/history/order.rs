//! Checks of sequences: what subscribers saw, what producers sent.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// Passes if one order of all elements agrees with every sequence: no two subscribers, and no circle of them, disagree. A
/// sequence may lack elements; one that has an element twice agrees with no order.
///
/// # Panics
/// Otherwise, with elements each of which comes before the next, and the last before the first.
#[track_caller]
pub fn assert_same_order<T: Eq + Hash + Debug>(sequences: &[Vec<T>]) {
    let mut followers: HashMap<&T, Vec<&T>> = HashMap::new();
    let mut preceding: HashMap<&T, usize> = HashMap::new();
    let mut elements: Vec<&T> = Vec::new();
    for element in sequences.iter().flatten() {
        preceding.entry(element).or_insert_with(|| {
            elements.push(element);
            0
        });
    }
    for pair in sequences.iter().flat_map(|sequence| sequence.windows(2)) {
        followers.entry(&pair[0]).or_default().push(&pair[1]);
        *preceding.entry(&pair[1]).or_default() += 1;
    }
    // Kahn's algorithm: what is never free is on a circle, or behind one.
    let mut free: VecDeque<&T> = elements.iter().copied().filter(|element| preceding[element] == 0).collect();
    while let Some(element) = free.pop_front() {
        for follower in followers.remove(element).unwrap_or_default() {
            let count = preceding.get_mut(follower).expect("every element is there");
            *count -= 1;
            if *count == 0 {
                free.push_back(follower);
            }
        }
    }
    if let Some(start) = elements.into_iter().find(|element| preceding[element] > 0) {
        let circle = circle(start, &followers, &preceding);
        panic!("not in one order: each of these comes before the next somewhere: {circle:?}");
    }
}

/// Elements each of which comes before the next, the last of them the first again.
fn circle<'a, T: Eq + Hash>(
    start: &'a T,
    followers: &HashMap<&'a T, Vec<&'a T>>,
    preceding: &HashMap<&'a T, usize>,
) -> Vec<&'a T> {
    // Backwards, since everything left has something left before it.
    let before = |element: &T| {
        let comes_before = |(_, next): &(&&T, &Vec<&T>)| next.contains(&element);
        followers.iter().find(comes_before).map(|(before, _)| *before).filter(|before| preceding[before] > 0)
    };
    let mut path = vec![start];
    loop {
        let previous = before(path[path.len() - 1]).expect("what is left has something before it");
        path.push(previous);
        if let Some(at) = path.iter().position(|element| *element == previous).filter(|at| *at < path.len() - 1) {
            path.drain(..at);
            path.reverse();
            return path;
        }
    }
}

/// Passes if `seen` has what each producer sent in the order in which it did. It may lack elements.
///
/// # Panics
/// Otherwise, with the producer and the element that came too early.
#[track_caller]
pub fn assert_program_order<P: Debug, T: Eq + Hash + Debug>(sent: &[(P, Vec<T>)], seen: &[T]) {
    let mut numbers = HashMap::new();
    for (producer, (_, elements)) in sent.iter().enumerate() {
        numbers.extend(elements.iter().enumerate().map(|(number, element)| (element, (producer, number))));
    }
    let mut latest: Vec<Option<usize>> = vec![None; sent.len()];
    for element in seen {
        let Some((producer, number)) = numbers.get(element).copied() else { continue };
        if let Some(before) = latest[producer].filter(|before| *before >= number) {
            let (name, elements) = &sent[producer];
            panic!("out of order: {name:?} sent {element:?} before {:?}, which was seen first", elements[before]);
        }
        latest[producer] = Some(number);
    }
}

/// Passes if `seen` has each element as often as `sent` has it, in whatever order.
///
/// # Panics
/// Otherwise, with the first element that is lost, doubled or was never sent.
#[track_caller]
pub fn assert_nothing_lost_or_doubled<'a, T: Eq + Hash + Debug + 'a>(
    sent: impl IntoIterator<Item = &'a T>,
    seen: impl IntoIterator<Item = &'a T>,
) {
    let mut counts: HashMap<&T, (u64, u64)> = HashMap::new();
    let sent: Vec<&T> = sent.into_iter().collect();
    let seen: Vec<&T> = seen.into_iter().collect();
    for element in &sent {
        counts.entry(element).or_default().0 += 1;
    }
    for element in &seen {
        counts.entry(element).or_default().1 += 1;
    }
    for element in sent.iter().chain(&seen) {
        let (sent, seen) = counts[*element];
        assert!(sent == seen, "{element:?} was sent {sent} times and seen {seen} times");
    }
}
