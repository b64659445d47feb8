//! The planted faults, by primitive. Each is one edit, as somebody might make it who means well.

use super::Fault;

const CHAN: &str = "runtime/src/channel/chan.rs";
const OPS: &str = "runtime/src/channel/ops.rs";
const WAIT: &str = "runtime/src/wait.rs";
const SELECT: &str = "runtime/src/select.rs";
const ACQUIRE: &str = "runtime/src/sync/acquire.rs";
const MUTEX: &str = "runtime/src/sync/mutex.rs";
const RAW_MUTEX: &str = "runtime/src/sync/raw_mutex.rs";
const RW_LOCK: &str = "runtime/src/sync/rw_lock.rs";
const SEMAPHORE: &str = "runtime/src/sync/semaphore.rs";
const WAIT_GROUP: &str = "runtime/src/sync/wait_group.rs";
const ONCE: &str = "runtime/src/sync/once.rs";
const CONDVAR: &str = "runtime/src/sync/condvar.rs";
const BARRIER: &str = "runtime/src/sync/barrier.rs";
const JOIN: &str = "runtime/src/task/join.rs";
const ABORT: &str = "runtime/src/task/abort.rs";
const JOIN_SET: &str = "runtime/src/task/join_set.rs";
const CONTEXT: &str = "runtime/src/sync/context.rs";
const CELL: &str = "runtime/src/cell.rs";
const SLEEP: &str = "runtime/src/time/sleep.rs";
const TIMER: &str = "runtime/src/time/timer.rs";
const INTERVAL: &str = "runtime/src/time/interval.rs";
const STREAM: &str = "runtime/src/channel/stream.rs";
const TIMED: &str = "runtime/src/channel/timed.rs";
const LINK: &str = "runtime/src/engine/net/link.rs";
const CONNECTION: &str = "runtime/src/engine/net/connection.rs";
const LOSS: &str = "runtime/src/engine/net/loss.rs";
const WEATHER: &str = "runtime/src/engine/net/weather.rs";
const OUTBOUND: &str = "runtime/src/engine/net/outbound.rs";
const APPLICATION: &str = "runtime/src/engine/net/application.rs";
const SIGNAL: &str = "runtime/src/engine/signal.rs";
const TRACE: &str = "runtime/src/engine/trace.rs";
const ENTRY: &str = "runtime/src/task/entry.rs";
const NODE: &str = "runtime/src/engine/node.rs";
const DRIVE: &str = "sim/src/faults/drive.rs";
const DRAW: &str = "sim/src/faults/draw.rs";
const SHRINK: &str = "sim/src/shrink/mod.rs";
const DDMIN: &str = "sim/src/shrink/ddmin.rs";
const OUTCOME: &str = "sim/src/outcome.rs";
const SWEEP: &str = "sim/src/sweep.rs";
const REPORT: &str = "sim/src/report.rs";
const WATCH: &str = "sim/src/watch.rs";
const POLLS: &str = "runtime/src/engine/watch.rs";
const LIMIT: &str = "runtime/src/engine/limit.rs";
const EXHAUSTIVE: &str = "tests/src/bugs/exhaustive.rs";
const SIMULATED: &str = "tests/src/bugs/simulated.rs";
const QUORUM: &str = "patterns/src/quorum.rs";

macro_rules! faults {
    ($($primitive:literal { $($fault:literal in $file:ident: $original:literal => $replacement:literal, caught by $catcher:literal;)* })*) => {
        pub const FAULTS: &[Fault] = &[$($(Fault {
            primitive: $primitive,
            wrong: $fault,
            file: $file,
            original: $original,
            replacement: $replacement,
            catcher: $catcher,
        },)*)*];
    };
}

pub(super) use faults;

faults! {
    "channel" {
        "the last sender wakes nobody" in CHAN:
            r#""last sender dropped ({})", self.label());
        wakers.wake();"#
            => r#""last sender dropped ({})", self.label());"#,
            caught by "conformance::loom::the_last_sender_closes_and_the_rest_is_drained";
        "the buffer gives its newest value first" in CHAN:
            "self.buffer.pop_front()" => "self.buffer.pop_back()",
            caught by "conformance::loom::a_buffer_holds_its_capacity_and_no_more";
        "the last to wait is served first" in WAIT:
            "let mut cursor = self.head;" => "let mut cursor = self.tail;",
            caught by "models::channel::blocked_sends_are_received_in_order";
        "a cancelled receive drops the value it was handed" in OPS:
            "chan.give_back(value);" => "drop((chan, value));",
            caught by "conformance::loom::a_cancelled_receive_loses_no_message";
        "a value given back goes behind later ones" in CHAN:
            "state.buffer.push_front(value);" => "state.buffer.push_back(value);",
            caught by "models::channel::a_value_given_back_comes_before_later_ones";
        "a blocked send does not move up into the room" in CHAN:
            "(slot.is_none() || self.buffer.len() < self.capacity)" => "slot.is_none()",
            caught by "models::channel::a_blocked_send_moves_up_into_the_room";
        "closing leaves blocked sends asleep" in CHAN:
            "self.sending.close(wakers);" => "",
            caught by "conformance::loom::a_blocked_send_gives_the_value_back";
        "a rendezvous buffers one value" in CHAN:
            "} else if self.buffer.len() < self.capacity {" => "} else if self.buffer.len() <= self.capacity {",
            caught by "conformance::loom::a_rendezvous_needs_both_sides";
        "the count of senders hides from the checker" in CHAN:
            "use crate::backend::{Atomic, Effect};"
            => "use crate::backend::Effect;
struct Atomic(crate::backend::tokio::Atomic);
impl Atomic {
    fn new(value: u32) -> Self {
        Self(crate::backend::tokio::Atomic::new(value))
    }
    fn alive_in_drop(&self) -> bool {
        true
    }
    fn fetch_add(&self, delta: u32) -> u32 {
        self.0.fetch_add(delta)
    }
}",
            caught by "hidden::either_of_two_senders_is_seen_to_be_the_last";
    }
    "go channel" {
        "a second close succeeds" in CHAN:
            "!state.closed && {" => "{",
            caught by "conformance::loom::a_go_channel_closes_once";
        "closing throws away what is buffered" in CHAN:
            "self.closed = true;" => "self.closed = true;\n        self.buffer.clear();",
            caught by "conformance::loom::a_go_channel_drains_after_close";
        "closing leaves blocked receives asleep" in CHAN:
            "self.receiving.close(wakers);" => "",
            caught by "conformance::loom::a_go_channel_drains_after_close";
        "a closed channel takes values while there is room" in CHAN:
            "if self.closed {\n            return Some(Outcome::Closed);"
            => "if self.closed && self.buffer.len() == self.capacity {\n            return Some(Outcome::Closed);",
            caught by "conformance::loom::a_go_channel_drains_after_close";
    }
    "select" {
        "two partners claim one select" in WAIT:
            "match self.state.compare_exchange(WAITING, CLAIMED | arm << ARM_SHIFT) {"
            => "self.state.store(CLAIMED | arm << ARM_SHIFT);\n            match Ok::<(), u32>(()) {",
            caught by "conformance::loom::a_select_takes_one_message_and_leaves_the_other";
        "a partner that meets a polling select leaves no mark" in WAIT:
            "Err(POLLING) if self.state.compare_exchange(POLLING, RESCAN).is_err() => {}" => "",
            caught by "conformance::loom::a_message_that_comes_while_a_future_is_polled_is_not_missed";
        "polling does not look whether a partner has claimed" in WAIT:
            "self.state.compare_exchange(WAITING, POLLING).is_ok()" => "{\n            self.state.store(POLLING);\n            true\n        }",
            caught by "conformance::loom::a_select_with_a_future_loses_no_message";
        "a claimed select does not wait for its partner" in SELECT:
            "drop(Held::lock(&arms[arm..=arm], None));" => "let _ = arm;",
            caught by "conformance::loom::a_message_that_comes_while_a_future_is_polled_is_not_missed";
        "a cancelled select drops the value it was handed" in OPS:
            "remove(waiter);\n                waiter.take()\n" => "remove(waiter);\n                None\n",
            caught by "conformance::loom::a_cancelled_select_loses_no_message";
        "default is taken although an arm is ready" in SELECT:
            "while !ready.is_empty() {" => "while !ready.is_empty() && !self.has_default {",
            caught by "conformance::loom::default_is_taken_when_nothing_is_ready";
        "biased makes no difference" in SELECT:
            "if self.biased {\n            return" => "if false {\n            return",
            caught by "conformance::loom::a_biased_select_takes_the_first_ready_arm";
        "the claim hides from the checker" in WAIT:
            "use crate::backend::{Atomic, Slot};" => "use crate::backend::{Slot, tokio::Atomic};",
            caught by "hidden::either_of_two_partners_is_seen_to_claim_a_select";
    }
    "mutex" {
        "the guard does not unlock" in MUTEX:
            "self.mutex.gate.release(());" => "",
            caught by "models::sync::mutex_excludes";
        "unlocking wakes nobody" in RAW_MUTEX:
            "admit(&mut self.waiting, wakers, |()| (!std::mem::replace(&mut self.locked, true)).then_some(()));"
            => "let _ = wakers;",
            caught by "models::sync::mutex_excludes";
        "locking does not look whether it is locked" in RAW_MUTEX:
            "(!std::mem::replace(&mut self.locked, true)).then_some(Outcome::Done)"
            => "{\n            self.locked = true;\n            Some(Outcome::Done)\n        }",
            caught by "models::sync::mutex_excludes";
        "a dropped wait keeps the mutex that it was handed" in ACQUIRE:
            r#"rules.release(wait.take().expect("the slot keeps what was given"), wakers);"# => "",
            caught by "models::sync::mutex_dropped_wait_passes_it_on";
    }
    "raw mutex" {
        "unlocking hands it to every waiter" in RAW_MUTEX:
            "(!std::mem::replace(&mut self.locked, true)).then_some(()));" => "(!self.locked).then_some(()));",
            caught by "models::sync::raw_mutex_dropped_wait_passes_it_on";
        "unlocking leaves it locked" in RAW_MUTEX:
            "self.locked = false;" => "",
            caught by "models::sync::raw_mutex_unlocked_by_another_task";
        "unlocking an unlocked one goes unnoticed" in RAW_MUTEX:
            "assert!(was_locked," => "assert!(was_locked || true,",
            caught by "sync::unlocking_an_unlocked_raw_mutex_panics_and_names_it";
    }
    "rwlock" {
        "a reader overtakes a waiting writer" in RW_LOCK:
            "if !self.waiting.is_empty() {" => "if *access == Access::Write && !self.waiting.is_empty() {",
            caught by "models::sync::rwlock_reader_does_not_overtake_a_waiting_writer";
        "a writer joins readers" in RW_LOCK:
            "Access::Write if !self.writer && self.readers == 0 =>" => "Access::Write if !self.writer =>",
            caught by "models::sync::rwlock_read_and_write";
        "a reader joins a writer" in RW_LOCK:
            "Access::Read if !self.writer =>" => "Access::Read =>",
            caught by "models::sync::rwlock_read_and_write";
        "a writer that gives up leaves the readers behind it asleep" in RW_LOCK:
            "fn left(&mut self, _access: Access, wakers: &mut Wakers) {\n        self.admit_waiting(wakers);"
            => "fn left(&mut self, _access: Access, _wakers: &mut Wakers) {",
            caught by "models::sync::rwlock_reader_behind_a_dropped_writer";
        "unlocking lets one reader in of several" in RW_LOCK:
            "admit(&mut self.waiting, wakers, |access| self.holders.admit(access));"
            => "let mut first = true;
        admit(&mut self.waiting, wakers, |access| {
            if std::mem::take(&mut first) { self.holders.admit(access) } else { None }
        });",
            caught by "models::sync::rwlock_writer_admits_all_readers";
    }
    "semaphore" {
        "permits handed to a wait that is dropped are lost" in ACQUIRE:
            r#"rules.release(wait.take().expect("the slot keeps what was given"), wakers);"# => "",
            caught by "models::sync::semaphore_dropped_request_gives_back";
        "a large request that gives up leaves small ones asleep" in SEMAPHORE:
            "fn left(&mut self, _wanted: usize, wakers: &mut Wakers) {\n        self.admit_waiting(wakers);"
            => "fn left(&mut self, _wanted: usize, _wakers: &mut Wakers) {",
            caught by "models::sync::semaphore_dropped_large_request_lets_a_small_one_go_on";
        "a small request overtakes a large one" in SEMAPHORE:
            "if !self.waiting.is_empty() {" => "if false {",
            caught by "models::sync::semaphore_small_request_does_not_overtake_a_large_one";
        "a request that waited for many takes one" in SEMAPHORE:
            "self.free.checked_sub(wanted)?;" => "self.free.checked_sub(wanted.min(1))?;",
            caught by "models::sync::semaphore_many_waits_for_all";
        "closing leaves requests asleep" in SEMAPHORE:
            "rules.waiting.close(wakers);" => "let _ = wakers;",
            caught by "models::sync::semaphore_close_ends_a_wait";
        "a permit given back wakes nobody" in SEMAPHORE:
            "self.free += given;\n        self.admit_waiting(wakers);" => "self.free += given;\n        let _ = wakers;",
            caught by "models::sync::semaphore_of_one_excludes";
    }
    "wait group" {
        "zero wakes nobody" in WAIT_GROUP:
            "admit(&mut rules.waiting, wakers, |()| (left == 0).then_some(()));" => "let _ = wakers;",
            caught by "models::sync::wait_group_waits_for_all";
        "every done wakes the waiters" in WAIT_GROUP:
            "|()| (left == 0).then_some(())" => "Some",
            caught by "models::sync::wait_group_waits_for_all";
        "below zero goes unnoticed" in WAIT_GROUP:
            "rules.left.checked_sub(1)?" => "rules.left.saturating_sub(1)",
            caught by "sync::a_wait_group_counted_below_zero_panics_and_names_it";
    }
    "once" {
        "two closures run" in ONCE:
            "*stage = Stage::Running;" => "",
            caught by "models::sync::once_runs_one_closure";
        "a dropped call leaves the others asleep" in ONCE:
            "self.end_turn(Stage::Idle, wakers);" => "let _ = wakers;\n            self.stage = Stage::Idle;",
            caught by "models::sync::once_dropped_call_leaves_it_to_the_next";
        "a dropped call counts as done" in ONCE:
            "self.end_turn(Stage::Idle, wakers);" => "self.end_turn(Stage::Done, wakers);",
            caught by "models::sync::once_dropped_call_leaves_it_to_the_next";
        "done is told before the value is there" in ONCE:
            "self.0.value.with_mut(|slot| unsafe { *slot = Some(value) });
        self.0.gate.change(|rules, wakers| rules.end_turn(Stage::Done, wakers));"
            => "self.0.gate.change(|rules, wakers| rules.end_turn(Stage::Done, wakers));
        self.0.value.with_mut(|slot| unsafe { *slot = Some(value) });",
            caught by "models::sync::once_get_against_call";
    }
    "condvar" {
        "the mutex is unlocked before the task is queued" in CONDVAR:
            "let notified = wait.as_mut().poll(cx);
                // The first poll has put the task into the queue.
                guard.take();"
            => "guard.take();\n                let notified = wait.as_mut().poll(cx);",
            caught by "models::sync::condvar_notification_is_not_missed";
        "the notification of a dropped waiter is lost" in CONDVAR:
            "if notice == Notice::One {" => "if false && notice == Notice::One {",
            caught by "models::sync::condvar_dropped_waiter_passes_its_notification_on";
        "a waiter told with all others passes it on" in CONDVAR:
            "if notice == Notice::One {" => "if true || notice == Notice::One {",
            caught by "models::sync::condvar_dropped_waiter_of_notify_all_wakes_nobody";
        "notify_one wakes all" in CONDVAR:
            "|_| notice.take()" => "|_| notice",
            caught by "models::sync::condvar_notify_one_wakes_the_longest_waiter_only";
        "notify_all wakes one" in CONDVAR:
            "admit(&mut rules.waiting, wakers, |_| Some(Notice::All))" => "rules.notify_one(wakers)",
            caught by "models::sync::condvar_notify_all_reaches_two_waiters";
        "a notification counts as received before the mutex is locked" in CONDVAR:
            "let guard = locking.await;\n            notified.received();" => "notified.received();\n            let guard = locking.await;",
            caught by "models::sync::condvar_dropped_waiter_passes_its_notification_on";
    }
    "barrier" {
        "all lead" in BARRIER:
            "admit(&mut self.waiting, wakers, Some);" => "admit(&mut self.waiting, wakers, |_| Some(true));",
            caught by "models::sync::barrier_meets_twice";
        "nobody leads" in BARRIER:
            "*leads = true;" => "*leads = false;",
            caught by "models::sync::barrier_of_three_has_one_leader";
        "a party that gave up stays counted" in BARRIER:
            "self.arrived -= 1;" => "",
            caught by "models::sync::barrier_dropped_wait_is_not_counted";
        "the next meeting begins with those of the last" in BARRIER:
            "self.arrived = 0;" => "",
            caught by "models::sync::barrier_meets_twice";
    }
    "join handle" {
        "the end of a task wakes nobody" in JOIN:
            "waker.wake();" => "drop(waker);",
            caught by "conformance::loom::a_task_is_joined_with_its_result";
        "the waker is stored after the look at the result" in JOIN:
            "join.waker = Some(cx.waker().clone());\n        drop(join);"
            => "drop(join);\n        self.join.lock().waker = Some(cx.waker().clone());",
            caught by "conformance::loom::a_task_is_joined_with_its_result";
        "a dropped task tells its joiner nothing" in JOIN:
            "self.finish(Err(JoinError::Cancelled));" => "let _ = JoinError::Cancelled;",
            caught by "task::a_task_dropped_with_its_runtime_is_cancelled_for_its_joiner";
        "the joiner goes on before the task's destructors have run" in JOIN:
            "// Here, so that a panic of its destructors is the task's.\n            this.future.set(None);" => "",
            caught by "task::who_joins_a_task_sees_what_its_destructors_did";
    }
    "abort" {
        "an aborted task goes on" in JOIN:
            "let result = if seen.is_aborted() {" => "let result = if false {",
            caught by "models::task::abort_drops_a_task_that_waits";
        "an abort during the poll in which the task first waits wakes nobody" in ABORT:
            "// Aborted while it was polled: it polls once more.\n            self.take_waker().wake_by_ref();"
            => "drop(self.take_waker());",
            caught by "models::task::abort_drops_a_task_that_waits";
        "an abort of a waiting task wakes nobody" in ABORT:
            "if first == Err(PAUSED) {" => "if first == Err(ENDED) {",
            caught by "models::task::abort_from_inside";
    }
    "join set" {
        "a dropped wait keeps the result that it was promised" in JOIN_SET:
            "fn release(&mut self, (): (), wakers: &mut Wakers) {\n        self.promised -= 1;"
            => "fn release(&mut self, (): (), wakers: &mut Wakers) {",
            caught by "models::task::set_dropped_join_loses_no_result";
        "the last result leaves other joins asleep" in JOIN_SET:
            "if self.is_empty() {\n            self.joining.close(wakers);" => "if false {\n            self.joining.close(wakers);",
            caught by "models::task::set_last_result_lets_every_join_go";
        "a dropped set leaves its tasks running" in JOIN_SET:
            "running.values().for_each(AbortHandle::abort);" => "drop(running);",
            caught by "models::task::set_dropped_aborts_its_tasks";
        "a task gives its place back when it starts" in JOIN_SET:
            "let _place = place;" => "drop(place);",
            caught by "models::task::set_limit_holds";
    }
    "context" {
        "cancelling wakes nobody" in CONTEXT:
            "wakers.push(waiting.put(cause.clone()));" => "drop(waiting.put(cause.clone()));",
            caught by "models::context::cancel_wakes_who_waits";
        "the child of a cancelled context is not cancelled" in CONTEXT:
            "let cause = parent.and_then(|parent| self.member(parent).cause.clone());" => "let cause = None;",
            caught by "models::context::cancel_and_a_new_child";
        "a second cancellation changes the cause" in CONTEXT:
            "if member.cause.is_some() {" => "if false {",
            caught by "models::context::cancel_twice_has_one_cause";
        "grandchildren are left out" in CONTEXT:
            "open.extend(mem::take(&mut member.children).into_iter().rev());" => "mem::take(&mut member.children);",
            caught by "models::context::cancel_reaches_a_grandchild";
        "a dropped wait stays in the queue" in CONTEXT:
            "siblings.remove(&id);" => "",
            caught by "models::context::drop_of_a_child_while_its_parent_is_cancelled";
    }
    "checked cell" {
        "a panic leaves the access open" in CELL:
            "self.record.lock().end(self.number);"
            => "if !std::thread::panicking() {\n            self.record.lock().end(self.number);\n        }",
            caught by "cell::an_access_ends_when_its_closure_panics";
        "a write passes over a read" in CELL:
            "self.kind == Kind::Write || other.kind == Kind::Write" => "self.kind == Kind::Write && other.kind == Kind::Write",
            caught by "cell::a_read_that_ends_within_another_leaves_that_one_open";
        "a read hides the write before it" in CELL:
            "self.past.retain(|(other, _)| !replaces(other));" => "let _ = &replaces;\n            self.past.clear();",
            caught by "cell::a_read_that_is_ordered_after_a_write_does_not_hide_the_write";
        "unordered accesses pass" in CELL:
            "access.conflicts(other) && !end.is_past()" => "access.conflicts(other) && !end.is_past() && false",
            caught by "bugs::every_known_bug_is_found_and_its_mended_twin_is_clean";
    }
    "stream and sink" {
        "a stream asks again after its end" in STREAM:
            "*this.ended = next.is_none();" => "",
            caught by "conformance::loom::a_stream_ends_with_its_channel";
        "a sink takes a value before it was flushed" in STREAM:
            "fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {\n        self.poll_flush(cx)"
            => "fn poll_ready(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {\n        Poll::Ready(Ok(()))",
            caught by "conformance::loom::a_sink_delivers_and_closes";
        "a closed sink keeps its handle" in STREAM:
            "self.project().send.set(None);" => "",
            caught by "conformance::loom::a_sink_delivers_and_closes";
    }
    "timed channel operation" {
        "the value of a send that ran out of time is lost" in OPS:
            "Err(Some(value)) => Err(SendTimeoutError::Timeout(value))," => "Err(Some(value)) => {\n                drop(value);\n                Ok(())\n            }",
            caught by "conformance::loom::a_timed_send_happens_or_gives_its_value_back";
        "a value handed over as the time runs out is lost" in TIMED:
            "operation.get_pin_mut().cancel()" => "{\n            drop(operation.get_pin_mut().cancel());\n            None\n        }",
            caught by "conformance::loom::a_timed_send_happens_or_gives_its_value_back";
        "a cancelled operation keeps its place in the queue" in OPS:
            "wait.withdraw(D::queue(&mut *lock.lock_in_drop()?));" => "drop(lock.lock_in_drop()?);",
            caught by "conformance::loom::a_cancelled_send_says_whether_it_was_delivered";
    }
    "timeout, timer and interval" {
        "the limit beats a result in time" in SLEEP:
            "let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {"
            => "let mut this = self.project();
        if this.sleep.as_mut().poll_unnoted(cx).is_ready() {
            return Poll::Ready(Err(Elapsed));
        }
        if let Poll::Ready(output) = this.future.poll(cx) {",
            caught by "conformance::loom::a_result_in_time_beats_the_limit";
        "a sleep set again keeps its former deadline" in SLEEP:
            "this.inner.set(backend::Sleep::until(deadline.0));" => "",
            caught by "time::tokio_paused::a_sleep_set_again_ends_at_the_new_deadline_only";
        "a stopped timer fires" in TIMER:
            "let was_running = self.is_running();\n        self.sleep = None;" => "let was_running = self.is_running();",
            caught by "models::time::timer_stopped_never_fires";
        "a timer fires twice" in TIMER:
            "if fires {\n            self.sleep = None;" => "if fires {",
            caught by "models::time::timer_set_again_fires";
        "skipped ticks leave the schedule" in INTERVAL:
            "now + period - remainder(late, period)" => "now + period",
            caught by "time::tokio_paused::missed_ticks_skip";
        "a tick just in time counts as missed" in INTERVAL:
            "let late = now - tick;" => "let late = now - tick + TOLERANCE;",
            caught by "time::tokio_paused::a_tick_that_is_not_quite_in_time_has_not_been_missed";
        "a dropped wait loses its tick" in INTERVAL:
            "Sleep::until(self.next, at).await;" => "self.next += self.period;\n                Sleep::until(self.next - self.period, at).await;\n                self.next -= self.period;",
            caught by "time::tokio_paused::a_dropped_wait_loses_no_tick";
    }
    "simulated network" {
        "a partition lets pass what is on its way" in LINK:
            "self.cuts += 1;" => "",
            caught by "net::links::what_is_on_its_way_does_not_cross_a_partition_made_since";
        "the timer of a lost segment does not back off" in OUTBOUND:
            "self.rto = (self.rto * 2).min(RTO_MAX);" => "self.rto = self.rto.min(RTO_MAX);",
            caught by "net::links::a_lost_segment_comes_after_its_timer";
        "a writer never waits for its reader" in APPLICATION:
            "buf.len().min(end.out.room())" => "buf.len().min(end.out.room().max(1024))",
            caught by "net::everywhere::tcp_in_a_simulation::a_writer_waits_for_its_reader";
        "nobody wakes a writer when there is room" in CONNECTION:
            "&& end.writer.is_none()" => "",
            caught by "net::everywhere::tcp_in_a_simulation::a_writer_waits_for_its_reader";
        "a timer that is put off is not set again" in LOSS:
            "wire.queue.change();" => "",
            caught by "net::failures::a_partition_that_outlasts_the_limit_fails_the_connection";
        "what was sent before decides how long a packet takes" in WEATHER:
            "if millisecond != self.millisecond {" => "if self.millisecond == u64::MAX {",
            caught by "net::links::a_latency_depends_neither_on_earlier_packets_nor_on_earlier_faults";
    }
    "fault plan" {
        "a slow node is as fast as any" in NODE:
            "poll_cost: POLL_COST * factor" => "poll_cost: POLL_COST",
            caught by "plans::a_slow_node_takes_its_factor_for_each_poll_until_the_end";
        "a clock that is ahead is behind" in NODE:
            "if ahead < 0 {" => "if ahead > 0 {",
            caught by "plans::a_clock_jumps_on_its_node_only_and_time_does_not";
        "links stay as the fault made them" in DRIVE:
            "self.swap(before);\n        match kind" => "drop(before);\n        match kind",
            caught by "plans::a_partition_cuts_the_groups_off_until_its_end";
        "a killed node stays dead" in DRIVE:
            "FaultKind::Kill { node } => self.power_on(&self.find(node)).await,\n            FaultKind::Pause"
            => "FaultKind::Kill { .. } => {}\n            FaultKind::Pause",
            caught by "plans::a_killed_node_runs_again_at_the_end";
        "a paused node stays paused" in DRIVE:
            "FaultKind::Pause { node } => self.pause(&self.find(node), false)," => "FaultKind::Pause { .. } => {}",
            caught by "plans::a_paused_node_does_nothing_and_goes_on_at_the_end";
        "a minority is any number of nodes" in DRAW:
            "targets.truncate(if most == 0 { 0 } else { rng.random_range(1..=most) });"
            => "let _ = (most, rng.random_range(1..=2));",
            caught by "plans::a_minority_is_the_same_for_all_faults_of_a_seed";
    }
    "shrinking" {
        "another failure is taken for this one" in SHRINK:
            "let same = Symptom::of(&outcome).as_ref() == Some(&self.symptom);" => "let same = outcome.cause.is_some();",
            caught by "shrink::another_failure_on_the_way_is_not_taken_for_this_one";
        "a failure meets other weather with each operation taken away" in WEATHER:
            "if millisecond != self.millisecond {" => "if self.millisecond == u64::MAX {",
            caught by "quorum::without_write_back_one_write_and_two_reads_go_wrong_and_no_fault_too_many";
        "the search does not begin again" in SHRINK:
            "if (&faults, &workload) == (&self.best.plan.faults, &self.best.plan.workload) {"
            => "if !faults.is_empty() || !workload.is_empty() {",
            caught by "shrink::what_a_simpler_value_makes_needless_goes_as_well";
        "a spell is shortened at its end only" in SHRINK:
            "self.shorter(number, |fault, half| fault.at += half)" => "false",
            caught by "shrink::a_spell_is_as_short_as_the_failure_lets_it_be";
        "the search ends with parts of two" in DDMIN:
            "} else if size == 1 {" => "} else if size <= 2 {",
            caught by "shrink::what_ddmin_leaves_fails_and_loses_nothing_without_passing";
        "the rest of a part is never tried" in DDMIN:
            "starts().filter(|_| parts > 2)" => "starts().filter(|_| parts > items.len())",
            caught by "shrink::what_ddmin_leaves_fails_and_loses_nothing_without_passing";
    }
    "determinism" {
        "a run makes a hash map before its seed is set" in OUTCOME:
            "let run = Run::simulation(seed);" => "drop(std::collections::HashMap::<u64, u64>::new());\n    let run = Run::simulation(seed);",
            caught by "leaks::std_hash_maps_and_random_states_are_neutralised_in_every_run_of_a_process";
        "fastrand is not seeded" in OUTCOME:
            "fastrand::seed(seed);" => "",
            caught by "leaks::fastrand_s_functions_and_new_generators_are_neutralised";
        "a verified sweep compares what was not kept" in SWEEP:
            "if first.trace != second.trace {" => "if first.lines != second.lines {",
            caught by "leaks::tokio_s_select_is_reported_unless_it_is_biased";
        "the event after the one that differs is named" in REPORT:
            "second.line(common)" => "second.line(common + 1)",
            caught by "leaks::a_process_static_is_reported_with_the_event_at_which_runs_differ";
    }
    "signals" {
        "a listener takes every kind" in SIGNAL:
            "self.node.as_deref() == Some(node) && self.kinds.contains(&signal)" => "self.node.as_deref() == Some(node)",
            caught by "signal::one_of_each_kind_is_kept_in_a_simulation";
        "a signal is for the whole cluster" in SIGNAL:
            "self.node.as_deref() == Some(node) && self.kinds" => "self.kinds",
            caught by "signal::a_signal_is_for_one_node_and_ends_one_that_does_not_listen";
        "one that nobody waits for is lost" in SIGNAL:
            "self.pending.insert(signal);" => "if self.waker.is_some() {
                self.pending.insert(signal);
            }",
            caught by "signal::one_of_each_kind_is_kept_in_a_simulation";
    }
    "trace" {
        "a span is never left" in TRACE:
            "self.entered.remove(last);" => "let _ = last;",
            caught by "reports::a_trace_names_the_spans_of_each_task";
        "what is recorded later is not said" in TRACE:
            "span.fields = fields.out;" => "drop(fields);",
            caught by "reports::a_trace_names_the_spans_of_each_task";
        "a task forgets its node" in ENTRY:
            "Speaker::new(self.node.clone(), self.label())" => "Speaker::new(None, self.label())",
            caught by "reports::a_trace_names_the_spans_of_each_task";
    }
    "watchdog" {
        "a run that was given up goes on" in POLLS:
            "if sim.watch.given_up.load(Ordering::Relaxed) {" => "if false {",
            caught by "watchdog::a_task_that_is_polled_for_ever_is_named_and_its_run_ended";
        "the task that was seen least is named" in WATCH:
            "tasks.clone().max_by_key(" => "tasks.clone().min_by_key(",
            caught by "watchdog::of_many_tasks_the_one_that_is_polled_most_of_the_time_is_named";
        "what hangs outside a poll is laid on the last task" in WATCH:
            "if last.polls % 2 == 1 => Hang::Poll" => "if last.polls > 0 => Hang::Poll",
            caught by "watchdog::what_hangs_outside_a_poll_is_laid_on_no_task_and_the_failure_before_it_is_told";
        "a run that was given up is tried again" in REPORT:
            "if outcome.cause.is_none() || outcome.is_stuck() {" => "if outcome.cause.is_none() {",
            caught by "watchdog::a_poll_that_never_returns_is_named_and_its_thread_left_behind";
        "the search for the smallest failure has the patience of a run" in SHRINK:
            ".patience.at_most(self.budget.time)" => ".patience",
            caught by "watchdog::a_try_that_spins_ends_the_search_for_the_smallest_failure_with_its_budget";
    }
    "metric bounds" {
        "a limit is looked at once and then forgotten" in LIMIT:
            "limits.declared.lock().splice(0..0, looked_at);" => "drop(looked_at);",
            caught by "oracle::a_run_that_exceeds_a_limit_fails_when_it_does";
        "a limit is one too high" in LIMIT:
            "if count > *most {" => "if count > *most + 1 {",
            caught by "oracle::what_a_scenario_counts_is_limited";
        "a sleep that was dropped is a timer still" in LIMIT:
            "limits.timers.fetch_sub(1, Ordering::Relaxed)" => "limits.timers.load(Ordering::Relaxed)",
            caught by "oracle::a_run_that_exceeds_a_limit_fails_when_it_does";
    }
    "known bugs" {
        "any failure counts as the expected one" in EXHAUSTIVE:
            "if failure.kind.word() != self.word {" => "if failure.kind.word().is_empty() {",
            caught by "bugs::a_failure_that_is_not_the_expected_one_does_not_count_as_found";
        "where the tasks are is not looked at" in EXHAUSTIVE:
            "task.label().starts_with(name) && task.wait == *wait" => "task.label().starts_with(name)",
            caught by "bugs::a_failure_that_is_not_the_expected_one_does_not_count_as_found";
        "any failing run counts as the expected one" in SIMULATED:
            "if !failure.symptom().contains(message) {" => "if failure.symptom().is_empty() {",
            caught by "bugs::a_simulated_failure_that_is_not_the_expected_one_does_not_count_as_found";
        "one starting point is enough" in SIMULATED:
            "if found < usize::try_from(STARTS).expect(\"a small number\") {" => "if found < 1 {",
            caught by "bugs::a_simulated_failure_that_is_not_the_expected_one_does_not_count_as_found";
    }
    "quorum store" {
        "a read does not write back" in QUORUM:
            "if self.reads == Reads::Atomic && newest.value.is_some() {" => "if false && newest.value.is_some() {",
            caught by "scenarios::quorum::linearizable_whatever_fails";
        "a read needs one answer" in QUORUM:
            "self.silent + 1).await?" => "1).await?",
            caught by "scenarios::quorum::linearizable_while_a_minority_fails";
        "an older version replaces a newer one" in QUORUM:
            "if newest.stamp < versioned.stamp {" => "if newest.stamp != versioned.stamp {",
            caught by "scenarios::quorum::linearizable_while_a_minority_fails";
    }
}
