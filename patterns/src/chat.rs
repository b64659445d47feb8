//! The event loop of a chat program: what the user does, what the server says, and time; one at a time.
//!
//! After the select of "Go, for Distributed Systems" (000:1306-1321, census A1.6), with what the printed loop lacks: a way out
//! (`chat-no-exit`), and an eye on closed channels, which in Go are ready for ever (`chat-closed-channel-spin`).
//!
//! ```
//! use std::ops::ControlFlow;
//! use windtunnel::sync::Context;
//! use windtunnel::{Receiver, time};
//! use windtunnel_patterns::chat::{self, Event, Handler};
//!
//! #[derive(Default)]
//! struct Screen {
//!     lines: Vec<String>,
//! }
//!
//! impl Handler<String, String> for Screen {
//!     async fn handle(&mut self, event: Event<String, String>) -> ControlFlow<()> {
//!         match event {
//!             Event::Ui(line) if line == "/quit" => return ControlFlow::Break(()),
//!             Event::Ui(line) | Event::Server(line) => self.lines.push(line),
//!             Event::Tick(_) => println!("{} lines", self.lines.len()),
//!         }
//!         ControlFlow::Continue(())
//!     }
//! }
//!
//! async fn chat(typed: Receiver<String>, said: Receiver<String>, quit: Context) {
//!     let mut screen = Screen::default();
//!     let why = chat::run(typed, said, time::secs(1), &quit, &mut screen).await;
//!     println!("{why:?}");
//! }
//! ```
//!
//! # Contract
//!
//! - *Ordering.* The events of one input come in order. Of several that are ready any may be next, each with the same chance.
//! - *When each communication proceeds.* One event is handled after the other, and while one is, nothing is received: the senders wait,
//!   as their channels let them, which is the *back-pressure*. Ticks that pass meanwhile are one, as a Go ticker's.
//! - *A closed input* is waited for no more, once what it holds was handled; the other goes on.
//! - *When it ends.* [`Ended`] tells. No event is begun once `quit` is cancelled; the one that is handled then comes to its end, so a
//!   handler that may take long looks at `quit` itself.
//! - *What it leaves.* What was not received, or came with the end, is dropped, and senders learn that the channel is closed.

use std::future::{Future, pending};
use std::ops::ControlFlow;
use std::time::Duration;

use windtunnel::sync::{Cause, Context};
use windtunnel::time::{Instant, Interval, MissedTickBehavior, interval_at};
use windtunnel::{Receiver, select};

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<U, S> {
    /// The user did something.
    Ui(U),
    /// The server said something.
    Server(S),
    /// A period has passed; the moment when it had.
    Tick(Instant),
}

/// Why a [`run`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, and why.
    Quit(Cause),
    /// The handler said so.
    Handler,
    /// Both inputs are closed.
    Inputs,
}

/// What is done about events.
pub trait Handler<U, S>: Send {
    /// Handles one event, and tells whether to go on.
    fn handle(&mut self, event: Event<U, S>) -> impl Future<Output = ControlFlow<()>> + Send;
}

impl<U: Send, S: Send, H: Handler<U, S>> Handler<U, S> for &mut H {
    fn handle(&mut self, event: Event<U, S>) -> impl Future<Output = ControlFlow<()>> + Send {
        (**self).handle(event)
    }
}

/// Hands the events of two inputs, and a tick each `period` (none, if that is zero), to `handler`, until there is a reason to end.
///
/// # Cancel safety
/// Dropped, it drops the inputs, and an event where it is handled.
pub async fn run<U, S>(
    ui: Receiver<U>,
    server: Receiver<S>,
    period: Duration,
    quit: &Context,
    mut handler: impl Handler<U, S>,
) -> Ended {
    let (mut ui, mut server, mut ticks) = (Some(ui), Some(server), ticks(period));
    while ui.is_some() || server.is_some() {
        let next = async {
            select! {
                event = ui.as_ref().map(Receiver::recv) => event.map(Event::Ui).or_else(|| nil(&mut ui)),
                event = server.as_ref().map(Receiver::recv) => event.map(Event::Server).or_else(|| nil(&mut server)),
                moment = tick(&mut ticks) => Some(Event::Tick(moment)),
            }
        };
        let event = match quit.run(next).await {
            Err(cause) => return Ended::Quit(cause),
            Ok(event) => event,
        };
        // An event that is ready wins over the end, but is not begun after it.
        if let Some(cause) = quit.cause() {
            return Ended::Quit(cause);
        }
        if let Some(event) = event
            && handler.handle(event).await.is_break()
        {
            return Ended::Handler;
        }
    }
    Ended::Inputs
}

/// Has a closed input not be waited for: a nil channel in Go.
fn nil<I, E>(input: &mut Option<I>) -> Option<E> {
    *input = None;
    None
}

fn ticks(period: Duration) -> Option<Interval> {
    (!period.is_zero()).then(|| {
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    })
}

async fn tick(ticks: &mut Option<Interval>) -> Instant {
    match ticks {
        Some(ticks) => ticks.tick().await,
        None => pending().await,
    }
}
