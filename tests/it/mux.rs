//! The protocol multiplexer on tokio and madsim, by the bodies of its models; over real TCP; against any peer; and its frames.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::{spawn, time};
use windtunnel_patterns::frame::{Frame, FrameError, FrameReader, FrameWriter};
use windtunnel_patterns::mux::{Lost, Mux, MuxError, Options, Stats, kind, serve};
use windtunnel_patterns::pipe::{Pipe, pipe};
use windtunnel_suite::models::mux as models;

use crate::common::{on_one_thread, on_tokio_and_madsim, on_two_threads, simulate};

on_tokio_and_madsim! {
    models:
    each_of_two_calls_has_its_own_reply
    a_call_beyond_the_limit_waits_for_a_place
    stray_replies_are_counted_and_dropped
    a_dropped_call_gives_its_place_back
    a_dropped_call_gives_its_place_to_the_next
    a_call_has_its_reply_or_is_past_its_deadline
    loss_fails_every_pending_call_and_later_ones
    loss_at_any_moment_ends_the_call
    closed_it_has_no_task_and_makes_no_call
    close_waits_for_the_call_in_flight
    dropped_it_leaves_no_task
    dropped_with_its_call_it_leaves_no_task
    a_server_answers_and_ends
    a_dropped_server_leaves_no_handler
}

/// A limit that no test reaches.
const NEVER: time::Duration = time::secs(60);

fn options(in_flight: usize) -> Options {
    Options { in_flight: in_flight.try_into().unwrap(), body: 64, deadline: Some(NEVER) }
}

/// A client whose peer does with the connection what it likes.
fn client(in_flight: usize) -> (Arc<Mux>, Pipe) {
    let (here, there) = pipe(4);
    (Arc::new(Mux::new(here, options(in_flight))), there)
}

#[test]
fn over_real_tcp_callers_share_a_connection() {
    on_two_threads(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, options(4), |request| async move { Ok::<_, String>(request) }).await
        });
        let mux = Arc::new(Mux::new(TcpStream::connect(addr).await.unwrap(), options(8)));
        let callers = (0..10).map(|caller| {
            let mux = Arc::clone(&mux);
            spawn(async move {
                for number in 0..50 {
                    let request = format!("{caller}/{number}");
                    assert_eq!(mux.call(request.clone()).await.unwrap(), request);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        assert_eq!(mux.stats(), Stats { in_flight: 0, stray: 0, unknown: 0 });
        assert_eq!(mux.close(NEVER).await, Ok(()));
        assert_eq!(server.await.unwrap(), Ok(()));
    });
}

#[test]
fn a_server_that_fails_says_so_and_goes_on() {
    on_two_threads(async {
        let (here, there) = pipe(1);
        let handler = |request: bytes::Bytes| async move {
            match &request[..] {
                b"panic" => panic!("at the disco"),
                b"hang" => std::future::pending().await,
                b"much" => Ok("much".repeat(100).into()),
                b"fail" => Err("no"),
                _ => Ok(request),
            }
        };
        spawn(serve(there, Options { deadline: Some(time::millis(10)), ..options(1) }, handler));
        let mux = Mux::new(here, options(1));
        let mut lines = Vec::new();
        for request in ["panic", "hang", "much", "fail"] {
            lines.push(mux.call(request).await.unwrap_err().to_string());
        }
        assert_eq!(mux.call("well").await.unwrap(), "well");
        lines.push(mux.call("much".repeat(100)).await.unwrap_err().to_string());
        insta::assert_snapshot!(lines.join("\n"), @r"
        the server failed: the task panicked: at the disco
        the server failed: no answer within 10ms
        the server failed: a frame of 400 bytes is over the limit of 64: send less, or rais
        the server failed: no
        the request was not sent: a frame of 400 bytes is over the limit of 64: send less, or raise the limit at both ends
        ");
    });
}

/// Closing with a call that is never answered: when its time is up the call fails, and the peer sees the end.
#[test]
fn close_cuts_off_what_is_never_answered() {
    simulate("cut off", |_| {
        Box::pin(async {
            let (mux, there) = client(1);
            let caller = Arc::clone(&mux);
            let call = spawn(async move { caller.call("a").await });
            time::sleep(time::secs(1)).await;
            let start = time::Instant::now();
            assert_eq!(mux.close(time::secs(1)).await, Err(Lost::CutOff));
            assert_eq!(start.elapsed().as_secs(), 1);
            assert_eq!(call.await.unwrap(), Err(MuxError::Lost(Lost::CutOff)));
            let mut requests = FrameReader::new(there, 64);
            assert!(requests.next().await.unwrap().is_some());
            assert_eq!(requests.next().await, Ok(None));
        })
    });
}

/// Calls that are dropped and never answered, among which others wait for their replies: these lose nothing, and the table is
/// no fuller than it may be.
#[test]
fn calls_that_are_dropped_take_no_entry_from_others() {
    on_one_thread(async {
        let (mux, there) = client(2);
        let (input, output) = windtunnel::io::split(there);
        spawn(async move {
            let (mut requests, mut replies) = (FrameReader::new(input, 64), FrameWriter::new(output, 64));
            let mut waiting = Vec::new();
            while let Ok(Some(Frame { tag, body, .. })) = requests.next().await {
                waiting.extend((body == "wait").then_some(tag));
                if body == "answer" {
                    for tag in waiting.drain(..).chain([tag]) {
                        let reply = Frame { kind: kind::REPLY, tag, body: body.clone() };
                        replies.write(&reply).await.unwrap();
                    }
                }
            }
        });
        let caller = Arc::clone(&mux);
        let waits = spawn(async move { caller.call("wait").await });
        for _ in 0..5 {
            assert!(time::timeout(time::millis(2), mux.call("hang")).await.is_err());
        }
        assert_eq!(mux.call("answer").await.unwrap(), "answer");
        assert_eq!(waits.await.unwrap().unwrap(), "answer");
        assert_eq!(mux.stats().in_flight, 0);
    });
}

/// A peer that reads nothing: the calls behind the one that is being written wait, and end by their deadlines.
#[test]
fn a_peer_that_does_not_read_holds_up_no_call_beyond_its_deadline() {
    simulate("silent", |_| {
        Box::pin(async {
            let (here, _there) = pipe(0);
            let limit = time::millis(100);
            let mux = Arc::new(Mux::new(here, Options { deadline: Some(limit), ..options(2) }));
            for _ in 0..5 {
                let others = [(); 3].map(|()| {
                    let mux = Arc::clone(&mux);
                    spawn(async move { mux.call("a").await })
                });
                for other in others {
                    assert_eq!(other.await.unwrap(), Err(MuxError::TimedOut(limit)));
                }
            }
            assert_eq!(mux.stats().in_flight, 0);
            assert_eq!(mux.close(limit).await, Ok(()), "no call is pending");
        })
    });
}

/// Something that a peer sends.
#[derive(Clone, Debug)]
enum Sent {
    Garbage(Vec<u8>),
    Frame(Frame),
}

fn frame() -> impl Strategy<Value = Frame> {
    let parts = (prop_oneof![1..=3_u8, any::<u8>()], prop_oneof![0..8_u64, any::<u64>()], vec(any::<u8>(), 0..80));
    parts.prop_map(|(kind, tag, body)| Frame { kind, tag, body: body.into() })
}

fn sent() -> impl Strategy<Value = Vec<Sent>> {
    let garbage = vec(any::<u8>(), 1..40).prop_map(Sent::Garbage);
    vec(prop_oneof![1 => garbage, 4 => frame().prop_map(Sent::Frame)], 0..12)
}

/// Sends it all, and hangs up.
async fn send_all(mut to: Pipe, all: Vec<Sent>) {
    for sent in all {
        let done = match sent {
            Sent::Garbage(bytes) => to.write_all(&bytes).await.is_ok() && to.flush().await.is_ok(),
            Sent::Frame(frame) => FrameWriter::new(&mut to, 80).write(&frame).await.is_ok(),
        };
        if !done {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Replies in any order, among duplicates and such to nobody: each call has its own, and the rest is counted.
    #[test]
    fn each_call_has_its_own_reply_whatever_else_comes(
        (calls, tags) in (1..8_u64).prop_flat_map(|calls| {
            let tags = vec(0..12_u64, 0..20).prop_map(move |more| more.into_iter().chain(0..calls).collect::<Vec<_>>());
            (Just(calls), tags.prop_shuffle())
        })
    ) {
        on_one_thread(async move {
            let (mux, there) = client(8);
            let sent = tags.len() as u64;
            spawn(async move {
                let (input, output) = windtunnel::io::split(there);
                let (mut requests, mut replies) = (FrameReader::new(input, 64), FrameWriter::new(output, 64));
                let mut bodies = std::collections::BTreeMap::new();
                for _ in 0..calls {
                    let request = requests.next().await.unwrap().unwrap();
                    bodies.insert(request.tag, request.body);
                }
                for tag in tags {
                    let body = bodies.get(&tag).cloned().unwrap_or_default();
                    replies.write(&Frame { kind: kind::REPLY, tag, body }).await.unwrap();
                }
            });
            let callers: Vec<_> = (0..calls).map(|number| {
                let mux = Arc::clone(&mux);
                spawn(async move { assert_eq!(mux.call(format!("{number}")).await.unwrap(), format!("{number}")) })
            }).collect();
            for caller in callers {
                caller.await.unwrap();
            }
            assert_eq!(mux.call("more").await, Err(MuxError::Lost(Lost::Ended)));
            let stats = mux.stats();
            assert_eq!((stats.in_flight, stats.stray + stats.unknown), (0, sent - calls));
        });
    }

    /// Whatever a peer sends before it hangs up: every call ends, and a server does.
    #[test]
    fn no_peer_makes_either_end_panic_or_hang(all in sent()) {
        on_one_thread(async move {
            let (mux, there) = client(4);
            let callers = [(); 3].map(|()| {
                let mux = Arc::clone(&mux);
                spawn(async move { mux.call("a").await })
            });
            send_all(there, all.clone()).await;
            for caller in callers {
                time::timeout(NEVER / 2, caller).await.expect("it ends").expect("it does not panic").ok();
            }
            assert!(matches!(mux.call("b").await, Err(MuxError::Lost(_))));
            let (here, there) = pipe(1);
            let sending = spawn(send_all(here, all));
            let served = serve(there, options(2), |request| async move { Ok::<_, String>(request) });
            let _ = time::timeout(NEVER / 2, served).await.expect("it ends");
            sending.await.expect("it does not panic");
        });
    }

    /// Frames in any pieces are read as they were written.
    #[test]
    fn frames_survive_any_pieces(frames in vec(frame(), 0..6), cuts in vec(0..400_usize, 0..12)) {
        on_one_thread(async move {
            let mut bytes = Vec::new();
            for frame in &frames {
                FrameWriter::new(&mut bytes, 80).write(frame).await.unwrap();
            }
            let (mut here, there) = pipe(1);
            spawn(async move {
                let cuts: BTreeSet<_> = cuts.into_iter().filter(|cut| *cut < bytes.len()).chain([0, bytes.len()]).collect();
                let cuts: Vec<_> = cuts.into_iter().collect();
                for cut in cuts.windows(2) {
                    here.write_all(&bytes[cut[0]..cut[1]]).await.unwrap();
                    here.flush().await.unwrap();
                }
            });
            let mut reader = FrameReader::new(there, 80);
            for frame in frames {
                assert_eq!(reader.next().await, Ok(Some(frame)));
            }
            assert_eq!(reader.next().await, Ok(None));
        });
    }
}

#[test]
fn a_piece_is_read_in_any_portions() {
    on_one_thread(async {
        let (mut here, mut there) = pipe(1);
        here.write_all(b"abc").await.unwrap();
        here.shutdown().await.unwrap();
        let mut heard = [0; 2];
        there.read_exact(&mut heard).await.unwrap();
        assert_eq!((&heard, there.read_u8().await.unwrap()), (b"ab", b'c'));
        drop(there);
        assert_eq!(here.write_all(b"d").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(here.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_frame_that_is_too_long_or_cut_short_is_an_error() {
    on_one_thread(async {
        let long = Frame { kind: 1, tag: 1, body: vec![0; 65].into() };
        let too_long = FrameError::TooLong { length: 65, limit: 64 };
        let mut bytes = Vec::new();
        assert_eq!(FrameWriter::new(&mut bytes, 64).write(&long).await, Err(too_long.clone()));
        assert!(bytes.is_empty(), "nothing of it is written");
        FrameWriter::new(&mut bytes, 65).write(&long).await.unwrap();
        assert_eq!(FrameReader::new(&bytes[..13], 64).next().await, Err(too_long), "its header is enough");
        for length in 1..bytes.len() {
            assert_eq!(FrameReader::new(&bytes[..length], 65).next().await, Err(FrameError::Truncated));
        }
    });
}
