//! Random programs: what the primitives do on each runtime is what a sequential reference allows, and in models all of it.

mod program;
mod reference;
mod run;

use proptest::prelude::*;
use windtunnel_model::FailureKind;

use program::programs;
use reference::outcomes;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_program_does_on_tokio_and_simulated_what_the_reference_allows(program in programs(4, 6), seed: u64) {
        let Some(allowed) = outcomes(&program) else { return Ok(()) };
        let outcome = run::on_one_thread(&program);
        prop_assert!(allowed.contains(&outcome), "on one thread: {outcome:?}, not one of {allowed:#?}");
        let outcome = run::on_threads(&program, 4, &allowed);
        prop_assert!(allowed.contains(&outcome), "on threads: {outcome:?}, not one of {allowed:#?}");
        for seed in [seed, seed.wrapping_add(1)] {
            let outcome = run::simulated(&program, seed);
            prop_assert!(allowed.contains(&outcome), "seed {seed}: {outcome:?}, not one of {allowed:#?}");
        }
    }

    #[test]
    fn a_tiny_program_does_in_models_all_that_the_reference_allows(program in programs(3, 2)) {
        let Some(allowed) = outcomes(&program) else { return Ok(()) };
        let ends = |outcome: &program::Outcome| outcome.iter().zip(&program.tasks).all(|(seen, ops)| seen.len() == ops.len());
        let (found, report) = run::modelled(&program);
        if allowed.iter().all(ends) {
            prop_assert!(report.failure.is_none(), "{report}");
            prop_assert!(found.is_subset(&allowed), "{found:#?} is not all in {allowed:#?}");
            prop_assert!(!report.is_complete() || found == allowed, "{found:#?} is not {allowed:#?}");
        } else if let Some(failure) = &report.failure {
            prop_assert!(matches!(failure.kind, FailureKind::Deadlock | FailureKind::Leak), "{report}");
        } else {
            prop_assert!(!report.is_complete(), "a task may be left blocked, and is not: {report}");
        }
    }
}
