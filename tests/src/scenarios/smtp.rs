//! A mail server that drains under the eyes of its clients.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use windtunnel::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::signal::{Signal, Signals};
use windtunnel::time::{self, Instant};
use windtunnel_patterns::service::{Options, serve};
use windtunnel_patterns::shutdown;
use windtunnel_patterns::smtp::{Limits, Mail, Refusal, Smtp};
use windtunnel_sim::{Sim, faults, oracle};

use super::live_tasks_of_patterns;

const PORT: u16 = 25;

/// One end of a conversation in lines.
pub struct Client<C>(BufReader<C>);

impl<C: AsyncRead + AsyncWrite + Unpin> Client<C> {
    /// Begins a conversation; gives the code of the greeting as well.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn new(conn: C) -> io::Result<(Self, u16)> {
        let mut client = Self(BufReader::new(conn));
        let code = client.code().await?;
        Ok((client, code))
    }

    /// Says `text` and gives the code of the answer.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn say(&mut self, text: &str) -> io::Result<u16> {
        self.0.write_all(text.as_bytes()).await?;
        self.0.flush().await?;
        self.code().await
    }

    async fn code(&mut self) -> io::Result<u16> {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.as_bytes()[3] == b' ' {
                return Ok(code);
            }
        }
    }
}

/// The text of mail `number`, as long as its number says.
fn text(number: usize) -> String {
    format!("a line of mail {number}\r\n").repeat(1 + number % 50)
}

/// Sends a mail; gives the code with which it was accepted or sent away.
async fn send(addr: SocketAddr, number: usize) -> io::Result<u16> {
    let (mut client, greeting) = Client::new(TcpStream::connect(addr).await?).await?;
    if greeting != 220 {
        return Ok(greeting);
    }
    for command in ["EHLO client\r\n", "MAIL FROM:<a@here>\r\n", "RCPT TO:<b@there>\r\n", "DATA\r\n"] {
        let code = client.say(command).await?;
        if code >= 400 {
            return Ok(code);
        }
    }
    for line in text(number).split_inclusive('\n') {
        client.0.write_all(line.as_bytes()).await?;
        time::sleep(time::millis(1)).await;
    }
    client.say(".\r\n").await
}

/// What became of the mails.
#[derive(Default)]
struct Seen {
    accepted: Mutex<Vec<usize>>,
    delivered: Mutex<Vec<Vec<u8>>>,
}

impl Seen {
    fn accept(&self, number: usize) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }

    fn deliver(&self, text: Vec<u8>) {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Every mail that was accepted was delivered, and every one that was delivered is whole and came once: `sent` were begun.
    fn check(&self, sent: usize) {
        let mut missing: BTreeSet<_> = (0..sent).map(|number| text(number).into_bytes()).collect();
        for mail in &*self.delivered.lock().unwrap_or_else(PoisonError::into_inner) {
            assert!(missing.remove(mail), "not whole, or twice: {}", String::from_utf8_lossy(mail));
        }
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        oracle::sometimes("mails are accepted", !accepted.is_empty());
        for number in &*accepted {
            assert!(!missing.contains(text(*number).as_bytes()), "mail {number} was accepted and not delivered");
        }
    }
}

/// A client that sends one mail after the other, each with the next number.
async fn keep_sending(addr: SocketAddr, numbers: Arc<AtomicUsize>, seen: Arc<Seen>) {
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        match send(addr, number).await {
            Ok(250) => seen.accept(number),
            Ok(code) => {
                assert_eq!(code, 421, "no other reason to be sent away");
                oracle::sometimes("a client is told 421", true);
            }
            Err(_) => {}
        }
        time::sleep(time::millis(20)).await;
    }
}

/// Whatever befalls the clients while the server drains, every mail that was accepted was delivered whole, who comes late is told 421,
/// and the server ends in time.
#[windtunnel_sim::test(seeds = 64)]
pub async fn every_accepted_mail_is_whole_while_the_server_drains(sim: Sim) {
    let (seen, numbers) = (Arc::<Seen>::default(), Arc::<AtomicUsize>::default());
    let (drain, delivered) = (time::secs(5), Arc::clone(&seen));
    let (ended, how) = windtunnel::channel(1);
    let server = sim.node("server", move |node| {
        let (ended, delivered) = (ended.clone(), Arc::clone(&delivered));
        let deliver = move |mail: Mail| {
            let delivered = Arc::clone(&delivered);
            async move {
                time::sleep(time::millis(5)).await;
                delivered.deliver(mail.text);
                Ok::<_, Refusal>(())
            }
        };
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            let smtp = Smtp::new("server", Limits { silence: time::secs(2), ..Limits::default() }, deliver);
            let signals = Signals::listen([Signal::Terminate]).expect("a simulation has signals");
            let options = Options { drain, ..Options::default() };
            let drained = shutdown::on(signals, |stop| serve(listener, smtp, options, stop)).await;
            ended.send(drained).await.ok();
        }
    });
    let (addr, begun, accepted) = (server.addr(PORT), Arc::clone(&numbers), Arc::clone(&seen));
    let clients = sim.nodes("client", 4, move |_| keep_sending(addr, Arc::clone(&begun), Arc::clone(&accepted)));
    sim.faults(faults::any().on(&clients).healed_by(time::secs(10)));
    time::sleep(time::millis(rng().random_range(100..8_000))).await;
    let start = Instant::now();
    sim.signal(&server, Signal::Terminate);
    how.recv().await.expect("the server is well");
    assert!(start.elapsed() <= drain + time::millis(10), "{:?}", start.elapsed());
    seen.check(numbers.load(Ordering::Relaxed));
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}
