//! Deadlines, by one set of bodies over real TCP, simulated TCP, and pipes on tokio and madsim; the models are those over pipes.

use std::io::ErrorKind;

use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::time::{self, Instant};
use windtunnel_patterns::conn::Conn;
use windtunnel_patterns::pipe::pipe;
use windtunnel_suite::models::conn::over;

use crate::common::{on_tokio_and_madsim, on_two_threads, simulate};

async fn loopback() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (here, listener.accept().await.unwrap().0)
}

/// Each body over pipes of one piece, over loopback, and over connections behind the trait.
macro_rules! over_every_connection {
    ($($body:ident)*) => {
        mod pipes {
            use super::*;
            $(pub async fn $body() {
                let (here, there) = pipe(1);
                over::$body(here, there).await;
            })*
        }
        mod tcp {
            use super::*;
            $(pub async fn $body() {
                let (here, there) = loopback().await;
                over::$body(here, there).await;
            })*
        }
        mod boxed {
            use super::*;
            $(pub async fn $body() {
                let (here, there) = pipe(1);
                over::$body(Box::new(here) as Box<dyn Conn>, Box::new(there) as Box<dyn Conn>).await;
            })*
        }
        mod over_pipes {
            use super::pipes;
            super::on_tokio_and_madsim! { pipes: $($body)* }
        }
        mod over_tcp {
            use super::tcp;
            super::on_tokio_and_madsim! { tcp: $($body)* }
        }
        mod behind_the_trait {
            use super::boxed;
            super::on_tokio_and_madsim! { boxed: $($body)* }
        }
    };
}

over_every_connection! {
    a_deadline_in_the_past_fails_at_once
    a_read_that_waits_fails_at_its_deadline
    a_read_against_its_deadline_loses_nothing
    a_write_to_a_peer_that_does_not_read_fails
}

/// A wait until the deadline lasts until the deadline, also when it was moved while nobody waited.
async fn takes_until_its_deadline(mut here: impl Conn) {
    let start = Instant::now();
    here.set_read_deadline(Some(start + time::millis(60)));
    assert!(time::timeout(time::millis(20), here.read_u8()).await.is_err(), "the limit comes first");
    here.set_read_deadline(Some(start + time::millis(120)));
    assert_eq!(here.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= time::millis(120), "{:?}", start.elapsed());
    here.set_read_deadline(Some(Instant::now() + time::secs(100)));
    assert!(time::timeout(time::millis(20), here.read_u8()).await.is_err(), "the limit comes first");
    let start = Instant::now();
    here.set_read_deadline(Some(start + time::millis(20)));
    assert_eq!(here.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!((time::millis(20)..time::secs(50)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

/// A flush, and a shutdown, that wait for the peer fail at the write deadline, and can be repeated.
async fn a_flush_ends_at_the_write_deadline() {
    let (mut here, mut there) = pipe(0);
    here.write_all(b"a").await.unwrap();
    here.set_write_deadline(Some(Instant::now() + time::millis(20)));
    assert_eq!(here.flush().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(here.shutdown().await.unwrap_err().kind(), ErrorKind::TimedOut);
    here.set_write_deadline(None);
    let mut read = String::new();
    let (shut, end) = futures::future::join(here.shutdown(), there.read_to_string(&mut read)).await;
    shut.unwrap();
    end.unwrap();
    assert_eq!(read, "a");
}

#[test]
fn a_wait_lasts_until_its_deadline() {
    on_two_threads(async {
        let (here, _there) = pipe(0);
        takes_until_its_deadline(here).await;
        let (here, _there) = loopback().await;
        takes_until_its_deadline(here).await;
        a_flush_ends_at_the_write_deadline().await;
    });
    simulate("a_wait_lasts_until_its_deadline", |_| {
        Box::pin(async {
            let (here, _there) = pipe(0);
            takes_until_its_deadline(here).await;
            let (here, _there) = loopback().await;
            takes_until_its_deadline(here).await;
            a_flush_ends_at_the_write_deadline().await;
        })
    });
}

#[test]
fn only_sockets_have_addresses() {
    on_two_threads(async {
        let (here, there) = loopback().await;
        assert_eq!(
            (Conn::local_addr(&here), Conn::peer_addr(&here)),
            (Conn::peer_addr(&there), Conn::local_addr(&there))
        );
        assert!(Conn::local_addr(&here).is_some());
        let (here, _there) = pipe(0);
        assert_eq!((here.local_addr(), here.peer_addr()), (None, None));
    });
}
