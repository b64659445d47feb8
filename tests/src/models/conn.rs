//! Deadlines of connections: [`over`] has what any connection must do, of which the models are those of a pipe. A timer may fire at any
//! time there, and no time passes.

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::{spawn, time};
use windtunnel_patterns::pipe::pipe;

/// What any connection must do; each takes both ends of one.
pub mod over {
    use std::io::ErrorKind;

    use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
    use windtunnel::spawn;
    use windtunnel::time::{self, Instant};
    use windtunnel_patterns::conn::Conn;

    fn soon() -> Instant {
        Instant::now() + time::millis(20)
    }

    /// An operation that begins after its deadline fails at once, also where it need not wait.
    pub async fn a_deadline_in_the_past_fails_at_once(mut here: impl Conn, mut there: impl Conn) {
        there.write_all(b"a").await.expect("there is room");
        there.flush().await.expect("there is room");
        here.set_deadline(Some(Instant::now()));
        assert_eq!(here.read_u8().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        assert_eq!(here.write(b"b").await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        here.set_deadline(None);
        here.write_all(b"c").await.expect("there is room");
        here.flush().await.expect("there is room");
        assert_eq!(here.read_u8().await.expect("nothing was lost"), b'a');
        assert_eq!(there.read_u8().await.expect("it is there"), b'c', "what failed has written nothing");
    }

    /// A read that nothing comes for fails at its deadline, and so do later ones until there is another deadline.
    pub async fn a_read_that_waits_fails_at_its_deadline(mut here: impl Conn, mut there: impl Conn) {
        here.set_read_deadline(Some(soon()));
        assert_eq!(here.read_u8().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        there.write_all(b"a").await.expect("there is room");
        there.flush().await.expect("there is room");
        assert_eq!(here.read_u8().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut), "still");
        here.set_read_deadline(None);
        assert_eq!(here.read_u8().await.expect("nothing was lost"), b'a');
        here.set_read_deadline(Some(soon()));
        assert_eq!(here.read_u8().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut), "a second time");
    }

    /// Bytes against the deadline: the read has the first one, or it fails and the next read has it.
    pub async fn a_read_against_its_deadline_loses_nothing(mut here: impl Conn, mut there: impl Conn + 'static) {
        let writer = spawn(async move {
            there.write_all(b"ab").await.expect("there is room");
            there.flush().await.expect("there is room");
            there
        });
        here.set_read_deadline(Some(soon()));
        let first = here.read_u8().await;
        here.set_read_deadline(None);
        match first {
            Ok(byte) => assert_eq!(byte, b'a'),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                assert_eq!(here.read_u8().await.expect("nothing was lost"), b'a');
            }
        }
        assert_eq!(here.read_u8().await.expect("nothing was lost"), b'b');
        writer.await.expect("nobody aborts it");
    }

    /// To a peer that does not read, a write fails at its deadline; the peer then gets what was written and no more.
    pub async fn a_write_to_a_peer_that_does_not_read_fails(mut here: impl Conn, mut there: impl Conn + 'static) {
        const CHUNK: [u8; 4096] = [7; 4096];
        here.set_write_deadline(Some(soon()));
        let mut written = 0;
        let error = loop {
            match here.write(&CHUNK).await {
                Ok(count) => written += count,
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(error, ErrorKind::TimedOut);
        assert_eq!(here.write(b"x").await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut), "still");
        here.set_write_deadline(None);
        let reader = spawn(async move {
            let mut read = Vec::new();
            there.read_to_end(&mut read).await.expect("it is well");
            read
        });
        here.write_all(b"!").await.expect("the peer reads");
        here.shutdown().await.expect("the peer reads");
        let read = reader.await.expect("nobody aborts it");
        assert_eq!((read.len(), read.last()), (written + 1, Some(&b'!')));
    }
}

/// An operation that begins after its deadline fails at once, also where it need not wait.
#[windtunnel_model::test]
pub async fn a_deadline_in_the_past_fails_at_once() {
    let (here, there) = pipe(1);
    over::a_deadline_in_the_past_fails_at_once(here, there).await;
}

/// A read that nothing comes for fails at its deadline, and so do later ones until there is another deadline.
#[windtunnel_model::test]
pub async fn a_read_that_waits_fails_at_its_deadline() {
    let (here, there) = pipe(1);
    over::a_read_that_waits_fails_at_its_deadline(here, there).await;
}

/// Bytes against the deadline: the read has the first one, or it fails and the next read has it.
#[windtunnel_model::test]
pub async fn a_read_against_its_deadline_loses_nothing() {
    let (here, there) = pipe(0);
    over::a_read_against_its_deadline_loses_nothing(here, there).await;
}

/// To a peer that does not read, a write fails at its deadline; the peer then gets what was written and no more.
#[windtunnel_model::test]
pub async fn a_write_to_a_peer_that_does_not_read_fails() {
    let (here, there) = pipe(1);
    over::a_write_to_a_peer_that_does_not_read_fails(here, there).await;
}

/// Two requests with a deadline for each reply, to a peer that takes shorter for the first and longer for the second: a read that
/// fails has lost nothing, and both sides end.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn replies_in_time_and_late() {
    let (mut here, there) = pipe(1);
    let peer = spawn(async move {
        let (mut requests, mut replies) = windtunnel::io::split(there);
        for delay in [10, 30] {
            let request = requests.read_u8().await.expect("it comes");
            time::sleep(time::millis(delay)).await;
            replies.write_u8(request).await.expect("there is room");
            replies.flush().await.expect("there is room");
        }
    });
    for request in *b"ab" {
        here.write_u8(request).await.expect("there is room");
        here.flush().await.expect("there is room");
        here.set_read_deadline(Some(time::Instant::now() + time::millis(20)));
        let reply = here.read_u8().await;
        here.set_read_deadline(None);
        match reply {
            Ok(reply) => assert_eq!(reply, request),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                assert_eq!(here.read_u8().await.expect("nothing was lost"), request);
            }
        }
    }
    peer.await.expect("nobody aborts it");
}
