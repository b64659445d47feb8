//! What is repeated at the end of a list.

use std::ops::Range;

/// The end of a list, which goes round and round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle {
    /// The first round.
    pub(crate) round: Range<usize>,
    /// How often it was gone round; there may be a part of a round after that.
    pub(crate) times: usize,
}

/// Items of a round at most, and rounds at least.
const LONGEST: usize = 1000;
const ROUNDS: usize = 3;

/// The shortest round that makes up, many times, about as much of the end of `items` as any does.
pub(crate) fn at_end_of<T: PartialEq>(items: &[T]) -> Option<Cycle> {
    let rounds: Vec<(usize, usize)> = (1..=LONGEST.min(items.len() / ROUNDS))
        .map(|period| {
            let equal = items.iter().rev().zip(items.iter().rev().skip(period)).take_while(|(a, b)| a == b);
            (period, equal.count() + period)
        })
        .filter(|(period, covered)| covered / period >= ROUNDS)
        .collect();
    let most = rounds.iter().map(|(_, covered)| *covered).max()?;
    let (period, covered) = rounds.into_iter().find(|(_, covered)| *covered >= most - most / 4)?;
    let start = items.len() - covered;
    Some(Cycle { round: start..start + period, times: covered / period })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(&str, usize)> {
        let cycle = at_end_of(text.as_bytes())?;
        Some((&text[cycle.round], cycle.times))
    }

    #[test]
    fn the_round_of_a_list_is_found_whole_and_once() {
        assert_eq!(found("xyabcabcabcabcab"), Some(("abc", 4)));
        assert_eq!(found("aaaa"), Some(("a", 4)));
        // Not the end of a round, which is repeated as well.
        assert_eq!(found("qabbbabbbabbbabbb"), Some(("abbb", 4)));
        assert_eq!(found("xabab"), None);
        assert_eq!(found(""), None);
    }
}
