//! The chat loop on tokio and madsim, by the bodies of its models; its choices, and its ticks.

use std::ops::ControlFlow;

use windtunnel::sync::Context;
use windtunnel::time::{self, Duration, Instant};
use windtunnel::{Receiver, channel, spawn};
use windtunnel_patterns::chat::{self, Ended, Event, Handler};
use windtunnel_suite::models::chat as models;

use crate::common::{on_tokio_and_madsim, on_two_threads, simulate};

on_tokio_and_madsim! {
    models:
    every_event_is_handled_once_and_in_order
    a_closed_input_is_waited_for_no_more
    told_to_quit_it_ends
    nothing_is_begun_after_quit
    the_handler_ends_it
    dropped_it_lets_the_senders_go
}

/// Notes what it sees, and takes a while for each.
#[derive(Default)]
struct Notes {
    seen: String,
    ticks: Vec<Instant>,
    pause: Duration,
}

impl Handler<(), ()> for Notes {
    async fn handle(&mut self, event: Event<(), ()>) -> ControlFlow<()> {
        match event {
            Event::Ui(()) => self.seen.push('u'),
            Event::Server(()) => self.seen.push('s'),
            Event::Tick(moment) => {
                self.seen.push('t');
                self.ticks.push(moment);
            }
        }
        time::sleep(self.pause).await;
        ControlFlow::Continue(())
    }
}

/// An input that holds so many events, and no more come.
async fn full(events: usize) -> Receiver<()> {
    let (sender, input) = channel(events);
    for _ in 0..events {
        sender.send(()).await.unwrap();
    }
    input
}

#[test]
fn of_two_inputs_that_are_ready_none_starves() {
    on_two_threads(async {
        let mut notes = Notes::default();
        let ended = chat::run(full(1000).await, full(1000).await, Duration::ZERO, &Context::new(), &mut notes).await;
        assert_eq!(ended, Ended::Inputs);
        assert_eq!(notes.seen.matches('u').count(), 1000);
        let early = notes.seen[..1000].matches('u').count();
        assert!((400..600).contains(&early), "{early} of the first 1000");
    });
}

#[test]
fn ticks_that_pass_while_an_event_is_handled_are_one() {
    simulate("ticks_that_pass_are_one", |_| {
        Box::pin(async {
            let (sender, ui) = channel(1);
            let (start, period) = (Instant::now(), time::secs(1));
            spawn(async move {
                time::sleep(time::millis(2_500)).await;
                sender.send(()).await.unwrap();
                time::sleep(time::secs(5)).await;
                drop(sender);
            });
            let mut notes = Notes { pause: time::millis(300), ..Notes::default() };
            let mut slow = Slow(&mut notes);
            let (closed, server) = channel(0);
            drop(closed);
            let ended = chat::run(ui, server, period, &Context::new(), &mut slow).await;
            assert_eq!(ended, Ended::Inputs);
            // Those of 3 s to 5 s passed while the one event of the user was handled, from 2.5 s to 5.8 s.
            assert_eq!(notes.seen, "ttuttt");
            let seconds: Vec<_> = notes.ticks.iter().map(|tick| (*tick - start).as_secs()).collect();
            assert_eq!(seconds, [1, 2, 3, 6, 7]);
        })
    });
}

/// Takes three seconds more for an event of the user.
struct Slow<'a>(&'a mut Notes);

impl Handler<(), ()> for Slow<'_> {
    async fn handle(&mut self, event: Event<(), ()>) -> ControlFlow<()> {
        if event == Event::Ui(()) {
            time::sleep(time::secs(3)).await;
        }
        self.0.handle(event).await
    }
}

#[test]
fn a_context_that_is_past_its_deadline_ends_it() {
    simulate("a_deadline_ends_it", |_| {
        Box::pin(async {
            let (_typing, ui) = channel(0);
            let (_saying, server) = channel(0);
            let (quit, start) = (Context::new().child_with_timeout(time::secs(3)), Instant::now());
            let mut notes = Notes::default();
            let ended = chat::run(ui, server, time::secs(2), &quit, &mut notes).await;
            assert!(matches!(ended, Ended::Quit(_)), "{ended:?}");
            assert_eq!((&*notes.seen, start.elapsed().as_secs()), ("t", 3));
        })
    });
}
