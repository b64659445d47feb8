//! Properties of a run: what holds always, in the end, and in some runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::Location;

use windtunnel::time::{self, Duration, Instant};

/// A condition that some run should meet, as [`sometimes`] noted it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sometimes {
    /// Its name.
    pub name: &'static str,
    /// The source line.
    pub at: String,
}

impl fmt::Display for Sometimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}   {}", self.name, self.at)
    }
}

/// Conditions, and whether they were met.
pub(crate) type Conditions = BTreeMap<Sometimes, bool>;

thread_local! {
    /// Those of the run on this thread.
    static CONDITIONS: RefCell<Option<Conditions>> = const { RefCell::new(None) };
}

/// Begins to note conditions on this thread, or ends it with `None`; what was noted before.
pub(crate) fn replace(conditions: Option<Conditions>) -> Conditions {
    CONDITIONS.replace(conditions).unwrap_or_default()
}

/// Adds the conditions of one run to those of others: one that was met somewhere is met.
pub(crate) fn merge(all: &mut Conditions, of_run: &Conditions) {
    for (condition, met) in of_run {
        *all.entry(condition.clone()).or_default() |= met;
    }
}

/// Passes if `condition` holds.
///
/// # Panics
/// Otherwise, with `name`.
#[track_caller]
pub fn always(name: &str, condition: bool) {
    assert!(condition, "always: {name}: does not hold");
}

/// Waits until `condition` holds, which is looked at every thousandth of `within`, though not more often than once a
/// millisecond.
///
/// # Panics
/// With `name`, if it does not hold after `within`.
#[track_caller]
pub fn eventually<F: FnMut() -> bool>(
    name: &str,
    within: Duration,
    mut condition: F,
) -> impl Future<Output = ()> + use<'_, F> {
    let at = Location::caller();
    async move {
        let deadline = Instant::now() + within;
        while !condition() {
            assert!(Instant::now() < deadline, "eventually: {name}: does not hold after {within:?}   {at}");
            time::sleep((within / 1000).max(time::millis(1)).min(deadline - Instant::now())).await;
        }
    }
}

/// Notes whether `condition` held. One that holds at no call with its name and source line in any run of a sweep fails the
/// sweep: the test does not test what it should. A single run does not fail by it. Outside a simulation it does nothing.
///
/// Call it where every run comes by: what no run calls, nothing notes.
#[track_caller]
pub fn sometimes(name: &'static str, condition: bool) {
    let at = Location::caller();
    CONDITIONS.with_borrow_mut(|conditions| {
        if let Some(conditions) = conditions {
            let key = Sometimes { name, at: format!("{}:{}", at.file(), at.line()) };
            *conditions.entry(key).or_default() |= condition;
        }
    });
}
