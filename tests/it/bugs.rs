//! Each known bug is found as its entry says, its mended twin is clean, and `docs/bugs.md`, generated here, says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use windtunnel::go;
use windtunnel_model::Builder;
use windtunnel_sim::{Scenario, Sim};
use windtunnel_suite::bugs::{self, Bug, CENSUS, Check, Exhaustive, Expected, Simulated, Symptom, Verdict};

use crate::common::assert_current;

/// What became of each bug, found out once for all tests.
pub(crate) fn verdicts() -> &'static [(&'static Bug, Verdict)] {
    static NEVER: AtomicBool = AtomicBool::new(false);
    static VERDICTS: OnceLock<Vec<(&Bug, Verdict)>> = OnceLock::new();
    VERDICTS.get_or_init(|| bugs::all().into_iter().map(|bug| (bug, bug.check(&NEVER))).collect())
}

#[test]
fn every_known_bug_is_found_and_its_mended_twin_is_clean() {
    let mut missed = String::new();
    for (bug, verdict) in verdicts() {
        if let Some(why) = &verdict.missed {
            writeln!(missed, "{}: {why}\n{}\n{}\n", bug.id, verdict.report, verdict.mended).expect("a string grows");
        }
        assert!(verdict.complete, "{}: {}", bug.id, verdict.mended);
    }
    assert!(missed.is_empty(), "{missed}");
}

#[test]
fn every_bug_of_the_census_is_found_or_excluded_with_a_reason() {
    let all = bugs::all();
    let ids: BTreeSet<&str> = all.iter().map(|bug| bug.id).collect();
    assert_eq!(ids.len(), all.len(), "an id stands twice");
    let absent: Vec<_> = CENSUS.iter().flat_map(|(_, _, ids)| *ids).filter(|id| !ids.contains(**id)).collect();
    assert!(absent.is_empty(), "without an entry: {absent:?}");
}

/// A program that deadlocks, expected to end in `word` with main in `wait`, and its mended twin.
fn exhaustive(word: &'static str, wait: &'static str, mended: fn() -> windtunnel_model::Body) -> Bug {
    let tasks: &'static [_] = Box::leak(Box::new([("main", wait)]));
    let buggy = || -> windtunnel_model::Body {
        Box::pin(async {
            go::named::<u8>("a", 0).recv().await;
        })
    };
    let check = Exhaustive { builder: Builder::new, buggy, mended, expected: Expected { word, tasks, message: "" } };
    Bug { id: "of-the-test", source: "", summary: "", mend: "", check: Check::Exhaustive(check) }
}

fn why_missed(bug: &Bug) -> Option<String> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    bug.check(&NEVER).missed
}

#[test]
fn a_failure_that_is_not_the_expected_one_does_not_count_as_found() {
    let clean = || -> windtunnel_model::Body { Box::pin(async {}) };
    assert_eq!(why_missed(&exhaustive("DEADLOCK", "channel recv (a)", clean)), None);
    let why = |word, wait| why_missed(&exhaustive(word, wait, clean)).unwrap();
    assert_eq!(why("LEAK", "channel recv (a)"), "expected LEAK, found DEADLOCK");
    assert_eq!(why("DEADLOCK", "channel send (a)"), "expected task `main` in `channel send (a)`");
    let broken = || -> windtunnel_model::Body { Box::pin(async { panic!("broken") }) };
    let why = why_missed(&exhaustive("DEADLOCK", "channel recv (a)", broken)).unwrap();
    assert_eq!(why, "the mended program fails: PANIC");
}

/// A simulation that panics with `says`.
fn simulated(says: fn(Sim) -> windtunnel_sim::Body, mended: fn(Sim) -> windtunnel_sim::Body) -> Bug {
    let scenario = |body| Scenario { module: "it", function: "bug", package: "", summary: "", seeds: 1, body };
    let symptom = Symptom { message: "the bug", tasks: &[("main", "running")] };
    let check = Simulated { checker: "simulation", buggy: scenario(says), mended: scenario(mended), symptom };
    Bug { id: "of-the-test", source: "", summary: "", mend: "", check: Check::Simulated(check) }
}

#[test]
fn a_simulated_failure_that_is_not_the_expected_one_does_not_count_as_found() {
    let clean: fn(Sim) -> windtunnel_sim::Body = |_| Box::pin(async {});
    let bug: fn(Sim) -> windtunnel_sim::Body = |_| Box::pin(async { panic!("the bug") });
    assert_eq!(why_missed(&simulated(bug, clean)), None);
    let other = |_: Sim| -> windtunnel_sim::Body { Box::pin(async { panic!("another") }) };
    assert_eq!(why_missed(&simulated(other, clean)).unwrap(), "expected `the bug`, found `another`");
    assert_eq!(why_missed(&simulated(clean, clean)).unwrap(), "expected `the bug`, found nothing in 1000 seeds");
    let rare = |sim: Sim| -> windtunnel_sim::Body { Box::pin(async move { assert!(sim.seed() > 0, "the bug") }) };
    assert_eq!(why_missed(&simulated(rare, clean)).unwrap(), "expected it from 20 starting points, found it from 1");
    assert_eq!(why_missed(&simulated(bug, rare)).unwrap(), "the mended program fails: the bug");
}

#[test]
fn the_page_of_the_known_bugs_is_current() {
    assert_current("docs/bugs.md", &page());
}

fn page() -> String {
    let found = verdicts().iter().filter(|(bug, _)| !bug.is_excluded()).count();
    let mut page = format!(
        "# Known bugs\n\n\
         {found} bugs of {}, most in the programs of the five talks, each found by a checker in the program as printed, and not \
         in its mended twin. `windtunnel bugs [ID]` finds them again. `WINDTUNNEL_WRITE_DOCS=1 cargo test -p windtunnel-suite \
         --test suite bugs::` writes this page; without the variable that test holds it to be current.\n\n\
         Executions are those until the bug was seen, of all interleavings; seeds are those of a simulation until it was seen, \
         the median of twenty starting points.\n\n\
         | bug | checker | found after | mended twin |\n| --- | --- | --- | --- |\n",
        verdicts().len(),
    );
    for (bug, verdict) in verdicts() {
        let (took, mended) = extents(bug, verdict);
        let checker = if bug.is_excluded() { "excluded" } else { bug.checker() };
        writeln!(page, "| [{id}](#{id}) | {checker} | {took} | {mended} |", id = bug.id).expect("a string grows");
    }
    let listed = CENSUS.iter().map(|(_, title, ids)| (*title, *ids));
    for (title, ids) in listed {
        writeln!(page, "\n## {title}").expect("a string grows");
        verdicts().iter().filter(|(bug, _)| ids.contains(&bug.id)).for_each(|entry| page += &story(entry));
    }
    page += "\n## Others\n";
    let in_census = |id| CENSUS.iter().any(|(_, _, ids)| ids.contains(&id));
    verdicts().iter().filter(|(bug, _)| !in_census(bug.id)).for_each(|entry| page += &story(entry));
    page
}

/// What it took to see the bug, and how far the mended twin was searched.
fn extents(bug: &Bug, verdict: &Verdict) -> (String, String) {
    let plural = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match &bug.check {
        Check::Exhaustive(_) => {
            let searched = if verdict.complete { "clean, search complete" } else { "clean, search bounded" };
            (plural(verdict.runs, "execution"), searched.into())
        }
        Check::Simulated(_) => (plural(verdict.runs, "seed"), verdict.mended.clone()),
        Check::Compiler { .. } => ("rejected by the compiler".into(), "compiles".into()),
        Check::Excluded { .. } => (String::new(), String::new()),
    }
}

fn story((bug, verdict): &(&Bug, Verdict)) -> String {
    let Bug { id, source, summary, mend, check } = bug;
    let head = format!("\n### {id}\n\n{source}. {summary}\n\n");
    match check {
        Check::Excluded { reason } => format!("{head}*Excluded*: {reason}\n"),
        Check::Compiler { program, refusal } => {
            format!("{head}```rust\n{}\n```\n\n```text\n{}\n```\n\n*Mend*: {mend}\n", program.trim(), refusal.trim())
        }
        Check::Exhaustive(_) | Check::Simulated(_) => {
            format!("{head}```text\n{}\n```\n\n*Mend*: {mend}\n", verdict.report.trim())
        }
    }
}
