//! The planted faults of the patterns above the primitives.

use super::Fault;
use super::table::faults;

const PAR: &str = "patterns/src/par.rs";
const LOOKUP: &str = "patterns/src/lookup.rs";
const OWNED: &str = "patterns/src/owned.rs";
const FORK_JOIN: &str = "patterns/src/fork_join.rs";
const RACE: &str = "patterns/src/race.rs";
const FIRST: &str = "patterns/src/first.rs";
const REPLICATED: &str = "patterns/src/replicated.rs";
const SUBSCRIPTION: &str = "patterns/src/pubsub/subscription.rs";
const EVENT_LOOP: &str = "patterns/src/pubsub/event_loop.rs";
const HELPERS: &str = "patterns/src/pubsub/helpers.rs";

faults! {
    "par" {
        "a job gives its place back when it starts" in PAR:
            "let _place = place;" => "drop(place);",
            caught by "models::par::limit_holds";
        "what is dropped leaves its jobs running" in PAR:
            "fn drop(&mut self) {\n        self.cancel();" => "fn drop(&mut self) {",
            caught by "models::par::dropped_it_leaves_no_job";
        "a dropped wait loses the job that it waited for" in PAR:
            "while let Some(task) = self.tasks.front_mut() {
            let result = task.await;
            self.tasks.pop_front();"
            => "while let Some(task) = self.tasks.pop_front() {
            let result = task.await;",
            caught by "models::par::a_dropped_wait_loses_no_result";
    }
    "address lookup" {
        "one more than the limit looks up" in LOOKUP:
            "if running == most {" => "if running > most {",
            caught by "scenarios::lookup::each_form_takes_the_time_that_its_limit_allows";
        "a look-up is counted before its answer is written" in LOOKUP:
            "cell.set(Some(answer.await));\n            group.done();"
            => "let answer = answer.await;\n            group.done();\n            cell.set(Some(answer));",
            caught by "models::lookup::wait_group";
        "the answers stand in the order in which they come" in LOOKUP:
            "answers[number] = Some(answer);"
            => "let next = answers.iter().position(Option::is_none).unwrap_or(number);\n    answers[next] = Some(answer);",
            caught by "models::lookup::channel";
        "a dropped list leaves its look-ups running" in OWNED:
            "self.0.iter().for_each(AbortHandle::abort);" => "",
            caught by "models::lookup::channel_dropped_leaves_no_lookup";
    }
    "fork-join" {
        "the workers are let go with the first result" in FORK_JOIN:
            "if self.left == 0 {\n            self.workers.detach();\n        }" => "self.workers.detach();",
            caught by "models::fork_join::dropped_early_it_leaves_no_worker";
        "the queue of jobs stays open" in FORK_JOIN:
            r#"queue.close().expect("nobody else closes it");"# => "",
            caught by "models::fork_join::one_worker_does_the_jobs_in_order_and_ends";
        "a job that panics takes its worker with it" in FORK_JOIN:
            "caught(async { process(work).await }).await" => "Ok(process(work).await)",
            caught by "fork_join::a_job_that_panics_keeps_no_other_from_being_done";
        "results are buffered" in FORK_JOIN:
            r#"go::named("results", 0)"# => r#"go::named("results", left)"#,
            caught by "scenarios::fork_join::a_worker_whose_result_nobody_takes_begins_no_other_job";
    }
    "first response" {
        "the first failure decides" in RACE:
            "if let Finish::Answer(replica, answer) = self.next().await? {
                return Some((replica, answer));
            }"
            => "return match self.next().await? {
                Finish::Answer(replica, answer) => Some((replica, answer)),
                Finish::Failed(_) => None,
            };",
            caught by "models::first::a_failure_is_passed_over";
        "the losers are kept" in RACE:
            "let failures = self.failures;" => "std::mem::forget(self.calls);\n        let failures = self.failures;",
            caught by "models::first::the_loser_is_dropped";
        "the wait has no limit" in FIRST:
            "time::timeout(limit, race.answer()).await" => "Ok::<_, time::Elapsed>(race.answer().await)",
            caught by "models::first::the_limit_drops_what_hangs";
    }
    "replicated client" {
        "an older call overwrites what a newer one has learnt" in REPLICATED:
            "self.version == seen.version && " => "",
            caught by "models::replicated::an_older_call_does_not_bring_a_dead_server_back";
        "whoever answers is preferred, however late" in REPLICATED:
            "Ok(Some(Finish::Answer(_, answer))) => return Some(answer),"
            => "Ok(Some(Finish::Answer(server, answer))) => {
                        *best = server;
                        return Some(answer);
                    }",
            caught by "scenarios::replicated::a_server_that_was_too_slow_is_left";
        "a failure of another server ends the patience with this one" in REPLICATED:
            "Ok(Some(Finish::Failed(other))) if other != server => {}" => "",
            caught by "scenarios::replicated::servers_are_asked_a_stagger_apart_or_once_the_last_has_failed";
    }
    "publish/subscribe" {
        "who cancels does not receive meanwhile" in SUBSCRIPTION:
            "let mut leaving = (self.leave)();" => "(self.leave)().await;\n        let mut leaving = (self.leave)();",
            caught by "models::pubsub::mutex::cancel_against_publish";
        "what is lost at last is not told" in SUBSCRIPTION:
            "latest.try_recv().ok())" => "latest.try_recv().ok()).filter(|_| false)",
            caught by "models::pubsub::mutex::coalesced_events_add_up";
        "a loss is told before the events that came before it" in SUBSCRIPTION:
            "while let Ok(parcel) = self.arriving.try_recv() {
                        self.held.push_back(parcel);
                    }"
            => "",
            caught by "models::pubsub::mutex::coalesced_events_add_up";
        "a subscriber that is too slow stays" in SUBSCRIPTION:
            "!matches!(self.policy, Policy::Disconnect(_))" => "true",
            caught by "models::pubsub::mutex::too_slow_is_disconnected";
        "the queue holds one event more than the policy says" in SUBSCRIPTION:
            "policy.capacity());" => "policy.capacity() + 1);",
            caught by "scenarios::pubsub::a_helper_takes_the_delay_of_a_slow_subscriber";
        "a closed loop goes on" in EVENT_LOOP:
            "Request::Close => return," => "Request::Close => outlets = Outlets::new(),",
            caught by "models::pubsub::event_loop::close_against_publish";
        "a helper outlives its subscription" in HELPERS:
            r#"helper.spawn("pubsub helper", help(events, outlet));"#
            => r#"helper.spawn("pubsub helper", help(events, outlet));
        helper.detach();"#,
            caught by "scenarios::pubsub::a_dropped_subscription_takes_its_helper_with_it";
    }
}
