//! Each known bug is found as its entry says, its mended twin is clean, and `docs/bugs.md`, generated here, says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use windtunnel::{go, time};
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

/// Census of both engines: what one searches for, the other does as well, but for what is too large for loom or needs time.
#[test]
fn every_bug_that_is_searched_for_is_found_by_both_engines() {
    let (mut by_both, mut by_explore) = (0, Vec::new());
    for (bug, verdict) in verdicts() {
        let asked = verdict.explored.is_some_and(|executions| executions > 0);
        match bug.check {
            Check::Exhaustive(_) => by_both += usize::from(asked && verdict.missed.is_none()),
            Check::Both(..) => by_explore.extend((asked && verdict.missed.is_none()).then_some(bug.id)),
            _ => assert_eq!(verdict.explored, None, "{}", bug.id),
        }
    }
    let searched = bugs::all().into_iter().filter(|bug| matches!(bug.check, Check::Exhaustive(_))).count();
    assert_eq!((by_both, &by_explore[..]), (searched, &["quorum-read-inversion"][..]));
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

/// To loom, which has no time, a sleep is over too early; what only loom sees does not count as found.
#[test]
fn a_bug_that_explore_does_not_find_does_not_count_as_found() {
    let check = Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let start = time::Instant::now();
                time::sleep(time::secs(1)).await;
                let room = usize::from(start.elapsed() >= time::secs(1));
                go::named::<u8>("a", room).send(1).await.expect("never closed");
            })
        },
        mended: || Box::pin(async {}),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (a)")], message: "" },
    };
    let bug = Bug { id: "of-the-test", source: "", summary: "", mend: "", check: Check::Exhaustive(check) };
    assert_eq!(why_missed(&bug).unwrap(), "explore: expected DEADLOCK, found nothing in 1 executions");
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
         Executions are those until the bug was seen, of all interleavings: those of loom, and after them those of explore, which \
         must find the same; the report is that of loom. Seeds are those of a simulation until it was seen, the median of twenty \
         starting points.\n\n\
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
            let searched = if verdict.complete { "clean, searches complete" } else { "clean, search bounded" };
            (format!("{}; explore {}", plural(verdict.runs, "execution"), explored(verdict)), searched.into())
        }
        Check::Simulated(_) => (plural(verdict.runs, "seed"), verdict.mended.clone()),
        Check::Both(..) => {
            let seeds = verdict.mended.lines().next().unwrap_or_default();
            let found = format!("{}; explore {}", plural(verdict.runs, "seed"), explored(verdict));
            (found, format!("{seeds}; search complete"))
        }
        Check::Compiler { .. } => ("rejected by the compiler".into(), "compiles".into()),
        Check::Excluded { .. } => (String::new(), String::new()),
    }
}

/// Executions until explore saw the bug.
fn explored(verdict: &Verdict) -> u64 {
    verdict.explored.expect("explore was asked")
}

fn story((bug, verdict): &(&Bug, Verdict)) -> String {
    let Bug { id, source, summary, mend, check } = bug;
    let head = format!("\n### {id}\n\n{source}. {summary}\n\n");
    match check {
        Check::Excluded { reason } => format!("{head}*Excluded*: {reason}\n"),
        Check::Compiler { program, refusal } => {
            format!("{head}```rust\n{}\n```\n\n```text\n{}\n```\n\n*Mend*: {mend}\n", program.trim(), refusal.trim())
        }
        Check::Exhaustive(_) | Check::Simulated(_) | Check::Both(..) => {
            format!("{head}```text\n{}\n```\n\n*Mend*: {mend}\n", verdict.report.trim())
        }
    }
}
