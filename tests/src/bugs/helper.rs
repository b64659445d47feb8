//! Bugs of the helper that queues the events of one subscriber (talk 002, pattern 1), on channels with Go's rules.

use std::collections::VecDeque;

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel::{Sender, channel, select};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] =
    &[&RESUBSCRIBE_OVERLAP, &EMPTY_QUEUE_PANIC, &CLOSED_INPUT_ZERO_EVENTS, &EXITS_AT_ONCE, &SUBSCRIBER_GONE_LEAK];

/// When a helper goes on, from whether its input is open and whether something is queued.
type GoesOn = fn(bool, bool) -> bool;

/// `go helper(in, out)`, which goes on while `goes_on(in != nil, len(q) > 0)`. What a closed `in` gives is `at_close`: nothing,
/// or Go's zero value.
fn start_helper(input: &Channel<u64>, out: &Channel<u64>, goes_on: GoesOn, at_close: Option<u64>) {
    let (input, out) = (input.clone(), out.clone());
    spawn_named("helper", async move {
        let (mut input, mut queue) = (Some(input), VecDeque::new());
        while goes_on(input.is_some(), !queue.is_empty()) {
            select! {
                sent = queue.front().map(|event| out.send(*event)) => {
                    sent.expect("send on closed channel");
                    queue.pop_front();
                }
                event = input.as_ref().map(Channel::recv) => match event.or(at_close) {
                    Some(event) => queue.push_back(event),
                    None => input = None,
                },
            }
        }
        out.close().expect("close of closed channel");
    });
}

/// A helper and the channel of its subscriber.
fn helper(goes_on: GoesOn, at_close: Option<u64>) -> [Channel<u64>; 2] {
    let [input, out] = [go::named("in", 0), go::named("out", 0)];
    start_helper(&input, &out, goes_on, at_close);
    [input, out]
}

/// Hands two events to the helper, as the loop does, and then reads what the subscriber got.
async fn publish_twice(goes_on: GoesOn) {
    let [input, out] = helper(goes_on, None);
    for event in [1, 2] {
        input.send(event).await.expect("not closed yet");
    }
    input.close().expect("closed once");
    for event in [Some(1), Some(2), None] {
        assert_eq!(out.recv().await, event);
    }
}

/// Nobody says it in the talk: the condition reads as "while there is something to do", and there is nothing yet.
static EXITS_AT_ONCE: Bug = Bug {
    id: "helper-exits-at-once",
    source: "002:945",
    summary: "The helper goes on while its input is open and its queue is not empty: it is empty at first, so that it ends at once.",
    mend: "Go on while the input is open *or* something is queued.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(publish_twice(|open, queued| open && queued)),
        mended: || Box::pin(publish_twice(|open, queued| open || queued)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (in)")], message: "" },
    }),
};

/// Hint 13, close a channel to signal that no more values will be sent: who receives has to look.
async fn close_the_input(goes_on: GoesOn, at_close: Option<u64>) {
    let [input, out] = helper(goes_on, at_close);
    input.close().expect("closed once");
    assert_eq!(out.recv().await, None, "the subscriber gets an event that nobody published");
}

static CLOSED_INPUT_ZERO_EVENTS: Bug = Bug {
    id: "helper-closed-input-zero-events",
    source: "002:876-929",
    summary: "A closed input gives zero values without end, and the helper takes each for an event.",
    mend: "Look at whether the input is closed, and then disable its arm.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(close_the_input(|_, _| true, Some(0))),
        mended: || Box::pin(close_the_input(|open, queued| open || queued, None)),
        expected: Expected { word: "NO PROGRESS", tasks: &[("helper", "running")], message: "" },
    }),
};

/// `select { case e := <-in: …; case out <- q[0]: … }`, an event and a close. `next` is what stands for `q[0]`.
async fn one_event(next: fn(&[u64]) -> Option<u64>) {
    let (input, out) = (go::named("in", 0), go::named("out", 0));
    let (events, delivered) = (input.clone(), out.clone());
    spawn_named("helper", async move {
        let (mut input, mut q) = (Some(input), Vec::new());
        while input.is_some() || !q.is_empty() {
            select! {
                event = input.as_ref().map(Channel::recv) => match event {
                    Some(event) => q.push(event),
                    None => input = None,
                },
                sent = next(&q).map(|event| out.send(event)) => {
                    sent.expect("send on closed channel");
                    q.remove(0);
                }
            }
        }
    });
    events.send(1).await.expect("not closed yet");
    events.close().expect("closed once");
    assert_eq!(delivered.recv().await, Some(1));
}

static EMPTY_QUEUE_PANIC: Bug = Bug {
    id: "helper-empty-queue-panic",
    source: "002:810-822",
    summary: "The helper waits for an event or for room to send its first one, which the select looks up before there is any.",
    mend: "Disable the arm that sends while the queue is empty: a nil channel is never ready.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(one_event(|q| Some(q[0]))),
        mended: || Box::pin(one_event(|q| q.first().copied())),
        expected: Expected {
            word: "PANIC",
            tasks: &[("helper", "running")],
            message: "index out of bounds: the len is 0",
        },
    }),
};

const GOES_ON: GoesOn = |open, queued| open || queued;

/// The input of a helper whose subscriber was sent an event and then cancelled.
fn published_and_cancelled(event: u64) -> Channel<u64> {
    let input = go::named("in", 1);
    input.try_send(event).expect("there is room for it");
    input.close().expect("closed once");
    input
}

/// A subscriber with room for an event cancels and comes back, with the same channel or with a fresh one, and cancels again.
fn come_back(fresh: bool) {
    let c = go::named("c", 1);
    start_helper(&published_and_cancelled(1), &c, GOES_ON, None);
    let again = if fresh { go::named("c", 1) } else { c };
    start_helper(&published_and_cancelled(2), &again, GOES_ON, None);
}

/// Nobody says it in the talk: with helpers, Cancel is over before the channel is closed.
static RESUBSCRIBE_OVERLAP: Bug = Bug {
    id: "pubsub-resubscribe-overlap",
    source: "002:1046-1075",
    summary: "A subscriber cancels and comes back with the same channel, on which the old helper is still sending: it closes it under \
              the new one.",
    mend: "A fresh channel for each subscription.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { come_back(false) }),
        mended: || Box::pin(async { come_back(true) }),
        expected: Expected { word: "PANIC", tasks: &[("helper", "running")], message: "closed channel" },
    }),
};

/// A helper that sees its subscriber go, and ends.
fn start_mended_helper(input: Channel<u64>, out: Sender<u64>) {
    spawn_named("helper", async move {
        let (mut input, mut queue) = (Some(input), VecDeque::new());
        while GOES_ON(input.is_some(), !queue.is_empty()) {
            select! {
                sent = queue.front().map(|event| out.send(*event)) => {
                    if sent.is_err() {
                        return;
                    }
                    queue.pop_front();
                }
                event = input.as_ref().map(Channel::recv) => match event {
                    Some(event) => queue.push_back(event),
                    None => input = None,
                },
            }
        }
    });
}

static SUBSCRIBER_GONE_LEAK: Bug = Bug {
    id: "helper-subscriber-gone-leak",
    source: "002:942-966, mended to `||`",
    summary: "The subscription is cancelled and the subscriber gone: its helper waits for it to take what is queued, for ever.",
    mend: "Let the helper see that its subscriber is gone, as a dropped receiver shows here.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { start_helper(&published_and_cancelled(1), &go::named("out", 0), GOES_ON, None) }),
        mended: || {
            Box::pin(async {
                let (out, subscriber) = channel::named("out", 0);
                drop(subscriber);
                start_mended_helper(published_and_cancelled(1), out);
            })
        },
        expected: Expected { word: "LEAK", tasks: &[("helper", "select {channel send (out)}")], message: "" },
    }),
};
