//! The file of failed seeds: what the attribute's test does with it, from the first failure until that is mended.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use windtunnel_sim::{Scenario, Sim, run_test_beside};

/// Whether the code under test is wrong. It stands for an edit of the source between two runs of the test.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// The seeds that have been run, in order.
static RAN: Mutex<Vec<u64>> = Mutex::new(Vec::new());

static SCENARIO: Scenario = Scenario {
    module: "it::regressions",
    function: "fails_at_times",
    package: "",
    summary: "",
    seeds: 8,
    body: |sim| Box::pin(fails_at_times(sim)),
};

#[expect(clippy::unused_async, reason = "the body of a scenario")]
async fn fails_at_times(sim: Sim) {
    RAN.lock().unwrap_or_else(PoisonError::into_inner).push(sim.seed());
    assert!(!BROKEN.load(Ordering::Relaxed) || sim.seed() % 100 != 5, "a broken promise");
}

/// A workspace of one package with one file of tests.
struct Workspace(PathBuf);

impl Workspace {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("regressions");
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(root.join("package/tests")).unwrap();
        fs::write(root.join("package/tests/it.rs"), "").unwrap();
        Self(root)
    }

    fn regressions(&self) -> PathBuf {
        self.0.join("package/tests/it.windtunnel-regressions")
    }

    /// Runs the test, as the attribute has it run: the seeds that it ran, and the message if it failed.
    fn test(&self, broken: bool) -> (Vec<u64>, Result<(), String>) {
        BROKEN.store(broken, Ordering::Relaxed);
        let manifest = self.0.join("package");
        let run = || run_test_beside(&SCENARIO, "package/tests/it.rs", manifest.to_str().unwrap());
        let result = catch_unwind(run).map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default());
        (std::mem::take(&mut *RAN.lock().unwrap_or_else(PoisonError::into_inner)), result)
    }
}

#[test]
fn a_seed_that_failed_is_kept_beside_the_test_and_run_first_until_it_passes() {
    let workspace = Workspace::new();
    assert_eq!(workspace.test(false).1, Ok(()));
    assert!(!workspace.regressions().exists(), "nothing has failed");

    let (_, first) = workspace.test(true);
    let report = first.expect_err("seed 5 fails");
    assert!(report.contains("regressions::fails_at_times  seed 5  FAILED") && !report.contains("before"), "{report}");
    let text = fs::read_to_string(workspace.regressions()).expect("it is beside the test");
    assert!(text.ends_with("\nregressions::fails_at_times 5 # a broken promise\n"), "{text}");

    // One from another day, beyond the seeds of the sweep, and one of another test.
    let more = format!("regressions::fails_at_times 905\n{text}regressions::other 3\n");
    fs::write(workspace.regressions(), &more).unwrap();
    let (ran, again) = workspace.test(true);
    let report = again.expect_err("seed 905 fails");
    assert!(report.starts_with("\na seed that has failed before fails again\n"), "{report}");
    assert!(report.contains("  seed 905  FAILED"), "{report}");
    assert!(ran.iter().all(|seed| *seed == 905), "no other is run: {ran:?}");

    let (ran, mended) = workspace.test(false);
    assert_eq!((&ran[..2], ran.len(), mended), (&[905, 5][..], 2 + 8, Ok(())));
    assert_eq!(fs::read_to_string(workspace.regressions()).unwrap(), more, "the seeds are kept");

    fs::write(workspace.regressions(), format!("{more}regressions::fails_at_times five\n")).unwrap();
    let (ran, corrupt) = workspace.test(false);
    let line = corrupt.expect_err("that is no seed");
    let place = format!("{}:{}: is not a regression: ", workspace.regressions().display(), more.lines().count() + 1);
    assert!(line.starts_with(&place) && line.lines().count() == 1, "{line}");
    assert!(ran.is_empty(), "nothing is run before it is mended: {ran:?}");
}
