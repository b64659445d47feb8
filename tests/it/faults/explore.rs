//! The planted faults of the engine explore, as those of [`table`](super::table).

use super::Fault;
use super::table::faults;

const ASSUME: &str = "runtime/src/engine/explore/assume.rs";
const BACKEND: &str = "runtime/src/backend/explore.rs";
const CHAN: &str = "runtime/src/channel/chan.rs";
const CONTEXT: &str = "runtime/src/sync/context.rs";
const EXPLORE_PATH: &str = "model-checks/src/explore/path.rs";
const FAIR: &str = "runtime/src/engine/explore/fair.rs";
const FOOTPRINT: &str = "runtime/src/engine/explore/footprint.rs";
const MODEL_REPORT: &str = "model-checks/src/report.rs";
const NEARBY: &str = "model-checks/src/explore/nearby.rs";
const RW_LOCK: &str = "runtime/src/sync/rw_lock.rs";
const SAMPLE: &str = "model-checks/src/explore/sample.rs";
const SAVED: &str = "model-checks/src/explore/saved.rs";
const SHORTEN: &str = "model-checks/src/explore/shorten.rs";
const TREE: &str = "model-checks/src/explore/tree.rs";
const WAIT_GROUP: &str = "runtime/src/sync/wait_group.rs";

faults! {
    "explore" {
        "a race leaves nothing to be tried" in EXPLORE_PATH:
            "_ if has(possible, task) => 1 << task," => "_ if has(possible, task) => 0,",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "who sleeps goes on to sleep, whatever is done" in TREE:
            "!it.footprint.conflicts(footprint)" => "!it.footprint.conflicts(&Footprint::default())",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "who reads is not in the way of who writes" in FOOTPRINT:
            "self != other || self == Mode::Write" => "self == other && self == Mode::Write",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "a timer that is disarmed was never to fire" in EXPLORE_PATH:
            "self.nodes[last].todo().backtrack |= 1 << CLOCK;" => "self.nodes[last].todo().backtrack |= 0;",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "what is assumed never kept a timer from firing before" in ASSUME:
            "ClockUse { disarms: true," => "ClockUse { disarms: false,",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "what is assumed is over, and no timer fires for that" in ASSUME:
            "ClockUse { arms: true," => "ClockUse { arms: false,",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "the clock reaches the end of what is assumed" in ASSUME:
            "next < end" => "next <= end",
            caught by "explore::what_is_assumed_of_time_is_honoured_and_named";
        "a search without executions is complete" in MODEL_REPORT:
            "if left_out > 0 && self.executions == 0 {" => "if left_out > 0 && self.executions > 0 {",
            caught by "explore::what_is_assumed_of_time_is_honoured_and_named";
        "under a bound an order is tried only where it costs a preemption" in EXPLORE_PATH:
            "for at in [earlier, self.block_start(earlier)] {" => "for at in [earlier] {",
            caught by "explore::a_bound_on_preemptions_loses_nothing_within_it";
        "under a bound who sleeps may cost less elsewhere" in EXPLORE_PATH:
            "self.reduced && !self.bounded {" => "self.reduced {",
            caught by "explore::a_bound_on_preemptions_loses_nothing_within_it";
        "who yields does not look who waits for its turn" in FAIR:
            "let lets = window.could & runnable & !window.ran & !own;" => "let lets = window.could & 0 & !own;",
            caught by "explore::tasks_that_yield_to_each_other_do_not_keep_a_third_from_running";
        "a path that was split off makes the other variants of steps that are not its own" in EXPLORE_PATH:
            ".filter(|_| !event.is_borrowed)" => "",
            caught by "explore::threads_and_stretches_make_the_executions_of_one_search";
        "a saved search knows nothing of what is to be tried" in SAVED:
            "backtrack: todo.backtrack, sleepers" => "backtrack: 0, sleepers",
            caught by "explore::threads_and_stretches_make_the_executions_of_one_search";
        "a value comes out of a buffer whoever puts it there" in CHAN:
            "[SENDS, PLACES + place, (PLACES" => "[SENDS, SENDS, (PLACES",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "there is room in a buffer whoever makes it" in CHAN:
            "(PLACES + place).wrapping_sub(self.capacity as u64)" => "SENDS",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "who reads is not in the way of whom a reader keeps out" in RW_LOCK:
            "if access == Access::Read && self.waiting.is_empty()" => "if access != Access::Read && self.waiting.is_empty() || true",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "a select is claimed, and its other channels know nothing of it" in BACKEND:
            "world.touch(*lock, Mode::Write)" => "drop((world, *lock, Mode::Write))",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "who was woken twice needed it twice" in EXPLORE_PATH:
            "enabling.iter().all(" => "enabling.iter().any(",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "a timer of the same deadline as one that fires is none of its business" in FOOTPRINT:
            "is_some_and(|deadline| deadline <= moment)" => "is_some_and(|deadline| deadline < moment)",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "to cancel a context is to look at it" in CONTEXT:
            "if self.cancelled == before {" => "if self.cancelled >= before {",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "the last to count down is one of many" in WAIT_GROUP:
            "if left > 0 {" => "if left < usize::MAX {",
            caught by "explore::the_reduction_finds_as_many_ends_as_brute_force_finds";
        "each execution is drawn from the same generator" in SAMPLE:
            "self.builder.seed ^ number.wrapping_mul(" => "self.builder.seed ^ 0_u64.wrapping_mul(",
            caught by "explore::the_same_seed_draws_the_same_executions_and_what_fails_is_shown_by_a_short_schedule";
        "no priority changes on the way" in SAMPLE:
            "(1..depth).map(" => "(depth..depth).map(",
            caught by "explore::pct_shows_a_bug_as_often_as_it_promises";
        "a schedule is not shortened" in SHORTEN:
            "let affordable = executions <= EXECUTIONS" => "let affordable = executions == 0",
            caught by "explore::a_schedule_has_no_switch_that_its_failure_does_not_need";
        "a task that is spawned first makes all others strangers" in NEARBY:
            "child.saturating_add_signed(by)" => "child.saturating_add_signed(by - by)",
            caught by "explore::a_schedule_is_as_short_as_it_can_be_and_survives_edits";
    }
}
