//! Channels and selects on several threads, with operations cancelled at random: no message is lost, doubled or reordered,
//! and nothing is left behind.
//!
//! Producers number their messages and send them, in every way there is, into one of two channels; relays take them out and
//! send them on, both in one `select!`; consumers note what arrives. In the environment, `WINDTUNNEL_STRESS_MESSAGES` is the
//! number of messages, `WINDTUNNEL_STRESS_SEED` the seed of the choices that tasks make (not of what the threads do).

use std::array;
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::str::FromStr;
use std::task::Poll;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use windtunnel::channel::{Receiver, Recv, Send, Sender, TryRecvError};
use windtunnel::task::{dump, yield_now};
use windtunnel::time::{Duration, secs, timeout};
use windtunnel::{channel, go, select, spawn};

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 2;

#[derive(Clone, Copy)]
struct Message {
    producer: usize,
    /// The channel it was sent into.
    path: usize,
    number: u32,
}

/// Numbers from zero on, a bit for each.
#[derive(Default)]
struct Numbers(Vec<u64>);

impl Numbers {
    /// Whether `number` is new.
    fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

/// What a producer knows of its messages. Those in neither set have not been sent.
#[derive(Default)]
struct Sent {
    count: u32,
    delivered: Numbers,
    /// The future of the send was dropped: the message may have gone a moment before.
    perhaps: Numbers,
}

/// What a consumer saw.
#[derive(Default)]
struct Received {
    numbers: [Numbers; PRODUCERS],
    /// The number after the last, for each producer and path.
    next: [[u32; 2]; PRODUCERS],
    /// Noted and not panicked about: the others would wait for this task for ever.
    wrong: Option<String>,
}

/// What the two kinds of channel have in common, for those who send.
trait Input: Clone + std::marker::Send + Sync + 'static {
    fn send(&self, message: Message) -> Send<'_, Message>;
    fn try_send(&self, message: Message) -> bool;
    /// Called for the last handle.
    fn end(self);
}

/// As [`Input`], for those who receive.
trait Output: Clone + std::marker::Send + Sync + 'static {
    fn recv(&self) -> Recv<'_, Message>;
    fn try_recv(&self) -> Result<Message, TryRecvError>;
}

macro_rules! handle {
    (input $handle:ty, $end:expr) => {
        impl Input for $handle {
            fn send(&self, message: Message) -> Send<'_, Message> {
                self.send(message)
            }
            fn try_send(&self, message: Message) -> bool {
                self.try_send(message).is_ok()
            }
            fn end(self) {
                ($end)(self)
            }
        }
    };
    (output $handle:ty) => {
        impl Output for $handle {
            fn recv(&self) -> Recv<'_, Message> {
                self.recv()
            }
            fn try_recv(&self) -> Result<Message, TryRecvError> {
                self.try_recv()
            }
        }
    };
}

handle!(input Sender<Message>, drop);
handle!(input go::Channel<Message>, |channel: Self| channel.close().expect("closed once"));
handle!(output Receiver<Message>);
handle!(output go::Channel<Message>);

/// Polls `future` some times, woken or not, and drops it when it would be polled once more: it may be ready by then.
async fn briefly<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        cx.waker().wake_by_ref();
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Is polled again some times, and never ready.
async fn restless(polls: u32) {
    briefly(polls, pending::<()>()).await;
    pending::<()>().await;
}

/// [`briefly`], or within some microseconds.
async fn cancelled<F: Future>(rng: &mut StdRng, future: F) -> Option<F::Output> {
    if rng.random_ratio(1, 16) {
        timeout(Duration::from_micros(rng.random_range(0..20)), future).await.ok()
    } else {
        briefly(rng.random_range(0..5), future).await
    }
}

/// Sends until `quota` messages are known to be delivered.
async fn produce<I: Input>(producer: usize, inputs: [I; 2], quota: usize, mut rng: StdRng) -> Sent {
    let (mut sent, mut delivered) = (Sent::default(), 0);
    while delivered < quota {
        let message = |path| Message { producer, path, number: sent.count };
        let [left, right] = &inputs;
        let path = rng.random_range(0..2);
        let input = &inputs[path];
        let either = async || {
            select! {
                it = left.send(message(0)) => it,
                it = right.send(message(1)) => it,
            }
        };
        let outcome = match rng.random_range(0..8) {
            0 => input.try_send(message(path)).then_some(Ok(())).ok_or(false),
            1 => cancelled(&mut rng, input.send(message(path))).await.ok_or(true),
            2 => cancelled(&mut rng, either()).await.ok_or(true),
            3 => select! {
                it = left.send(message(0)) => Ok(it),
                it = right.send(message(1)) => Ok(it),
                () = yield_now() => Err(false),
            },
            4 | 5 => Ok(either().await),
            _ => Ok(input.send(message(path)).await),
        };
        match outcome {
            Ok(sending) => {
                sending.expect("the channel is open");
                sent.delivered.insert(sent.count);
                delivered += 1;
            }
            Err(true) => drop(sent.perhaps.insert(sent.count)),
            Err(false) => {}
        }
        sent.count += 1;
    }
    sent
}

/// Passes messages on in the order in which it received them, until both channels are closed.
async fn relay<I: Input, O: Output>(from: [O; 2], to: I, mut rng: StdRng) {
    let (mut closed, mut held) = ([false; 2], VecDeque::new());
    while closed != [true; 2] || !held.is_empty() {
        let [left, right] = [0, 1].map(|path| (!closed[path] && held.len() < 3).then(|| from[path].recv()));
        let (pauses, polls) = (rng.random_ratio(1, 4), rng.random_range(0..4));
        select! {
            it = left => match it { Some(message) => held.push_back(message), None => closed[0] = true },
            it = right => match it { Some(message) => held.push_back(message), None => closed[1] = true },
            it = held.front().map(|message| to.send(*message)) => {
                it.expect("the channel is open");
                held.pop_front();
            }
            () = async { if pauses { yield_now().await } else { restless(polls).await } } => {}
        }
    }
}

/// Receives until the channel is closed. A receive that is cancelled gives its message to another task, perhaps after a later
/// one: only without, messages are in order.
async fn consume<O: Output>(output: O, ordered: bool, mut rng: StdRng) -> Received {
    let mut received = Received::default();
    loop {
        let message = match rng.random_range(0..4) {
            0 if !ordered => cancelled(&mut rng, output.recv()).await,
            1 => output.try_recv().ok().map(Some),
            _ => Some(output.recv().await),
        };
        let Some(message) = message else { continue };
        let Some(Message { producer, path, number }) = message else { return received };
        if !received.numbers[producer].insert(number) {
            received.wrong = Some(format!("message {number} of producer {producer} came twice"));
        }
        let next = &mut received.next[producer][path];
        if ordered && *next > number {
            received.wrong = Some(format!("message {number} of producer {producer} came late"));
        }
        *next = number + 1;
    }
}

/// One round. In an ordered one there is one way through.
async fn round<I: Input, O: Output>(mut pair: impl FnMut() -> (I, O), ordered: bool, messages: usize, seed: u64) {
    let mut seeds = StdRng::seed_from_u64(seed);
    let mut rng = || StdRng::from_rng(&mut seeds);
    let ((left, from_left), (right, from_right), (to, output)) = (pair(), pair(), pair());
    let consumers: [_; CONSUMERS] = array::from_fn(|_| spawn(consume(output.clone(), ordered, rng())));
    let relays: Vec<_> = (0..if ordered { 1 } else { 3 })
        .map(|_| spawn(relay([from_left.clone(), from_right.clone()], to.clone(), rng())))
        .collect();
    let producers: [_; PRODUCERS] =
        array::from_fn(|producer| spawn(produce(producer, [left.clone(), right.clone()], messages / PRODUCERS, rng())));
    let mut sent = Vec::new();
    for producer in producers {
        sent.push(producer.await.expect("it ends"));
    }
    left.end();
    right.end();
    for relay in relays {
        relay.await.expect("it ends");
    }
    to.end();
    let mut received = Vec::new();
    for consumer in consumers {
        let noted = consumer.await.expect("it ends");
        assert_eq!(noted.wrong, None);
        received.push(noted);
    }
    assert!(matches!(output.try_recv(), Err(TryRecvError::Closed)), "a message is left behind");
    for (producer, sent) in sent.iter().enumerate() {
        for number in 0..sent.count {
            let times = received.iter().filter(|it| it.numbers[producer].contains(number)).count();
            let (least, most) = (sent.delivered.contains(number), sent.perhaps.contains(number));
            let expected = usize::from(least)..=usize::from(least || most);
            assert!(expected.contains(&times), "message {number} of producer {producer} came {times} times");
        }
    }
    assert!(dump().is_empty(), "tasks are left behind:\n{}", dump());
}

fn from_environment<T: FromStr>(name: &str, otherwise: impl FnOnce() -> T) -> T {
    let text = std::env::var(name).ok();
    text.map_or_else(otherwise, |text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text} is not a number")))
}

#[test]
fn no_message_is_lost_doubled_or_reordered() {
    let messages = from_environment("WINDTUNNEL_STRESS_MESSAGES", || if cfg!(miri) { 320 } else { 200_000 });
    let seed = from_environment("WINDTUNNEL_STRESS_SEED", rand::random);
    println!("WINDTUNNEL_STRESS_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
    runtime.expect("tokio starts").block_on(async {
        for capacity in [0, 1, 2, 100] {
            for ordered in [false, true] {
                let limit = secs(120);
                let halves = round(|| channel(capacity), ordered, messages / 16, seed);
                timeout(limit, halves).await.expect("it does not hang");
                let one = || {
                    let channel = go::channel(capacity);
                    (channel.clone(), channel)
                };
                timeout(limit, round(one, ordered, messages / 16, seed)).await.expect("it does not hang");
            }
        }
    });
}
