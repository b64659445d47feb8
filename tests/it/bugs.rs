//! Each known bug is found as its entry says, and its mended twin is clean.

use windtunnel_suite::bugs::BUGS;

#[test]
fn every_known_bug_is_found_and_its_mended_twin_is_clean() {
    for bug in BUGS {
        let verdict = bug.check();
        assert_eq!(verdict.missed, None, "{}\n{}\n{}", bug.id, verdict.buggy, verdict.mended);
        assert!(verdict.mended.is_complete(), "{}", verdict.mended);
    }
}
