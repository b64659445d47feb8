//! Mail: the protocol, and any text.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::sync::Context;
use windtunnel::{spawn, time};
use windtunnel_patterns::service::{Drained, Options, serve};
use windtunnel_patterns::smtp::{Limits, Mail, Refusal, Smtp};
use windtunnel_suite::scenarios::smtp::Client;

use crate::common::{on_one_thread, on_two_threads};

type Mails = Arc<Mutex<Vec<Mail>>>;

/// A server on loopback that keeps what it gets, but for mails from `never` and `later`.
async fn server(limits: Limits) -> (std::net::SocketAddr, Context, Mails, windtunnel::task::JoinHandle<Drained>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, stop, mails) = (listener.local_addr().unwrap(), Context::named("stop"), Mails::default());
    let kept = Arc::clone(&mails);
    let deliver = move |mail: Mail| {
        let kept = Arc::clone(&kept);
        async move {
            match mail.from.as_str() {
                "never" => Err(Refusal::ForEver("not\r\nhere".into())),
                "later" => Err(Refusal::ForNow("full".into())),
                _ => {
                    kept.lock().unwrap().push(mail);
                    Ok(())
                }
            }
        }
    };
    let serving = spawn(serve(listener, Smtp::new("here", limits, deliver), Options::default(), stop.clone()));
    (addr, stop, mails, serving)
}

async fn client(addr: std::net::SocketAddr) -> Client<TcpStream> {
    let (client, greeting) = Client::new(TcpStream::connect(addr).await.unwrap()).await.unwrap();
    assert_eq!(greeting, 220);
    client
}

#[test]
fn the_protocol_is_spoken_as_the_rfc_has_it() {
    on_two_threads(async {
        let limits = Limits { mail: 100, recipients: 2, errors: 20, ..Limits::default() };
        let (addr, _stop, mails, _) = server(limits).await;
        let mut client = client(addr).await;
        let conversation = [
            ("DATA\r\n", 503),
            ("RCPT TO:<b>\r\n", 503),
            ("ehlo me\r\n", 250),
            ("MAIL FROM:a\r\n", 501),
            ("MAIL FROM:<a> SIZE=101\r\n", 552),
            ("MAIL FROM:<a> X=1\r\n", 555),
            ("mail from:<a@x> SIZE=99 BODY=8BITMIME\r\n", 250),
            ("MAIL FROM:<b>\r\n", 503),
            ("DATA\r\n", 503),
            ("RCPT TO:<>\r\n", 501),
            ("RCPT TO:<a b>\r\n", 501),
            ("RCPT TO:<@relay,@other:b@x>\r\n", 250),
            ("RCPT TO:<c>\r\n", 250),
            ("RCPT TO:<d>\r\n", 452),
            ("DATA\r\n", 354),
            ("..dot\r\n.not the end\n.\nnor this\r\n.\r\n", 250),
            ("NOOP\r\n", 250),
            ("VRFY b\r\n", 252),
            ("MAIL FROM:<>\r\n", 250),
            ("RSET\r\n", 250),
            ("RCPT TO:<b>\r\n", 503),
            ("WHAT\r\n", 500),
        ];
        for (line, code) in conversation {
            assert_eq!(client.say(line).await.unwrap(), code, "{line}");
        }
        for (from, code) in [("never", 554), ("later", 451), ("long", 552)] {
            client.say(&format!("MAIL FROM:<{from}>\r\n")).await.unwrap();
            client.say("RCPT TO:<b>\r\n").await.unwrap();
            client.say("DATA\r\n").await.unwrap();
            let text = if from == "long" { "x".repeat(101) } else { "x".to_owned() };
            assert_eq!(client.say(&format!("{text}\r\n.\r\n")).await.unwrap(), code, "{from}");
        }
        assert_eq!(client.say("QUIT\r\n").await.unwrap(), 221);
        assert!(client.say("NOOP\r\n").await.is_err(), "it is over");
        let expected = Mail {
            from: "a@x".into(),
            to: vec!["b@x".into(), "c".into()],
            text: b".dot\r\nnot the end\n.\nnor this\r\n".to_vec(),
        };
        assert_eq!(*mails.lock().unwrap(), [expected]);
    });
}

#[test]
fn a_client_that_is_wrong_too_often_or_too_long_or_silent_is_left() {
    on_two_threads(async {
        let limits = Limits { errors: 2, silence: time::millis(100), ..Limits::default() };
        let (addr, ..) = server(limits).await;
        let mut wrong = client(addr).await;
        for _ in 0..3 {
            assert_eq!(wrong.say("WHAT\r\n").await.unwrap(), 500);
        }
        assert!(matches!(wrong.say("").await, Ok(421)));
        assert_eq!(client(addr).await.say(&"x".repeat(512)).await.unwrap(), 500);
        assert!(client(addr).await.say("NOO").await.is_err(), "no line within the time");
    });
}

#[test]
fn a_mail_that_has_begun_may_end_while_the_server_drains() {
    on_two_threads(async {
        let (addr, stop, mails, serving) = server(Limits::default()).await;
        let (mut idle, mut busy) = (client(addr).await, client(addr).await);
        assert_eq!(busy.say("HELO me\r\n").await.unwrap(), 250);
        assert_eq!(busy.say("MAIL FROM:<a>\r\n").await.unwrap(), 250);
        stop.cancel();
        assert_eq!(idle.say("").await.unwrap(), 421, "without a question");
        let (_, greeting) = Client::new(TcpStream::connect(addr).await.unwrap()).await.unwrap();
        assert_eq!(greeting, 421);
        for (line, code) in [("RCPT TO:<b>\r\n", 250), ("DATA\r\n", 354), ("text\r\n.\r\n", 250)] {
            assert_eq!(busy.say(line).await.unwrap(), code, "{line}");
        }
        assert_eq!(busy.say("").await.unwrap(), 421);
        assert_eq!(serving.await, Ok(Drained { cut_off: 0 }));
        assert_eq!(mails.lock().unwrap().len(), 1);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_comes_as_it_was_sent(text in r"([.ab]|\r\n|\n|\r[ab]|\.\r\n|x{4093,4097}){0,12}") {
        on_one_thread(async move {
            let (addr, _stop, mails, _) = server(Limits::default()).await;
            let mut client = client(addr).await;
            for line in ["HELO me\r\n", "MAIL FROM:<a>\r\n", "RCPT TO:<b>\r\n", "DATA\r\n"] {
                client.say(line).await.unwrap();
            }
            // A client ends the last line, and doubles each dot that begins one.
            let text = if text.is_empty() || text.ends_with("\r\n") { text } else { text + "\r\n" };
            let stuffed: Vec<_> =
                text.split("\r\n").map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() }).collect();
            assert_eq!(client.say(&format!("{}.\r\n", stuffed.join("\r\n"))).await.unwrap(), 250);
            let mails = mails.lock().unwrap();
            assert_eq!(String::from_utf8_lossy(&mails[0].text), text);
        });
    }
}
