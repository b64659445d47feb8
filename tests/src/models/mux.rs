//! The protocol multiplexer under every interleaving. The peer is a part of the connection, or of the main task: each task more
//! multiplies the executions, and so does each timer.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use windtunnel::io::{AsyncRead, AsyncWrite, ReadBuf};
use windtunnel::task::JoinError;
use windtunnel::{spawn, time};
use windtunnel_patterns::frame::{Frame, FrameReader, FrameWriter, HEADER};
use windtunnel_patterns::mux::{Lost, Mux, MuxError, Options, Stats, kind, serve};
use windtunnel_patterns::pipe::pipe;

use super::{begin, begun};

fn options(in_flight: usize) -> Options {
    let in_flight = NonZeroUsize::new(in_flight).expect("at least one");
    Options { in_flight, body: 1, deadline: None }
}

/// What a peer does at the last of these requests: the tags of its replies, or `None`, and it hangs up.
type Script = fn(&[u64]) -> Option<Vec<u64>>;

/// A connection whose other end answers within: the `script` says, for each request, which tags it sends replies to, each with
/// the body of the request of that tag; or that it hangs up.
struct Scripted {
    script: Script,
    requests: Vec<(u64, u8)>,
    replies: VecDeque<u8>,
    hung_up: bool,
    reader: Option<Waker>,
}

impl Scripted {
    fn new(script: Script) -> Self {
        Self { script, requests: Vec::new(), replies: VecDeque::new(), hung_up: false, reader: None }
    }

    fn answer(&mut self, request: &[u8]) {
        let (header, body) = request.split_at(HEADER);
        let tag = u64::from_be_bytes(header[5..].try_into().expect("eight bytes"));
        self.requests.push((tag, body[0]));
        let tags: Vec<_> = self.requests.iter().map(|(tag, _)| *tag).collect();
        let Some(tags) = (self.script)(&tags) else {
            self.hung_up = true;
            return;
        };
        for tag in tags {
            let body = self.requests.iter().find(|(of, _)| *of == tag).map_or(b'?', |(_, body)| *body);
            self.replies.extend([0, 0, 0, 1, kind::REPLY]);
            self.replies.extend(tag.to_be_bytes());
            self.replies.push_back(body);
        }
    }
}

impl AsyncRead for Scripted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.replies.is_empty() && !self.hung_up {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.remaining().min(self.replies.len());
        buf.put_slice(&self.replies.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.answer(buf);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn scripted(in_flight: usize, script: Script) -> Arc<Mux> {
    Arc::new(Mux::new(Scripted::new(script), options(in_flight)))
}

/// Answers a request at once.
const ECHO: Script = |tags| Some(tags[tags.len() - 1..].to_vec());

/// Hint 18, use goroutines, channels, and mutexes together: two calls, answered in the reverse order, have their own replies.
#[windtunnel_model::test(preemptions = 3)]
pub async fn each_of_two_calls_has_its_own_reply() {
    let mux = scripted(2, |tags| Some(if let [first, second] = *tags { vec![second, first] } else { Vec::new() }));
    let other = Arc::clone(&mux);
    let other = spawn(async move { other.call("b").await });
    assert_eq!(mux.call("a").await.unwrap(), "a");
    assert_eq!(other.await.unwrap().unwrap(), "b");
}

/// With one place, the second call waits for the first to end.
#[windtunnel_model::test(preemptions = 3)]
pub async fn a_call_beyond_the_limit_waits_for_a_place() {
    let mux = scripted(1, |tags| (tags.len() == 1).then(|| tags.to_vec()));
    let other = Arc::clone(&mux);
    let other = spawn(async move { other.call("b").await });
    let replies = [mux.call("a").await, other.await.unwrap()];
    assert_eq!(replies.iter().filter(|reply| reply.is_ok()).count(), 1, "the connection is lost by the second call");
    assert_eq!(mux.stats().in_flight, 0);
}

/// A reply that comes twice, or to nobody, is counted and dropped: the next call has its own.
#[windtunnel_model::test]
pub async fn stray_replies_are_counted_and_dropped() {
    let mux = scripted(1, |tags| Some([tags, tags, &[7], tags].concat()));
    assert_eq!(mux.call("a").await.unwrap(), "a");
    assert_eq!(mux.call("b").await.unwrap(), "b");
    let Stats { in_flight, stray, unknown } = mux.stats();
    assert_eq!(in_flight, 0);
    assert!((2..=7).contains(&stray) && (1..=2).contains(&unknown), "{stray} {unknown}");
}

/// A call that is dropped, before or after its request was sent or its reply came, gives its place back.
#[windtunnel_model::test]
pub async fn a_dropped_call_gives_its_place_back() {
    let mux = scripted(1, ECHO);
    begun(pin!(mux.call("a"))).await;
    assert_eq!(mux.stats().in_flight, 0);
}

/// A call that is dropped, before or after its request was sent or its reply came, gives its place to the next, which has its own
/// reply.
#[windtunnel_model::test(preemptions = 3)]
pub async fn a_dropped_call_gives_its_place_to_the_next() {
    let mux = scripted(1, ECHO);
    begun(pin!(mux.call("a"))).await;
    assert_eq!(mux.call("b").await.unwrap(), "b");
}

/// The deadline of a call against its reply.
#[windtunnel_model::test]
pub async fn a_call_has_its_reply_or_is_past_its_deadline() {
    let limit = time::millis(1);
    let mux = Mux::new(Scripted::new(ECHO), Options { deadline: Some(limit), ..options(1) });
    match mux.call("a").await {
        Ok(reply) => assert_eq!(reply, "a"),
        Err(error) => assert_eq!(error, MuxError::TimedOut(limit)),
    }
}

/// The peer hangs up instead of answering the second call: both fail, and a later one at once.
#[windtunnel_model::test]
pub async fn loss_fails_every_pending_call_and_later_ones() {
    let mux = scripted(2, |tags| (tags.len() < 2).then(Vec::new));
    let lost = Err(MuxError::Lost(Lost::Ended));
    let mut first = pin!(mux.call("a"));
    begin(first.as_mut()).await;
    assert_eq!(mux.call("b").await, lost);
    assert_eq!(first.await, lost);
    assert_eq!(mux.call("c").await, lost);
}

/// The connection is lost at any moment of a call, also one that waits for a place.
#[windtunnel_model::test]
pub async fn loss_at_any_moment_ends_the_call() {
    let (here, there) = pipe(1);
    let mux = Mux::new(here, options(1));
    spawn(async move { drop(there) });
    assert!(matches!(mux.call("a").await, Err(MuxError::Lost(Lost::Ended | Lost::Broken(_)))));
}

/// Closing ends the task, in time or cut off; calls that come later fail.
#[windtunnel_model::test]
pub async fn closed_it_has_no_task_and_makes_no_call() {
    let mux = scripted(1, ECHO);
    let closed = mux.close(time::secs(1)).await;
    assert!(matches!(closed, Ok(()) | Err(Lost::CutOff)), "{closed:?}");
    assert_eq!(mux.call("a").await, Err(MuxError::Lost(closed.err().unwrap_or(Lost::Closed))));
}

/// Closing beside a call: the call has its reply before, or is not made, unless the time is up first.
#[windtunnel_model::test(preemptions = 3)]
pub async fn close_waits_for_the_call_in_flight() {
    let mux = scripted(1, ECHO);
    let other = Arc::clone(&mux);
    let other = spawn(async move { other.call("a").await });
    let closed = mux.close(time::secs(1)).await;
    match (&closed, &other.await.unwrap()) {
        (Ok(()) | Err(Lost::CutOff), Ok(reply)) => assert_eq!(reply, "a"),
        (Ok(()), Err(MuxError::Lost(Lost::Closed))) | (Err(Lost::CutOff), Err(MuxError::Lost(Lost::CutOff))) => {}
        ends => panic!("{ends:?}"),
    }
}

/// Dropped, it leaves no task.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_task() {
    let mux = scripted(1, ECHO);
    windtunnel::task::yield_now().await;
    drop(mux);
}

/// Dropped with a call in flight, it leaves no task either.
#[windtunnel_model::test]
pub async fn dropped_with_its_call_it_leaves_no_task() {
    let mux = scripted(1, |_| Some(Vec::new()));
    let mut call = pin!(mux.call("a"));
    begun(call.as_mut()).await;
}

/// A server answers a request and ends; its peer has said that there is no other.
#[windtunnel_model::test]
pub async fn a_server_answers_and_ends() {
    let (here, there) = pipe(1);
    let (input, output) = windtunnel::io::split(here);
    let (mut replies, mut requests) = (FrameReader::new(input, 1), FrameWriter::new(output, 1));
    requests.write(&Frame { kind: kind::REQUEST, tag: 5, body: "a".into() }).await.unwrap();
    requests.end().await.unwrap();
    let served = serve(there, options(1), |request| async move { Ok::<_, String>(request) }).await;
    assert_eq!(served, Ok(()));
    assert_eq!(replies.next().await, Ok(Some(Frame { kind: kind::REPLY, tag: 5, body: "a".into() })));
    assert_eq!(replies.next().await, Ok(None));
}

/// A server that is dropped leaves no handler.
#[windtunnel_model::test]
pub async fn a_dropped_server_leaves_no_handler() {
    let (here, there) = pipe(1);
    let handler = |_| async move {
        super::task::forever().await;
        Err("never")
    };
    let request = Frame { kind: kind::REQUEST, tag: 5, body: "a".into() };
    FrameWriter::new(here, 1).write(&request).await.unwrap();
    let mut serving = pin!(serve(there, options(1), handler));
    begun(serving.as_mut()).await;
}

/// Callers at once, of whom the last is cancelled at any moment: the others have their own replies, and no place is left taken.
async fn callers_and_a_cancel<const CALLERS: usize>(requests: [&'static str; CALLERS], in_flight: usize) {
    let mux = scripted(in_flight, ECHO);
    let callers = requests.map(|request| {
        let mux = Arc::clone(&mux);
        spawn(async move { mux.call(request).await })
    });
    callers[CALLERS - 1].abort();
    for (caller, request) in callers.into_iter().zip(requests) {
        match caller.await {
            Ok(reply) => assert_eq!(reply.unwrap(), request),
            Err(JoinError::Cancelled) => assert_eq!(request, requests[CALLERS - 1]),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(mux.stats().in_flight, 0);
}

/// Two callers, one of whom is cancelled.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn two_callers_and_a_cancel() {
    callers_and_a_cancel(["a", "b"], 2).await;
}

/// Three callers for two places, one of whom is cancelled.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn three_callers_and_a_cancel() {
    callers_and_a_cancel(["a", "b", "c"], 2).await;
}
