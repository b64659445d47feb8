//! `docs/hints.md`: the hints of the talk, and what shows each. Generated from the comments that name them, and held to be current.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::common::assert_current;

/// The hints of Russ Cox's MIT 6.824 lecture (002:2754-2781), in its order and words.
const HINTS: [&str; 18] = [
    "Use the race detector, for development and even production",
    "Convert data state into code state when it makes programs clearer",
    "Convert mutexes into goroutines when it makes programs clearer",
    "Use additional goroutines to hold additional code state",
    "Use goroutines to let independent concerns run independently",
    "Consider the effect of slow goroutines",
    "Know why and when each communication will proceed",
    "Know why and when each goroutine will exit",
    "Type Ctrl-\\ to kill a program and dump all its goroutine stacks",
    "Use the HTTP server's /debug/pprof/goroutine to inspect live goroutine stacks",
    "Use a buffered channel as a concurrent blocking queue",
    "Think carefully before introducing unbounded queuing",
    "Close a channel to signal that no more values will be sent",
    "Stop timers you don't need",
    "Prefer defer for unlocking mutexes",
    "Use a mutex if that is the clearest way to write the code",
    "Use a goto if that is the clearest way to write the code",
    "Use goroutines, channels, and mutexes together if that is the clearest way to write the code",
];

/// What comes after each comment that names hints: their numbers, and `file::name`.
fn shown(package: &Path) -> BTreeMap<usize, Vec<String>> {
    let comment = Regex::new(r"^\s*/// Hints? (\d+)(?: and (\d+))?").expect("an expression");
    let item = Regex::new(r"^\s*(?:pub(?:\([a-z]+\))? )?(?:async )?(?:fn|static|const) (\w+)").expect("an expression");
    let mut shown = BTreeMap::<usize, Vec<String>>::new();
    let mut open = vec![package.join("src"), package.join("it")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let mut inside: Vec<_> =
                fs::read_dir(&path).expect("a folder").map(|it| it.expect("a file").path()).collect();
            inside.sort_by(|a, b| b.cmp(a));
            open.extend(inside);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("it/hints.rs") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let mut lines = text.lines();
            while let Some(line) = lines.next() {
                let Some(found) = comment.captures(line) else { continue };
                let name = lines.by_ref().find_map(|line| item.captures(line)).expect("a comment is about something");
                let file = path.strip_prefix(package).expect("it is inside").display().to_string();
                for number in found.iter().skip(1).flatten() {
                    let number = number.as_str().parse().expect("digits");
                    shown.entry(number).or_default().push(format!("`{}` in tests/{file}", &name[1]));
                }
            }
        }
    }
    shown
}

#[test]
fn every_hint_is_shown_and_the_table_of_them_is_current() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shown = shown(package);
    let mut table = String::from(
        "# The hints of the talk\n\n\
         What shows each: a test, model, scenario or known bug whose comment names the hint. `WINDTUNNEL_WRITE_DOCS=1 cargo test -p \
         windtunnel-suite --test suite hints::` writes this file; without the variable that test holds it to be current.\n\n\
         | # | hint | shown by |\n| --- | --- | --- |\n",
    );
    for (number, hint) in (1..).zip(HINTS) {
        let by = shown.remove(&number).unwrap_or_default();
        assert!(!by.is_empty(), "nothing shows hint {number}, {hint}");
        writeln!(table, "| {number} | {hint} | {} |", by.join("<br>")).expect("a string takes anything");
    }
    assert!(shown.is_empty(), "there are no hints of these numbers: {shown:?}");
    assert_current("docs/hints.md", &table);
}
