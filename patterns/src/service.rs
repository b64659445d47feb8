//! A service on a listener: a task for each connection, a limit on them, an end in good order.
//!
//! After the `TCPService` and the draining `SMTPService` of "Go forth and Multiply" (001:59-147, census A4.2 to A4.4), with what the
//! printed program lacks: a way to stop, a limit, and an accept loop that neither spins on errors nor dies of them.
//!
//! ```
//! use windtunnel::io::AsyncWriteExt;
//! use windtunnel::net::{TcpListener, TcpStream};
//! use windtunnel::sync::Context;
//! use windtunnel_patterns::service::{self, Options, Service};
//!
//! struct Hello;
//!
//! impl Service<TcpStream> for Hello {
//!     async fn handle(&self, mut stream: TcpStream, _draining: Context) {
//!         stream.write_all(b"Hello\r\n").await.ok();
//!     }
//!
//!     async fn refuse(&self, mut stream: TcpStream) {
//!         stream.write_all(b"Closing for today\r\n").await.ok();
//!     }
//! }
//!
//! async fn run(stop: Context) -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:7000").await?;
//!     let drained = service::serve(listener, Hello, Options::default(), stop).await;
//!     println!("{} connections were cut off", drained.cut_off);
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! - *When each communication proceeds.* A connection is accepted as soon as one of [`Options::connections`] places is free; those
//!   that wait do so in the listener's backlog, which is the *back-pressure*.
//! - *Errors of accept.* One that is about the connection that came, such as one given up by its client, is passed over. Any other,
//!   such as too many open files, is waited for: 5 ms, and twice as long each time, at most a second, as Go's `net/http` does.
//! - *Draining.* Once `stop` is cancelled, connections under way go on for [`Options::drain`] at most; each [`Service::handle`] has a
//!   context that tells it. New ones are [refused](Service::refuse), one at a time. Then [`serve`] cuts off what is left, and ends.
//! - *When each task exits.* The task of a connection ends with its [`Service::handle`], which is dropped where it waits when it is
//!   cut off. When [`serve`] returns, none is left; when it is dropped, all are cut off.
//! - *Panics.* One in [`Service::handle`] ends its connection and no other. (In a simulation or a model a panic ends the run.)

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::select;
use windtunnel::sync::{Context, OwnedPermit, Semaphore};
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Instant};

/// Where connections come from.
pub trait Listener: Send {
    /// One end of a connection.
    type Conn: Send + 'static;

    /// The next connection. A dropped wait loses none.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Conn>> + Send;
}

impl Listener for TcpListener {
    type Conn = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// What is done with the connections.
pub trait Service<C>: Send + Sync + 'static {
    /// Serves a connection to its end. `draining` is cancelled when the service is to stop: do not begin anything new.
    fn handle(&self, conn: C, draining: Context) -> impl Future<Output = ()> + Send;

    /// Sends a connection away that has come too late, within a second. By default without a word.
    fn refuse(&self, conn: C) -> impl Future<Output = ()> + Send
    where
        C: Send,
    {
        async { drop(conn) }
    }
}

/// The limits of a [`serve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Connections at once; 1,024 by default.
    pub connections: NonZeroUsize,
    /// How long connections may go on once the service is to stop; 30 s by default.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: NonZeroUsize::new(1_024).expect("not zero"), drain: time::secs(30) }
    }
}

/// How a [`serve`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had not ended in time.
    pub cut_off: usize,
}

/// How long a connection may take to be refused.
const REFUSAL: Duration = Duration::from_secs(1);

/// Serves the connections of `listener`, until `stop` is cancelled and no connection is left, or [`Options::drain`] has passed.
///
/// # Cancel safety
/// Dropped, it cuts off every connection.
pub async fn serve<L: Listener, S: Service<L::Conn>>(
    listener: L,
    service: S,
    options: Options,
    stop: Context,
) -> Drained {
    let most = options.connections.get().min(Semaphore::MAX_PERMITS);
    let serving = Serving {
        service: Arc::new(service),
        places: Arc::new(Semaphore::named("connections", most)),
        draining: stop.child(),
        cut: Context::named("connections"),
    };
    let _cut = serving.cut.guard();
    serving.run(&listener, &stop).await;
    let ended = time::timeout(options.drain, serving.refuse(&listener, most)).await;
    let cut_off = if ended.is_ok() { 0 } else { most - serving.places.available_permits() };
    serving.cut.cancel();
    let _all = serving.places.acquire_many(most).await;
    Drained { cut_off }
}

/// What the connections of a [`serve`] share.
struct Serving<S> {
    service: Arc<S>,
    /// One for each connection, given back when it has ended.
    places: Arc<Semaphore>,
    /// Cancelled when no more are served.
    draining: Context,
    /// Cancelled when none may go on.
    cut: Context,
}

impl<S> Serving<S> {
    /// Accepts connections until `stop` is cancelled.
    async fn run<L: Listener>(&self, listener: &L, stop: &Context)
    where
        S: Service<L::Conn>,
    {
        let accepting = async {
            let mut delay = Delay::default();
            loop {
                let place = Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed");
                match listener.accept().await {
                    Ok(conn) => {
                        delay = Delay::default();
                        self.start(conn, place);
                    }
                    Err(error) => delay.after(&error).await,
                }
            }
        };
        select! {
            biased;
            cause = stop.cancelled() => tracing::debug!("drains: {cause}"),
            () = accepting => {}
        }
    }

    fn start<C: Send + 'static>(&self, conn: C, place: OwnedPermit)
    where
        S: Service<C>,
    {
        let (service, draining, cut) = (Arc::clone(&self.service), self.draining.clone(), self.cut.clone());
        spawn_named("connection", async move {
            // Given back last, also by a panic.
            let _place = place;
            cut.run(service.handle(conn, draining)).await.ok();
        });
    }

    /// Refuses connections until none is left of those that are served.
    async fn refuse<L: Listener>(&self, listener: &L, most: usize)
    where
        S: Service<L::Conn>,
    {
        let refusing = async {
            let mut delay = Delay::default();
            loop {
                match listener.accept().await {
                    Ok(conn) => drop(time::timeout(REFUSAL, self.service.refuse(conn)).await),
                    Err(error) => delay.after(&error).await,
                }
            }
        };
        select! {
            biased;
            all = self.places.acquire_many(most) => drop(all.expect("the places are never closed")),
            () = refusing => {}
        }
    }
}

/// How long to wait after an error of accept.
#[derive(Default)]
struct Delay(Duration);

impl Delay {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    /// Waits, unless `error` is about one connection only.
    async fn after(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, TimedOut};
        tracing::warn!("accept: {error}");
        if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | TimedOut) {
            self.0 = (self.0 * 2).clamp(Self::FIRST, Self::LONGEST);
            time::sleep_until(Instant::now() + self.0).await;
        }
    }
}
