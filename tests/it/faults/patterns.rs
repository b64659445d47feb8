//! The planted faults of the patterns above the primitives.

use super::Fault;
use super::table::faults;

const PAR: &str = "patterns/src/par.rs";
const LOOKUP: &str = "patterns/src/lookup.rs";
const ROUTERS: &str = "patterns/src/routers/mod.rs";
const LIFE: &str = "patterns/src/routers/life.rs";
const WEB: &str = "patterns/src/routers/web.rs";
const OWNED: &str = "patterns/src/owned.rs";
const FORK_JOIN: &str = "patterns/src/fork_join.rs";
const RACE: &str = "patterns/src/race.rs";
const FIRST: &str = "patterns/src/first.rs";
const QUOTED: &str = "patterns/src/quoted.rs";
const SERVICE: &str = "patterns/src/service.rs";
const FINGER: &str = "patterns/src/finger.rs";
const HTTP: &str = "patterns/src/http.rs";
const SMTP: &str = "patterns/src/smtp.rs";
const DEBUG: &str = "patterns/src/debug.rs";
const REPLICATED: &str = "patterns/src/replicated.rs";
const FRAME: &str = "patterns/src/frame.rs";
const PIPE: &str = "patterns/src/pipe.rs";
const MUX_CLIENT: &str = "patterns/src/mux/client.rs";
const MUX_CONNECTION: &str = "patterns/src/mux/connection.rs";
const MUX_SERVER: &str = "patterns/src/mux/server.rs";
const SUBSCRIPTION: &str = "patterns/src/pubsub/subscription.rs";
const EVENT_LOOP: &str = "patterns/src/pubsub/event_loop.rs";
const ASK: &str = "patterns/src/ask.rs";
const REPOSITORY: &str = "patterns/src/repository.rs";
const PIPELINE: &str = "patterns/src/pipeline.rs";
const VENDING: &str = "patterns/src/vending/mod.rs";
const SALES: &str = "patterns/src/vending/tasks.rs";
const COOLING: &str = "patterns/src/vending/cooling.rs";
const CONN: &str = "patterns/src/conn.rs";
const DEADLINE: &str = "runtime/src/net/deadline.rs";
const TEE: &str = "patterns/src/tee.rs";
const CHAT: &str = "patterns/src/chat.rs";
const HELPERS: &str = "patterns/src/pubsub/helpers.rs";
const REMOTE: &str = "patterns/src/pubsub/remote/mod.rs";
const REMOTE_SERVER: &str = "patterns/src/pubsub/remote/server.rs";
const REMOTE_CLIENT: &str = "patterns/src/pubsub/remote/client.rs";
const SCHEDULER: &str = "patterns/src/scheduler.rs";
const LOOM: &str = "runtime/src/backend/loom.rs";

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
    "quoted string" {
        "a backslash escapes nothing in the table" in QUOTED:
            "(State::Within, '\\\\') => Ok(State::Escaped)," => "",
            caught by "quoted::the_forms_agree_on_every_text_of_seven_characters";
        "the code reads on behind an escaped character" in QUOTED:
            "'\\\\' => drop(input.read_char().await?)," => "'\\\\' => while input.read_char().await? == 'a' {},",
            caught by "quoted::the_forms_agree_on_every_text_of_seven_characters";
        "the task does not say how the string ended" in QUOTED:
            "turns.statuses.send(status).await.ok();" => "let _ = status;",
            caught by "models::quoted::bad_input_is_told_at_once";
        "a dropped call owes nothing" in QUOTED:
            "self.owed = true;" => "",
            caught by "models::quoted::a_dropped_call_has_read_its_character";
    }
    "service" {
        "a connection outlives its service" in SERVICE:
            "cut.run(service.handle(conn, draining)).await.ok();" => "service.handle(conn, draining).await;",
            caught by "models::service::dropped_it_leaves_no_connection";
        "a connection is served without a place" in SERVICE:
            "let _place = place;" => "drop(place);",
            caught by "models::service::no_more_than_the_limit_at_once";
        "the service ends at its deadline whatever is left" in SERVICE:
            "let _all = serving.places.acquire_many(most).await;" => "",
            caught by "scenarios::service::sessions_that_do_not_end_are_cut_off_at_the_deadline";
        "connections are not told that the service drains" in SERVICE:
            "draining: stop.child()," => "draining: Context::new(),",
            caught by "scenarios::service::a_service_that_drains_lets_sessions_end_and_sends_others_away";
        "an error of accept is tried again at once" in SERVICE:
            "self.0 = (self.0 * 2).clamp(Self::FIRST, Self::LONGEST);" => "self.0 = Duration::from_micros(1);",
            caught by "scenarios::service::a_listener_that_fails_is_tried_ever_more_seldom";
    }
    "finger" {
        "a question may take for ever" in FINGER:
            "time::timeout(self.limits.question, (&mut conn)" => "time::timeout(Duration::MAX, (&mut conn)",
            caught by "scenarios::service::finger_answers_beside_clients_that_are_silent_or_stalled";
        "an answer may take for ever" in FINGER:
            "time::timeout(self.limits.answer, saying)" => "time::timeout(Duration::MAX, saying)",
            caught by "scenarios::service::finger_answers_beside_clients_that_are_silent_or_stalled";
        "a name may be an option" in FINGER:
            "user.starts_with('-') || " => "",
            caught by "service::finger_speaks_its_protocol";
        "a task that was woken already is taken for one that its last waker woke" in LOOM:
            "by_only_waker && is_first" => "by_only_waker",
            caught by "models::finger::dropped_it_leaves_no_task";
    }
    "mail" {
        "a mail is accepted before it is delivered" in SMTP:
            "match (self.smtp.deliver)(Mail { from, to, text }).await {"
            => "match {
                drop((self.smtp.deliver)(Mail { from, to, text }));
                Ok::<_, Refusal>(())
            } {",
            caught by "scenarios::smtp::every_accepted_mail_is_whole_while_the_server_drains";
        "a line ends with a bare line feed" in SMTP:
            r#"begins = piece.ends_with(b"\r\n")"# => r#"begins = piece.ends_with(b"\n")"#,
            caught by "smtp::the_protocol_is_spoken_as_the_rfc_has_it";
        "dots that were added stay" in SMTP:
            "let stuffed = begins && piece[0] == b'.';" => "let stuffed = false;",
            caught by "smtp::any_text_comes_as_it_was_sent";
        "a session is cut off in the middle of a mail" in SMTP:
            "let line = if self.envelope.is_some() {" => "let line = if false {",
            caught by "smtp::a_mail_that_has_begun_may_end_while_the_server_drains";
    }
    "http and /debug/tasks" {
        "a connection has no limit" in HTTP:
            "time::timeout(self.limit, conversing)" => "time::timeout(Duration::MAX, conversing)",
            caught by "debug::a_connection_ends_at_its_limit_and_with_the_answer_under_way_when_the_service_drains";
        "a connection that is kept alive holds up the end" in HTTP:
            "serving.as_mut().graceful_shutdown()," => "{}",
            caught by "debug::a_connection_ends_at_its_limit_and_with_the_answer_under_way_when_the_service_drains";
        "the total is that of the groups" in DEBUG:
            "total: dump.len()" => "total: dump.groups.len()",
            caught by "debug::a_hundred_leaked_tasks_are_in_the_top_row_of_a_live_program";
    }
    "multiplexer" {
        "a tag is used again" in MUX_CLIENT:
            "next_tag.fetch_add(1," => "next_tag.fetch_add(0,",
            caught by "models::mux::stray_replies_are_counted_and_dropped";
        "a call is registered after its request was sent" in MUX_CONNECTION:
            "self.register(tag, reply);
                    if let Err(error) = writer.write(&Frame { kind: kind::REQUEST, tag, body: request }).await {
                        return (Lost::Broken(error), None);
                    }"
            => "if let Err(error) = writer.write(&Frame { kind: kind::REQUEST, tag, body: request }).await {
                        return (Lost::Broken(error), None);
                    }
                    windtunnel::task::yield_now().await;
                    self.register(tag, reply);",
            caught by "models::mux::each_of_two_calls_has_its_own_reply";
        "a reply to nobody ends the connection" in MUX_CONNECTION:
            "self.shared.count(frame.tag);" => "break Lost::Unexpected(frame.kind);",
            caught by "models::mux::stray_replies_are_counted_and_dropped";
        "calls that are gone fill the table" in MUX_CONNECTION:
            "table.retain(|_, caller| !caller.is_closed());" => "while table.len() >= self.in_flight {
                    table.pop_last();
                }",
            caught by "mux::calls_that_are_dropped_take_no_entry_from_others";
        "the reason of a loss is not kept" in MUX_CONNECTION:
            "self.shared.end(end.0.clone());" => "",
            caught by "models::mux::loss_fails_every_pending_call_and_later_ones";
        "a multiplexer that is closed late leaves its task" in MUX_CLIENT:
            "self.task.abort();" => "",
            caught by "mux::a_peer_that_does_not_read_holds_up_no_call_beyond_its_deadline";
        "closing does not wait for the calls in flight" in MUX_CLIENT:
            "let _all = self.places.acquire_many(self.options.in_flight.get()).await;" => "",
            caught by "scenarios::mux::close_waits_for_calls_in_flight";
        "a server reads on while its places are taken" in MUX_SERVER:
            "JoinSet::with_limit(options.in_flight.get())" => "JoinSet::with_limit(options.in_flight.get() + 1)",
            caught by "scenarios::mux::a_server_answers_so_many_at_once";
        "a frame's length is not looked at before it is read" in FRAME:
            "check_length(length, self.limit)?;
        if" => "if",
            caught by "mux::a_frame_that_is_too_long_or_cut_short_is_an_error";
        "a frame that comes in pieces loses what was read ahead" in FRAME:
            "return Ok(Err(missing));" => "self.read.clear();\n            return Ok(Err(missing));",
            caught by "mux::frames_survive_any_pieces";
        "a pipe forgets what is left of a piece" in PIPE:
            "self.unread.advance(length);" => "self.unread.clear();",
            caught by "mux::a_piece_is_read_in_any_portions";
    }
    "publish/subscribe" {
        "who cancels does not receive meanwhile" in SUBSCRIPTION:
            "let mut leaving = (self.leave)();" => "(self.leave)().await;\n        let mut leaving = (self.leave)();",
            caught by "models::pubsub::pubsub_mutex::cancel_against_publish";
        "what is lost at last is not told" in SUBSCRIPTION:
            "latest.try_recv().ok())" => "latest.try_recv().ok()).filter(|_| false)",
            caught by "models::pubsub::pubsub_mutex::coalesced_events_add_up";
        "a loss is told before the events that came before it" in SUBSCRIPTION:
            "while let Ok(parcel) = self.arriving.try_recv() {
                        self.held.push_back(parcel);
                    }"
            => "",
            caught by "models::pubsub::pubsub_mutex::coalesced_events_add_up";
        "a subscriber that is too slow stays" in SUBSCRIPTION:
            "!matches!(self.policy, Policy::Disconnect(_))" => "true",
            caught by "models::pubsub::pubsub_mutex::too_slow_is_disconnected";
        "the queue holds one event more than the policy says" in SUBSCRIPTION:
            "policy.capacity());" => "policy.capacity() + 1);",
            caught by "scenarios::pubsub::a_helper_takes_the_delay_of_a_slow_subscriber";
        "a closed loop goes on" in EVENT_LOOP:
            "Request::Close => return," => "Request::Close => outlets = Outlets::new(),",
            caught by "models::pubsub::pubsub_loop::close_against_publish";
        "a helper outlives its subscription" in HELPERS:
            r#"helper.spawn("pubsub helper", help(events, outlet));"#
            => r#"helper.spawn("pubsub helper", help(events, outlet));
        helper.detach();"#,
            caught by "scenarios::pubsub::a_dropped_subscription_takes_its_helper_with_it";
    }
    "remote publish/subscribe" {
        "a connection that ends without a word is the end of its subscription" in REMOTE:
            "frame?.ok_or(RemoteError::Ended)"
            => "Ok(frame?.unwrap_or(Frame { kind: kind::END, tag: 0, body: Bytes::new() }))",
            caught by "models::pubsub_remote::a_lost_connection_is_an_error";
        "a cancel returns before the server knows of it" in REMOTE_CLIENT:
            "while self.state == State::Asked {" => "while false {",
            caught by "models::pubsub_remote::a_cancel_is_exact";
        "a server that has nothing to send does not say so" in REMOTE_SERVER:
            "Happening::Quiet => wire.send(kind::ALIVE, 0, Bytes::new()).await?," => "Happening::Quiet => {}",
            caught by "scenarios::pubsub_remote::a_silent_server_is_an_error_at_the_subscriber";
        "every topic is the one that is wanted" in REMOTE_SERVER:
            "event.topic == topic" => "!topic.is_empty() || event.topic == topic",
            caught by "scenarios::pubsub_remote::everybody_sees_one_order_whatever_befalls_the_clients";
    }
    "work scheduler" {
        "a task has another key in each attempt" in SCHEDULER:
            "run: Arc::clone(&self.run) };" => "run: drawn_name().into() };",
            caught by "scenarios::scheduler::each_key_has_one_effect_however_often_its_task_is_executed";
        "every run has the same keys" in SCHEDULER:
            "unwrap_or_else(drawn_name)" => "unwrap_or_default()",
            caught by "scenarios::scheduler::each_key_has_one_effect_however_often_its_task_is_executed";
        "a call has no deadline" in SCHEDULER:
            "time::timeout(self.options.deadline, call).await" => "Ok::<_, time::Elapsed>(call.await)",
            caught by "models::scheduler::a_hung_call_ends_at_its_deadline";
        "a poison task is given up in silence" in SCHEDULER:
            "self.given_up.push(GivenUp { task, attempts: *attempts, last_error });" => "",
            caught by "scenarios::scheduler::a_poison_task_is_given_up_by_name_and_the_others_are_done";
    }
    "repository" {
        "an answer finds nobody who waits for it just now" in ASK:
            r#"channel::named("answer", 1)"# => r#"channel::named("answer", 0)"#,
            caught by "models::repository::a_call_that_returned_was_executed";
        "a closed repository goes on with an empty map" in REPOSITORY:
            "return reply.send(map)," => "reply.send(std::mem::take(&mut map)),",
            caught by "models::repository::a_closed_repository_refuses";
        "the owner keeps a handle of itself" in REPOSITORY:
            r#"spawn_named("repository", serve(requests));"#
            => r#"let own = owner.clone();
        spawn_named("repository", async move {
            serve(requests).await;
            drop(own);
        });"#,
            caught by "models::repository::dropped_it_leaves_no_task";
        "a command that panics takes the owner with it" in REPOSITORY:
            "catch_unwind(AssertUnwindSafe(|| command(map)))" => "Ok(command(map))",
            caught by "repository::a_command_that_panics_does_so_in_its_callers_task_and_the_owner_goes_on";
        "an insert returns before it is done" in REPOSITORY:
            "self.run(|map| map.insert(key, value)).await"
            => "let map = self.clone();
        spawn_named(\"insert\", async move { map.run(|map| map.insert(key, value)).await });
        Ok(None)",
            caught by "scenarios::repository::linearizable_whoever_is_in_trouble";
    }
    "pipeline" {
        "the inputs stay locked while one is processed" in PIPELINE:
            "let input = next(&mut *inputs.lock().await).await;\n        let"
            => "let mut inputs = inputs.lock().await;\n        let input = next(&mut inputs).await;\n        let",
            caught by "scenarios::pipeline::equal_inputs_take_as_long_as_the_rounds";
        "a place is taken before the turn has come" in PIPELINE:
            "let mut inputs = inputs.lock().await;
        if places.send(read).await.is_err() {
            return;
        }"
            => "if places.send(read).await.is_err() {
            return;
        }
        let mut inputs = inputs.lock().await;",
            caught by "models::pipeline::ordered_outputs_come_in_the_order_of_the_inputs";
        "workers run ahead by one more" in PIPELINE:
            "workers.get().saturating_add(buffer)" => "workers.get().saturating_add(buffer + 1)",
            caught by "scenarios::pipeline::workers_run_ahead_of_the_reader_by_the_buffer";
        "the workers go on without a reader" in PIPELINE:
            "Outputs { stream:" => "tasks.detach();\n    Outputs { stream:",
            caught by "models::pipeline::dropped_early_it_drops_what_is_under_way";
        "inputs that panic take a worker with them" in PIPELINE:
            "caught(inputs.as_mut()?.next()).await.transpose()" => "Ok(inputs.as_mut()?.next().await).transpose()",
            caught by "pipeline::a_stream_of_inputs_that_panics_says_so_and_is_at_its_end";
    }
    "vending machine" {
        "what the arm does not bring stays paid" in SALES:
            "drop(self.coins.send(Coins::Refund(price)).await);" => "",
            caught by "models::vending::what_the_arm_does_not_bring_is_not_paid";
        "a press is not paid for" in SALES:
            "(credit, takings) = (rest, takings + u64::from(price));" => "takings += credit - rest;",
            caught by "models::vending::credit_for_one_is_one_coke";
        "the stock never ends" in SALES:
            "wanted.stock -= 1;" => "",
            caught by "vending::what_was_put_in_is_what_was_vended_given_back_and_left";
        "the arm begins a movement before the last has ended" in SALES:
            "(self.fetch)(number).await })"
            => "futures_util::future::join((self.fetch)(number), (self.fetch)(number)).await.0 })",
            caught by "scenarios::vending::the_air_stays_cold_and_the_money_adds_up";
        "the buttons wait for the arm" in VENDING:
            r#"channel::named("orders", stock)"# => r#"channel::named("orders", 0)"#,
            caught by "models::vending::a_customer_buys_a_coke";
        "the compressor stays on" in COOLING:
            "fn drop(&mut self) {
        self.0.cool(false);" => "fn drop(&mut self) {",
            caught by "models::vending::a_machine_that_is_closed_does_not_cool";
        "the air is looked at when somebody asks" in COOLING:
            "_ = ticks.tick() => self.adjust(&thermostat)," => "_ = ticks.tick() => {}",
            caught by "scenarios::vending::the_air_stays_cold_and_the_money_adds_up";
    }
    "home routers" {
        "who waits for a slow router keeps the map" in ROUTERS:
            "let offered = self.fleet.lock().await.offer(&self.home, &router, event)?;"
            => "let mut fleet = self.fleet.lock().await;
            let offered = fleet.offer(&self.home, &router, event)?;",
            caught by "models::routers::a_slow_router_keeps_nobody_else_waiting";
        "what is lost is not counted" in ROUTERS:
            "self.lost += 1;" => "",
            caught by "models::routers::what_does_not_fit_is_lost_and_counted";
        "one more than the limit begins" in ROUTERS:
            "self.routers.len() >= home" => "self.routers.len() > home",
            caught by "models::routers::too_many_are_refused";
        "a stop forgets what waits in the mailboxes" in ROUTERS:
            "life::close(&router.mailbox);"
            => "life::close(&router.mailbox);
            while router.mailbox.try_recv().is_ok() {}",
            caught by "models::routers::what_does_not_fit_is_lost_and_counted";
        "a stop does not close the mailboxes" in ROUTERS:
            "life::close(&router.mailbox);" => "let _ = router;",
            caught by "models::routers::stop_against_event";
        "a router begins anew before it has ended" in LIFE:
            "before.ended().await;" => "std::mem::forget(before);",
            caught by "models::routers::eviction_against_event";
        "an idle router leaves what came at last" in LIFE:
            "Err(RecvTimeoutError::Timeout) => close(&self.mailbox)," => "Err(RecvTimeoutError::Timeout) => return None,",
            caught by "models::routers::eviction_against_event";
        "an idle router stays in the map" in LIFE:
            "fleet.lock().await.forget(&self.id);" => "drop(fleet);",
            caught by "routers::a_router_ends_when_it_was_idle_and_not_while_it_is_heard_of_or_asked";
        "a panic leaves a mailbox that nobody reads" in LIFE:
            "close(&self.mailbox);
            if let Some(fleet)"
            => "if let Some(fleet)",
            caught by "routers::a_calculator_that_panics_ends_its_router_and_no_other";
        "a task outlives its owner" in OWNED:
            "task.abort();" => "let _ = task;",
            caught by "models::routers::a_dropped_whole_leaves_no_task";
        "a router that nobody knows is an error of the server" in WEB:
            "error == QueryError::Unknown" => "false && error == QueryError::Unknown",
            caught by "routers::the_page_of_a_router_is_its_state";
    }
    "connection" {
        "a read may begin after its deadline" in PIPE:
            "self.read.check()?;" => "",
            caught by "models::conn::a_deadline_in_the_past_fails_at_once";
        "a write may begin after its deadline" in PIPE:
            "self.write.check()?;" => "",
            caught by "models::conn::a_deadline_in_the_past_fails_at_once";
        "a read that waits has no deadline" in PIPE:
            "return self.read.poll_waiting(cx)" => "return Poll::Pending",
            caught by "models::conn::a_read_that_waits_fails_at_its_deadline";
        "a write that waits has no deadline" in PIPE:
            "Poll::Pending => self.write.poll_waiting(cx)," => "Poll::Pending => Poll::Pending,",
            caught by "models::conn::a_write_to_a_peer_that_does_not_read_fails";
        "a write that fails at its deadline is sent all the same" in PIPE:
            "ready!(self.as_mut().poll_flush(cx))?;
        let piece" => "ready!(self.as_mut().poll_flush(cx)).ok();
        let piece",
            caught by "models::conn::a_write_to_a_peer_that_does_not_read_fails";
        "the deadlines of a connection are swapped" in CONN:
            "Pipe::set_read_deadline(self, deadline);" => "Pipe::set_write_deadline(self, deadline);",
            caught by "models::conn::a_read_that_waits_fails_at_its_deadline";
        "a deadline that was moved is where it was" in DEADLINE:
            "self.at = at;\n" => "self.at = self.at.or(at);\n",
            caught by "models::conn::a_deadline_in_the_past_fails_at_once";
    }
    "tee" {
        "an error keeps the writers behind it from their bytes" in TEE:
            "Poll::Ready(Ok(())) => true,
            Poll::Pending => {"
            => "Poll::Ready(Ok(())) => failures.is_empty(),
            Poll::Pending => {",
            caught by "models::tee::one_that_fails_is_left_out";
        "a piece is given up for the next one" in TEE:
            "ready!(self.poll_piece(cx))?;
        self.piece =" => "let _ = self.poll_piece(cx)?;
        self.piece =",
            caught by "tee::each_writer_has_a_prefix_and_those_that_did_not_fail_have_all";
        "a flush waits for one writer only" in TEE:
            "_ if waits => Poll::Pending," => "_ if waits && self.lanes.len() == 1 => Poll::Pending,",
            caught by "models::tee::a_flush_waits_for_every_writer";
        "a tee that stops goes on with the others" in TEE:
            "if self.options.on_error == OnError::Stop" => "if self.options.on_error == OnError::LeaveOut && failure.taken > 0",
            caught by "models::tee::the_first_error_stops_it";
        "a slow writer is waited for" in TEE:
            "deadline.poll_waiting(cx).map_err(|_| WriterError::TooSlow(patience))" => "let _ = deadline;\n        Poll::Pending",
            caught by "models::tee::one_that_is_too_slow_is_left_out";
        "the patience is one for all pieces" in TEE:
            "self.patience = None;
            return" => "return",
            caught by "tee::a_patience_is_for_each_piece_and_not_for_all";
        "what a writer has half taken is given to it again" in TEE:
            "self.sent += count;" => "self.sent = piece.len().min(self.sent.max(1) * 2);",
            caught by "tee::each_writer_has_a_prefix_and_those_that_did_not_fail_have_all";
    }
    "chat loop" {
        "a closed input is waited for" in CHAT:
            "*input = None;" => "let _ = input;",
            caught by "models::chat::a_closed_input_is_waited_for_no_more";
        "one closed input is the end" in CHAT:
            "while ui.is_some() || server.is_some()" => "while ui.is_some() && server.is_some()",
            caught by "models::chat::a_closed_input_is_waited_for_no_more";
        "nothing tells it to quit while it waits" in CHAT:
            "match quit.run(next).await {" => "match Ok::<_, Cause>(next.await) {",
            caught by "models::chat::told_to_quit_it_ends";
        "an event is begun after it was told to quit" in CHAT:
            "if let Some(cause) = quit.cause() {" => "if let Some(cause) = quit.cause().filter(|_| event.is_none()) {",
            caught by "models::chat::nothing_is_begun_after_quit";
        "it does not look at what the handler says" in CHAT:
            "handler.handle(event).await.is_break()" => "handler.handle(event).await.is_break() && ui.is_none()",
            caught by "models::chat::the_handler_ends_it";
        "ticks that passed come one after another" in CHAT:
            "MissedTickBehavior::Skip" => "MissedTickBehavior::Burst",
            caught by "chat::ticks_that_pass_while_an_event_is_handled_are_one";
    }
}
