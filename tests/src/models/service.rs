//! A service under every interleaving, on connections that are numbers. A timer may fire at any time there: draining may take as
//! long as it may, or no time at all. The service is a task of its own, since loom gives those more stack than main.

use std::io;
use std::num::NonZeroUsize;

use windtunnel::go::{self, Channel};
use windtunnel::sync::Context;
use windtunnel::task::spawn_named;
use windtunnel::time;
use windtunnel_patterns::service::{Drained, Listener, Options, Service, serve};

use super::task::forever;

/// A listener with these connections and no others.
struct Incoming(Channel<io::Result<u32>>);

impl Incoming {
    fn new(conns: impl IntoIterator<Item = io::Result<u32>>) -> Self {
        let incoming = go::named("incoming", 2);
        for conn in conns {
            assert!(incoming.try_send(conn).is_ok(), "there is room for two");
        }
        Self(incoming)
    }
}

impl Listener for Incoming {
    type Conn = u32;

    async fn accept(&self) -> io::Result<u32> {
        self.0.recv().await.expect("never closed")
    }
}

/// Says which connections it has begun, refused and ended.
#[derive(Clone)]
struct Tell {
    said: Channel<(&'static str, u32)>,
    hangs: bool,
}

impl Tell {
    fn new(hangs: bool) -> Self {
        Self { said: go::named("said", 4), hangs }
    }

    fn say(&self, what: &'static str, conn: u32) {
        assert!(self.said.try_send((what, conn)).is_ok(), "there is room for four");
    }

    /// What was said by now.
    fn heard(&self) -> Vec<(&'static str, u32)> {
        std::iter::from_fn(|| self.said.try_recv().ok()).collect()
    }
}

impl Service<u32> for Tell {
    async fn handle(&self, conn: u32, draining: Context) {
        self.say("begun", conn);
        if self.hangs {
            forever().await;
        }
        draining.cancelled().await;
        self.say("ended", conn);
    }

    async fn refuse(&self, conn: u32) {
        self.say("refused", conn);
    }
}

fn options(connections: usize) -> Options {
    Options { connections: NonZeroUsize::new(connections).expect("one at least"), drain: time::secs(1) }
}

/// A connection under way is told that the service drains, and ends in its own way, or is cut off at the deadline; with it the service
/// ends, and nothing is left.
#[windtunnel_model::test]
pub async fn stopped_it_ends_with_its_last_connection() {
    let (stop, service) = (Context::named("stop"), Tell::new(false));
    let serving = spawn_named("service", serve(Incoming::new([Ok(1)]), service.clone(), options(1), stop.clone()));
    stop.cancel();
    serving.await.expect("nobody aborts it");
    let heard = service.heard();
    let whole = heard == [("begun", 1), ("ended", 1)] || heard == [("refused", 1)];
    let cut_off = heard.is_empty() || heard == [("begun", 1)];
    assert!(whole || cut_off, "{heard:?}");
}

/// Serves `incoming` one at a time, by a service whose connections hang, until the first has begun. Gives how it ended, and what was
/// said after that.
async fn stopped_once_one_has_begun(incoming: Incoming) -> (Drained, Vec<(&'static str, u32)>) {
    let (stop, service) = (Context::named("stop"), Tell::new(true));
    let serving = spawn_named("service", serve(incoming, service.clone(), options(1), stop.clone()));
    assert_eq!(service.said.recv().await, Some(("begun", 1)));
    stop.cancel();
    (serving.await.expect("nobody aborts it"), service.heard())
}

/// One that does not end is cut off.
#[windtunnel_model::test]
pub async fn what_hangs_is_cut_off() {
    let (drained, _) = stopped_once_one_has_begun(Incoming::new([Ok(1)])).await;
    assert_eq!(drained, Drained { cut_off: 1 });
}

/// With one place the second connection waits until the first has ended, here for ever: it is refused when the service drains.
#[windtunnel_model::test]
pub async fn no_more_than_the_limit_at_once() {
    let (_, heard) = stopped_once_one_has_begun(Incoming::new([Ok(1), Ok(2)])).await;
    assert!(matches!(heard[..], [] | [("refused", 2)]), "the second never begins: {heard:?}");
}

/// Errors are passed over or waited for, and the connection behind them is served.
#[windtunnel_model::test]
pub async fn an_error_of_accept_is_not_the_end() {
    let error = Err(io::ErrorKind::ConnectionAborted.into());
    stopped_once_one_has_begun(Incoming::new([error, Ok(1)])).await;
}

/// Dropped at any moment, it leaves no connection behind.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_connection() {
    let serving = serve(Incoming::new([Ok(1)]), Tell::new(true), options(1), Context::named("stop"));
    let serving = spawn_named("service", time::timeout(time::secs(1), serving));
    assert_eq!(serving.await, Ok(Err(time::Elapsed)));
}

/// Two connections for one place, and a stop after a while: none is begun twice, each that has begun ends or is cut off, and
/// nothing is left.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 1000)]
pub async fn two_connections_for_one_place_and_a_stop_in_time() {
    let (stop, service) = (Context::named("stop"), Tell::new(false));
    let incoming = Incoming::new([Ok(1), Ok(2)]);
    let serving = spawn_named("service", serve(incoming, service.clone(), options(1), stop.clone()));
    time::sleep(time::millis(10)).await;
    stop.cancel();
    let Drained { cut_off } = serving.await.expect("nobody aborts it");
    let heard = service.heard();
    let all = |what| heard.iter().filter(move |said| said.0 == what).map(|said| said.1).collect::<Vec<_>>();
    let (mut begun, ended, refused) = (all("begun"), all("ended"), all("refused"));
    assert!(ended.iter().all(|conn| begun.contains(conn)), "{heard:?}");
    let mut at_once = 0;
    for (what, _) in &heard {
        at_once += i32::from(*what == "begun") - i32::from(*what == "ended");
        assert!(at_once <= 1, "{heard:?}");
    }
    assert!(cut_off > 0 || ended.len() == begun.len(), "{heard:?}, {cut_off} cut off");
    begun.extend(refused);
    begun.sort_unstable();
    assert!(begun.windows(2).all(|pair| pair[0] < pair[1]), "{heard:?}");
}
