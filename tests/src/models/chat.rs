//! The chat loop under every interleaving of its inputs and its end.

use std::ops::ControlFlow;

use windtunnel::channel::{self, Receiver, Sender};
use windtunnel::sync::{Cause, Context};
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Duration};
use windtunnel_patterns::chat::{self, Ended, Event, Handler};

/// Notes what is handled; ends at a `'q'`.
#[derive(Default)]
struct Notes(String);

impl Handler<char, char> for Notes {
    async fn handle(&mut self, event: Event<char, char>) -> ControlFlow<()> {
        let what = match event {
            Event::Ui(what) | Event::Server(what) => what,
            Event::Tick(_) => 't',
        };
        self.0.push(what);
        if what == 'q' { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

type Input = (Sender<char>, Receiver<char>);

fn inputs() -> (Input, Input) {
    (channel::named("ui", 0), channel::named("server", 0))
}

/// Each event of both inputs is handled once, those of one input in order; then both are closed, and the loop ends.
#[windtunnel_model::test(preemptions = 1, max_executions = 10_000)]
pub async fn every_event_is_handled_once_and_in_order() {
    let ((typing, ui), (saying, server)) = inputs();
    let mut notes = Notes::default();
    spawn_named("ui", async move {
        for what in ['a', 'b'] {
            typing.send(what).await.expect("the loop runs");
        }
    });
    spawn_named("server", async move { saying.send('x').await.expect("the loop runs") });
    let ended = chat::run(ui, server, Duration::ZERO, &Context::new(), &mut notes).await;
    assert_eq!(ended, Ended::Inputs);
    assert!(["abx", "axb", "xab"].contains(&&*notes.0), "{}", notes.0);
}

/// One input is closed: nothing is handled that nobody sent, and the other goes on (census `chat-closed-channel-spin`).
#[windtunnel_model::test(preemptions = 1, max_executions = 10_000)]
pub async fn a_closed_input_is_waited_for_no_more() {
    let ((typing, ui), (_, server)) = inputs();
    let mut notes = Notes::default();
    spawn_named("ui", async move { typing.send('a').await.expect("the loop runs") });
    let ended = chat::run(ui, server, Duration::ZERO, &Context::new(), &mut notes).await;
    assert_eq!((ended, &*notes.0), (Ended::Inputs, "a"));
}

/// Told to quit at any moment, it ends, with what it is at handled to the end (census `chat-no-exit`).
#[windtunnel_model::test(preemptions = 2)]
pub async fn told_to_quit_it_ends() {
    let ((typing, ui), (_saying, server)) = inputs();
    let mut notes = Notes::default();
    let quit = Context::named("quit");
    let quitting = quit.clone();
    let chat = spawn_named("chat", async move {
        let ended = chat::run(ui, server, Duration::ZERO, &quitting, &mut notes).await;
        (ended, notes.0)
    });
    spawn_named("quit", async move { quit.cancel() });
    let taken = typing.send('a').await.is_ok();
    let (ended, heard) = chat.await.expect("nobody aborts it");
    assert_eq!(ended, Ended::Quit(Cause::Cancelled));
    assert!(heard.is_empty() || (taken && heard == "a"), "{heard}");
}

/// Nothing is begun once it was told to quit, whatever is ready.
#[windtunnel_model::test]
pub async fn nothing_is_begun_after_quit() {
    let (typing, ui) = channel::named("ui", 1);
    let (_saying, server) = channel::named("server", 0);
    let mut notes = Notes::default();
    typing.send('a').await.expect("there is room");
    let quit = Context::named("quit");
    quit.cancel();
    let ended = chat::run(ui, server, Duration::ZERO, &quit, &mut notes).await;
    assert_eq!((ended, &*notes.0), (Ended::Quit(Cause::Cancelled), ""));
}

/// The handler ends it; who sends then is told that nobody receives.
#[windtunnel_model::test(preemptions = 1, max_executions = 10_000)]
pub async fn the_handler_ends_it() {
    let ((typing, ui), (saying, server)) = inputs();
    let mut notes = Notes::default();
    let sending = spawn_named("server", async move { saying.send('x').await.is_ok() });
    spawn_named("ui", async move { typing.send('q').await.expect("the loop runs") });
    let ended = chat::run(ui, server, Duration::ZERO, &Context::new(), &mut notes).await;
    assert_eq!(ended, Ended::Handler);
    let sent = sending.await.expect("it learns that nobody receives");
    assert_eq!(notes.0, if sent { "xq" } else { "q" });
}

/// Time passes as well: a tick is an event among the others.
#[windtunnel_model::test(preemptions = 1, max_executions = 10_000)]
pub async fn ticks_are_events() {
    let ((typing, ui), (_, server)) = inputs();
    let mut notes = Notes::default();
    spawn_named("ui", async move { typing.send('a').await.expect("the loop runs") });
    let ended = chat::run(ui, server, time::secs(1), &Context::new(), &mut notes).await;
    assert_eq!((ended, &*notes.0.replace('t', "")), (Ended::Inputs, "a"));
}

/// Dropped at any moment it leaves no task, and senders learn that nobody receives.
#[windtunnel_model::test(preemptions = 2)]
pub async fn dropped_it_lets_the_senders_go() {
    let ((typing, ui), (_saying, server)) = inputs();
    let mut notes = Notes::default();
    spawn_named("ui", async move {
        typing.send('a').await.ok();
        typing.send('b').await.ok();
    });
    let quit = Context::new();
    let _ = time::timeout(time::secs(1), chat::run(ui, server, Duration::ZERO, &quit, &mut notes)).await;
}

/// Two sources, one of which has two events, and a clock that has it quit: what is handled is a beginning of what either sent.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn two_sources_and_an_end_in_time() {
    let ((typing, ui), (saying, server)) = inputs();
    let quit = Context::named("quit");
    for (name, events, source) in [("ui", "ab", typing), ("server", "x", saying)] {
        spawn_named(name, async move {
            for what in events.chars() {
                source.send(what).await.ok();
            }
        });
    }
    let quitting = quit.clone();
    spawn_named("quit", async move {
        time::sleep(time::secs(1)).await;
        quitting.cancel();
    });
    let mut notes = Notes::default();
    let ended = chat::run(ui, server, Duration::ZERO, &quit, &mut notes).await;
    let of = |events: &str| notes.0.chars().filter(|what| events.contains(*what)).collect::<String>();
    assert!("ab".starts_with(&of("ab")) && "x".starts_with(&of("x")), "{}", notes.0);
    assert!(ended == Ended::Quit(Cause::Cancelled) || notes.0.len() == 3, "{}", notes.0);
}
