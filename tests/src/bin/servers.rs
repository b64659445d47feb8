//! Mail, finger and `/debug/tasks` in one program, on ports that it prints: `cargo run -p windtunnel-suite --bin servers`.
//!
//! SIGTERM and SIGINT end it in good order, within two seconds; SIGQUIT has it say what its tasks do. A mail is printed when it is
//! accepted. With `leak N`, so many tasks wait for nothing, for `/debug/tasks` to show.

use windtunnel::net::TcpListener;
use windtunnel::signal::{Signal, Signals};
use windtunnel::sync::Context;
use windtunnel::{go, spawn, time};
use windtunnel_patterns::finger::{Finger, Question};
use windtunnel_patterns::http::Http;
use windtunnel_patterns::service::{Drained, Options, serve};
use windtunnel_patterns::smtp::{Mail, Refusal, Smtp};
use windtunnel_patterns::{debug, finger, shutdown, smtp};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let leaks = match &arguments[..] {
        [] => 0,
        [leak, count] if leak == "leak" && count.parse::<u32>().is_ok() => count.parse().unwrap_or_default(),
        _ => {
            eprintln!("servers: give it nothing, or `leak N`");
            std::process::exit(2);
        }
    };
    let quit = Signals::listen([Signal::Quit])?;
    let stop = Signals::listen([Signal::Interrupt, Signal::Terminate])?;
    let [mail, finger, debug] = [listen("mail").await?, listen("finger").await?, listen("debug").await?];
    for _ in 0..leaks {
        spawn(async { go::channel::<()>(0).recv().await });
    }
    spawn(debug::on_signal(quit, |tasks| eprint!("{tasks}")));
    let drained = shutdown::on(stop, |stop| serve_all(mail, finger, debug, stop)).await;
    println!("ended: {} connections were cut off", drained.cut_off);
    Ok(())
}

async fn listen(what: &str) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{what} {}", listener.local_addr()?.port());
    Ok(listener)
}

/// Finger and `/debug/tasks` serve as long as mail does.
async fn serve_all(mail: TcpListener, finger: TcpListener, debug: TcpListener, stop: Context) -> Drained {
    let (options, others) = (Options { drain: time::secs(2), ..Options::default() }, Context::named("others"));
    let smtp = Smtp::new("here", smtp::Limits::default(), deliver);
    let _others = others.guard();
    spawn(serve(finger, Finger::new(finger::Limits::default(), answer), options.clone(), others.clone()));
    spawn(serve(debug, Http::new(time::secs(60), debug::answer), options.clone(), others.clone()));
    serve(mail, smtp, options, stop).await
}

async fn deliver(mail: Mail) -> Result<(), Refusal> {
    println!("delivered {:?}", String::from_utf8_lossy(&mail.text));
    Ok(())
}

async fn answer(question: Question) -> String {
    question.user().map_or_else(|| "Nobody is logged in.".to_owned(), |user| format!("Login: {user}\nNo plan."))
}
