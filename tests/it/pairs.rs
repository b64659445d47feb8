//! Every pair of channel operations, under every interleaving.
//!
//! Two tasks do one operation each, while the main task closes the channel; or one task does, while the main task drops the
//! last handle of the other kind; or both select over two channels, one of which the main task closes. When all have ended,
//! every value must have turned up once: received, drained, or given back to its sender. The tables say how many executions
//! each takes.

use std::fmt::Write as _;
use std::iter::from_fn;

use windtunnel::channel::{SendError, SendTimeoutError, TrySendError, channel};
use windtunnel::task::JoinHandle;
use windtunnel::{go, select, spawn, time};
use windtunnel_model::Body;

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Send,
    TrySend,
    /// A send that is cancelled unless it is complete in time: explored both ways.
    TimedSend,
    Recv,
    TryRecv,
    TimedRecv,
}

const OPS: [Op; 6] = [Op::Send, Op::TrySend, Op::TimedSend, Op::Recv, Op::TryRecv, Op::TimedRecv];

/// Capacity, and values buffered before the tasks start.
const BUFFERS: [(usize, u32); 5] = [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)];

/// Where values have turned up.
#[derive(Default)]
struct Found {
    received: Vec<u32>,
    given_back: Vec<u32>,
}

impl Op {
    fn sends(self) -> bool {
        matches!(self, Op::Send | Op::TrySend | Op::TimedSend)
    }
}

/// Sends `$value` through a handle of either kind.
macro_rules! send {
    ($op:expr, $value:expr, $handle:expr) => {{
        let given_back = match $op {
            Op::Send => $handle.send($value).await.err().map(|SendError(value)| value),
            Op::TrySend => $handle.try_send($value).err().map(|error| match error {
                TrySendError::Full(value) | TrySendError::Closed(value) => value,
            }),
            _ => $handle.send_timeout($value, time::millis(1)).await.err().map(|error| match error {
                SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value) => value,
            }),
        };
        Found { received: Vec::new(), given_back: given_back.into_iter().collect() }
    }};
}

/// Receives through a handle of either kind.
macro_rules! recv {
    ($op:expr, $handle:expr) => {{
        let received = match $op {
            Op::Recv => $handle.recv().await,
            Op::TryRecv => $handle.try_recv().ok(),
            _ => $handle.recv_timeout(time::millis(1)).await.ok(),
        };
        Found { received: received.into_iter().collect(), given_back: Vec::new() }
    }};
}

/// What the two tasks send; what was buffered before is 1 and 2.
const SENT: [u32; 2] = [10, 20];

/// Two operations on a channel that is closed meanwhile.
async fn against_close(ops: [Op; 2], (capacity, buffered): (usize, u32)) {
    let chan = go::channel(capacity);
    (1..=buffered).for_each(|value| chan.try_send(value).expect("there is room"));
    let tasks = [0, 1].map(|task| {
        let (op, chan) = (ops[task], chan.clone());
        spawn(async move { if op.sends() { send!(op, SENT[task], chan) } else { recv!(op, chan) } })
    });
    chan.close().expect("closed once");
    let found = Found::by(tasks).await.and(from_fn(|| chan.try_recv().ok()));
    let sent = (0..2).filter(|task| ops[*task].sends()).map(|task| SENT[task]);
    found.are(&(1..=buffered).chain(sent).collect::<Vec<_>>());
}

/// A receive while the last sender is dropped, or a send while the last receiver is. What that one leaves is dropped with it.
async fn against_drop(op: Op, (capacity, buffered): (usize, u32)) {
    let (sender, receiver) = channel(capacity);
    (1..=buffered).for_each(|value| sender.try_send(value).expect("there is room"));
    if op.sends() {
        let task = spawn(async move { (send!(op, SENT[0], sender), sender.is_closed()) });
        drop(receiver);
        let (found, closed) = task.await.expect("it ends");
        assert!(found.given_back.is_empty() || found.given_back == SENT[..1], "a value comes back unharmed");
        assert!(op != Op::Send || closed || found.given_back.is_empty(), "a send waits while there is a receiver");
    } else {
        let all: Vec<u32> = (1..=buffered).collect();
        let other = receiver.clone();
        let task = spawn(async move { recv!(op, other) });
        drop(sender);
        let found = Found::by([task]).await;
        assert!(op != Op::Recv || found.received.len() == all.len().min(1), "what is buffered is received");
        found.and(from_fn(|| receiver.try_recv().ok())).are(&all);
    }
}

impl Found {
    /// What the tasks have found when they have ended.
    async fn by(tasks: impl IntoIterator<Item = JoinHandle<Self>>) -> Self {
        let mut found = Self::default();
        for task in tasks {
            let Self { received, given_back } = task.await.expect("it ends");
            found.received.extend(received);
            found.given_back.extend(given_back);
        }
        found
    }

    fn and(mut self, drained: impl IntoIterator<Item = u32>) -> Self {
        self.received.extend(drained);
        self
    }

    fn sorted(self) -> Vec<u32> {
        let mut values = [self.received, self.given_back].concat();
        values.sort_unstable();
        values
    }

    /// Each value turned up once.
    fn are(self, all: &[u32]) {
        assert_eq!(self.sorted(), all, "each value turns up once");
    }
}

/// Executions of a program, by every interleaving.
fn executions(name: &str, body: impl Fn() -> Body + Send + Sync + 'static) -> u64 {
    let report = windtunnel_model::Builder::new().check(name, body);
    assert!(report.is_complete(), "\n{report}");
    report.executions
}

/// A line of a table: executions for each of [`BUFFERS`].
fn row(title: &str, body: impl Fn((usize, u32)) -> Body + Copy + Send + Sync + 'static) -> String {
    let mut row = format!("{title:<22}");
    for buffer in BUFFERS {
        write!(row, "{:>7}", executions(&format!("{title} {buffer:?}"), move || body(buffer))).unwrap();
    }
    row + "\n"
}

#[test]
fn every_pair_of_operations_keeps_every_value() {
    let mut table = String::new();
    for (capacity, buffered) in BUFFERS {
        write!(table, "{capacity}/{buffered}    ").unwrap();
    }
    table = format!("{:<24}   {}\n", "capacity/buffered", table.trim_end());
    for (i, one) in OPS.into_iter().enumerate() {
        for other in OPS[i..].iter().copied() {
            let title = format!("{one:?} × {other:?}");
            table += &row(&title, move |buffer| Box::pin(against_close([one, other], buffer)));
        }
    }
    for op in OPS {
        let handle = if op.sends() { "receiver" } else { "sender" };
        let title = format!("{op:?} × last {handle}");
        table += &row(&title, move |buffer| Box::pin(against_drop(op, buffer)));
    }
    insta::assert_snapshot!(table);
}

/// What a task selects over two channels, in this order.
#[derive(Clone, Copy, Debug)]
enum Arms {
    RecvRecv,
    SendSend,
    RecvSend,
    SendRecv,
}

const ARMS: [Arms; 4] = [Arms::RecvRecv, Arms::SendSend, Arms::RecvSend, Arms::SendRecv];

/// One select over two channels. A value whose arm was not taken counts as given back.
async fn choose(arms: Arms, value: u32, first: &go::Channel<u32>, second: &go::Channel<u32>) -> Found {
    let received = |received: Option<u32>, kept: Option<u32>| Found {
        received: received.into_iter().collect(),
        given_back: kept.into_iter().collect(),
    };
    let sent = |result: Result<(), SendError<u32>>| received(None, result.err().map(|SendError(value)| value));
    match arms {
        Arms::RecvRecv => select! {
            taken = first.recv() => received(taken, None),
            taken = second.recv() => received(taken, None),
        },
        Arms::SendSend => select! {
            result = first.send(value) => sent(result),
            result = second.send(value) => sent(result),
        },
        Arms::RecvSend => select! {
            taken = first.recv() => received(taken, Some(value)),
            result = second.send(value) => sent(result),
        },
        Arms::SendRecv => select! {
            result = first.send(value) => sent(result),
            taken = second.recv() => received(taken, Some(value)),
        },
    }
}

/// Two selects over the same two channels of `capacity`; the second names them in the other order if `crossed`.
async fn selects(arms: [Arms; 2], crossed: bool, capacity: usize) {
    let (one, two) = (go::channel(capacity), go::channel(capacity));
    let tasks = [0, 1].map(|task| {
        let (mut first, mut second) = (one.clone(), two.clone());
        if crossed && task == 1 {
            std::mem::swap(&mut first, &mut second);
        }
        spawn(async move { choose(arms[task], SENT[task], &first, &second).await })
    });
    // The end of one of them lets both selects go on.
    one.close().expect("closed once");
    let found = Found::by(tasks).await.and(from_fn(|| one.try_recv().ok())).and(from_fn(|| two.try_recv().ok()));
    let all: Vec<u32> = (0..2).filter(|task| !matches!(arms[*task], Arms::RecvRecv)).map(|task| SENT[task]).collect();
    found.are(&all);
}

#[test]
fn every_pair_of_selects_keeps_every_value_in_both_orders() {
    let mut table = String::from("executions, for capacity 0 and 1; 0 and 1 with the channels in the other order\n\n");
    for (i, one) in ARMS.into_iter().enumerate() {
        for other in &ARMS[i..] {
            write!(table, "{:<20}", format!("{one:?} × {other:?}")).unwrap();
            for (crossed, capacity) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
                let arms = [one, *other];
                let name = format!("{arms:?} {crossed} {capacity}");
                let count = executions(&name, move || Box::pin(selects(arms, crossed, capacity)));
                write!(table, "{count:>8}").unwrap();
            }
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}
