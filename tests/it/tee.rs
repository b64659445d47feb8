//! A tee on tokio and madsim, by the bodies of its models; over writers that do what they like; and how long it takes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use proptest::collection::vec;
use proptest::prelude::*;
use windtunnel::io::{AsyncWrite, AsyncWriteExt};
use windtunnel::time::{self, Duration, Instant, Sleep};
use windtunnel_patterns::tee::{OnError, Options, PIECE, Tee, TeeError, WriterError};
use windtunnel_suite::models::tee as models;

use crate::common::{on_one_thread, on_tokio_and_madsim, simulate};

on_tokio_and_madsim! {
    models:
    each_writer_gets_all_in_order
    a_flush_waits_for_every_writer
    one_that_fails_is_left_out
    the_first_error_stops_it
    none_left_is_an_error
    one_that_is_too_slow_is_left_out
    a_dropped_write_has_written_nothing
}

/// What a writer does, write by write, over and over.
#[derive(Clone, Debug)]
struct Habit {
    /// The most bytes that it takes at once; none: it says that it waits, once.
    takes: Vec<usize>,
    /// How many bytes it takes before it fails.
    room: usize,
}

struct Writer {
    habit: Habit,
    writes: usize,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let most = self.habit.takes[self.writes % self.habit.takes.len()];
        self.writes += 1;
        if most == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut taken = self.taken.lock().unwrap();
        let count = most.min(buf.len()).min(self.habit.room - taken.len());
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::StorageFull.into()));
        }
        taken.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn habit() -> impl Strategy<Value = Habit> {
    // It takes something some time.
    let takes = vec(0..5_usize, 0..4).prop_map(|mut takes| {
        takes.push(3);
        takes
    });
    (takes, prop_oneof![Just(usize::MAX), 0..40_usize]).prop_map(|(takes, room)| Habit { takes, room })
}

proptest! {
    #[test]
    fn each_writer_has_a_prefix_and_those_that_did_not_fail_have_all(
        habits in vec(habit(), 0..5),
        pieces in vec(vec(any::<u8>(), 0..20), 0..8),
        on_error in prop_oneof![Just(OnError::Stop), Just(OnError::LeaveOut)],
    ) {
        on_one_thread(async move {
            let taken: Vec<_> = habits.iter().map(|_| Arc::<Mutex<Vec<u8>>>::default()).collect();
            let writer = |(habit, taken): (&Habit, &Arc<_>)| Writer { habit: habit.clone(), writes: 0, taken: Arc::clone(taken) };
            let mut tee = Tee::new(habits.iter().zip(&taken).map(writer), Options { on_error, patience: None });
            let mut outcome = Ok(());
            for piece in &pieces {
                outcome = outcome.and(tee.write_all(piece).await);
            }
            outcome = outcome.and(tee.flush().await);
            let all = pieces.concat();
            for (number, (habit, taken)) in habits.iter().zip(&taken).enumerate() {
                let taken = taken.lock().unwrap();
                assert!(all.starts_with(&taken));
                match tee.failures().iter().find(|failure| failure.writer == number) {
                    Some(failure) => {
                        assert_eq!((failure.taken, taken.len()), (habit.room as u64, habit.room));
                        assert!(matches!(&failure.error, WriterError::Failed(error) if error.kind() == io::ErrorKind::StorageFull));
                    }
                    None => assert!(*taken == all || outcome.is_err()),
                }
            }
            let failed = tee.failures().len();
            match on_error {
                OnError::Stop => assert_eq!(outcome.is_ok(), failed == 0 && !habits.is_empty()),
                OnError::LeaveOut => assert_eq!(outcome.is_ok(), failed < habits.len()),
            }
        });
    }
}

/// Takes each write after a pause.
struct Slow {
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let pause = self.pause;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(time::sleep(pause)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn slow(pauses: [u64; 3], options: Options) -> Tee<Slow> {
    Tee::new(pauses.map(|pause| Slow { pause: time::millis(pause), sleep: None }), options)
}

#[test]
fn writing_takes_as_long_as_the_slowest_and_not_as_long_as_all() {
    simulate("as_long_as_the_slowest", |_| {
        Box::pin(async {
            let (mut tee, start) = (slow([10, 10, 20], Options::default()), Instant::now());
            for _ in 0..10 {
                tee.write_all(b"piece").await.unwrap();
            }
            tee.flush().await.unwrap();
            assert!((200..=215).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        })
    });
}

#[test]
fn a_patience_is_for_each_piece_and_not_for_all() {
    simulate("a_patience_is_for_each_piece", |_| {
        Box::pin(async {
            let options = Options { on_error: OnError::LeaveOut, patience: Some(time::millis(15)) };
            let (mut tee, start) = (slow([10, 10, 1_000], options), Instant::now());
            for _ in 0..10 {
                tee.write_all(b"piece").await.unwrap();
            }
            tee.flush().await.unwrap();
            let [failure] = tee.failures() else { panic!("{:?}", tee.failures()) };
            assert_eq!(failure.to_string(), "writer 2, after 0 bytes: it made the others wait for more than 15ms");
            assert!((100..=115).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        })
    });
}

#[test]
fn one_that_is_too_slow_stops_a_tee_that_stops() {
    simulate("too_slow_stops", |_| {
        Box::pin(async {
            let options = Options { on_error: OnError::Stop, patience: Some(time::millis(15)) };
            let mut tee = slow([10, 10, 1_000], options);
            tee.write_all(b"piece").await.unwrap();
            let error = tee.flush().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(
                error.to_string(),
                "the tee stops at its first error; writer 2, after 0 bytes: it made the others wait for more than 15ms"
            );
        })
    });
}

#[test]
fn a_tee_is_a_writer_that_others_can_be_chained_with() {
    on_one_thread(async {
        let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
        let inner = Tee::new([&mut first, &mut second], Options::default());
        let writers: [Box<dyn AsyncWrite + Unpin + Send>; 2] = [Box::new(inner), Box::new(&mut third)];
        let text: Vec<u8> = (0..=u8::MAX).cycle().take(3 * PIECE).collect();
        let mut buffered = windtunnel::io::BufWriter::new(Tee::new(writers, Options::default()));
        for chunk in text.chunks(1000) {
            buffered.write_all(chunk).await.unwrap();
        }
        buffered.shutdown().await.unwrap();
        drop(buffered);
        assert!(first == text && second == text && third == text);
    });
}

#[test]
fn an_error_says_what_to_do() {
    assert_eq!(
        TeeError::NoneLeft { writers: 2 }.to_string(),
        "none of 2 writers is left: make a new tee of some that work"
    );
}
