//! A tee over two pipes, under every interleaving with who reads them. A timer may fire at any time.

use std::io;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::task::JoinHandle;
use windtunnel::{spawn, time};
use windtunnel_patterns::pipe::{Pipe, pipe};
use windtunnel_patterns::tee::{OnError, Options, Tee, TeeError, WriterError};

const LEAVE_OUT: Options = Options { on_error: OnError::LeaveOut, patience: None };

/// A tee over two pipes, and their other ends.
fn tee(pieces: usize, options: Options) -> (Tee<Pipe>, [Pipe; 2]) {
    let (pipes, ends): (Vec<_>, Vec<_>) = (0..2).map(|_| pipe(pieces)).unzip();
    (Tee::new(pipes, options), ends.try_into().expect("two"))
}

/// Everything that comes.
fn read(mut end: Pipe) -> JoinHandle<Vec<u8>> {
    spawn(async move {
        let mut bytes = Vec::new();
        end.read_to_end(&mut bytes).await.expect("a pipe that ends has no error");
        bytes
    })
}

/// What a tee that failed says inside its error.
fn said(error: &io::Error) -> &TeeError {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("a tee's error is inside")
}

/// Each writer gets all, in order, whoever is faster.
#[windtunnel_model::test(preemptions = 2)]
pub async fn each_writer_gets_all_in_order() {
    let (mut tee, ends) = tee(0, Options::default());
    let readers = ends.map(read);
    tee.write_all(b"ab").await.expect("all are well");
    tee.write_all(b"c").await.expect("all are well");
    tee.shutdown().await.expect("all are well");
    for reader in readers {
        assert_eq!(reader.await.expect("nobody aborts it"), b"abc");
    }
}

/// A flush has returned: what was written is with every writer.
#[windtunnel_model::test]
pub async fn a_flush_waits_for_every_writer() {
    let (mut tee, [mut first, second]) = tee(0, LEAVE_OUT);
    let other = spawn(async move {
        assert_eq!(first.read_u8().await.expect("it comes"), b'a');
        first
    });
    let mut reading = std::pin::pin!(read_one(second));
    assert!(super::begun(reading.as_mut()).await, "there is nothing yet");
    tee.write_all(b"a").await.expect("all are well");
    tee.flush().await.expect("all are well");
    assert_eq!(reading.await, b'a');
    drop(tee);
    other.await.expect("nobody aborts it");
}

async fn read_one(mut end: Pipe) -> u8 {
    end.read_u8().await.expect("it comes")
}

/// One goes away at any moment: it is left out and reported, and the other gets all.
#[windtunnel_model::test]
pub async fn one_that_fails_is_left_out() {
    let (mut tee, [gone, mut stays]) = tee(2, LEAVE_OUT);
    spawn(async move { drop(gone) });
    for byte in [b"a", b"b"] {
        tee.write_all(byte).await.expect("one is well");
        tee.flush().await.expect("one is well");
    }
    if let [failure] = tee.failures() {
        assert!(failure.writer == 0 && failure.taken <= 2, "{failure}");
        assert!(matches!(&failure.error, WriterError::Failed(error) if error.kind() == io::ErrorKind::BrokenPipe));
    } else {
        assert!(tee.failures().is_empty(), "{:?}", tee.failures());
    }
    drop(tee);
    let mut bytes = Vec::new();
    stays.read_to_end(&mut bytes).await.expect("it is well");
    assert_eq!(bytes, b"ab");
}

/// As Go's: the first error fails what is under way and all that comes later.
#[windtunnel_model::test]
pub async fn the_first_error_stops_it() {
    let (mut tee, [_stays, gone]) = tee(2, Options::default());
    drop(gone);
    let error = tee.write_all(b"a").await.expect_err("one is gone");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(matches!(said(&error), TeeError::Stopped(failure) if failure.writer == 1 && failure.taken <= 1), "{error}");
    let again = tee.write_all(b"b").await.expect_err("it has stopped");
    assert!(matches!(said(&again), TeeError::Stopped(_)), "{again}");
}

/// When none is left, and with none from the beginning, writing fails.
#[windtunnel_model::test]
pub async fn none_left_is_an_error() {
    let (mut left, ends) = tee(1, LEAVE_OUT);
    drop(ends);
    let error = left.write_all(b"a").await.expect_err("all are gone");
    assert!(matches!(said(&error), TeeError::NoneLeft { writers: 2 }), "{error}");
    assert_eq!(left.failures().len(), 2);
    let error = Tee::<Pipe>::new([], LEAVE_OUT).write(b"a").await.expect_err("there is none");
    assert!(matches!(said(&error), TeeError::NoneLeft { writers: 0 }), "{error}");
}

/// One that takes nothing holds the others back for its patience and no longer: they get all.
#[windtunnel_model::test(preemptions = 1, max_executions = 10_000)]
pub async fn one_that_is_too_slow_is_left_out() {
    let options = Options { patience: Some(time::millis(10)), ..LEAVE_OUT };
    let (quick, mut reads) = pipe(2);
    let (slow, _reads_nothing) = pipe(0);
    let mut tee = Tee::new([slow, quick], options);
    let writer = spawn(async move {
        for byte in [b"a", b"b"] {
            tee.write_all(byte).await.expect("one is well");
            tee.flush().await.expect("one is well");
        }
        let [failure] = tee.failures() else { panic!("{:?}", tee.failures()) };
        assert!(failure.writer == 0 && matches!(failure.error, WriterError::TooSlow(_)), "{failure}");
    });
    let mut bytes = Vec::new();
    reads.read_to_end(&mut bytes).await.expect("it is well");
    assert_eq!(bytes, b"ab");
    writer.await.expect("nobody aborts it");
}

/// A write that is dropped has written nothing, or has returned.
#[windtunnel_model::test(preemptions = 1)]
pub async fn a_dropped_write_has_written_nothing() {
    let (mut tee, [first, second]) = tee(0, Options::default());
    let readers = [first, second].map(read);
    tee.write_all(b"a").await.expect("all are well");
    let written = time::timeout(time::millis(10), tee.write(b"b")).await.is_ok();
    tee.write_all(b"c").await.expect("all are well");
    tee.shutdown().await.expect("all are well");
    let expected: &[u8] = if written { b"abc" } else { b"ac" };
    for reader in readers {
        assert_eq!(reader.await.expect("nobody aborts it"), expected);
    }
}

/// Three writers, one of which takes nothing: it is left out once its patience is over, and the others get all.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn one_of_three_is_too_slow_and_left_out() {
    let options = Options { patience: Some(time::millis(10)), ..LEAVE_OUT };
    let (slow, _reads_nothing) = pipe(0);
    let ((one, reads_one), (two, reads_two)) = (pipe(4), pipe(4));
    let mut tee = Tee::new([slow, one, two], options);
    let readers = [reads_one, reads_two].map(read);
    tee.write_all(b"a").await.expect("two are well");
    tee.shutdown().await.expect("two are well");
    let left_out: Vec<_> = tee.failures().iter().map(|failure| failure.writer).collect();
    assert!(left_out.contains(&0), "{left_out:?}");
    drop(tee);
    for (number, reader) in (1..).zip(readers) {
        let bytes = reader.await.expect("nobody aborts it");
        assert!(bytes == b"a" || left_out.contains(&number), "{bytes:?}, {left_out:?}");
    }
}
