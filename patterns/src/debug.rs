//! Looking at the tasks of a live program: `/debug/tasks`.
//!
//! After the end of the prologue of Russ Cox's MIT 6.824 lecture on Go (002:287-325, census A5.8 and A5.9): where Go's profile shows
//! stacks, this shows where tasks were spawned and what they wait for, grouped, the most numerous first. Looking stops nothing.
//!
//! ```
//! use windtunnel::net::TcpListener;
//! use windtunnel::sync::Context;
//! use windtunnel::time;
//! use windtunnel_patterns::http::Http;
//! use windtunnel_patterns::{debug, service};
//!
//! async fn run(stop: Context) -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:6060").await?;
//!     service::serve(listener, Http::new(time::secs(60), debug::answer), service::Options::default(), stop).await;
//!     Ok(())
//! }
//! ```

use std::future::{Ready, ready};

use hyper::{Method, StatusCode};
use serde::Serialize;
use windtunnel::signal::Signals;
use windtunnel::task::{Dump, Group, dump};

use crate::http::{JSON, Request, Response, TEXT, respond};

/// Answers a GET of `/debug/tasks` with a table, or of `/debug/tasks?format=json` with an object; anything else with an error that says
/// what there is.
#[expect(clippy::needless_pass_by_value, reason = "it is what a handler is")]
pub fn answer(request: Request) -> Ready<Response> {
    ready(if [Method::GET, Method::HEAD].contains(request.method()) {
        match (request.uri().path(), request.uri().query()) {
            ("/debug/tasks", None | Some("format=text")) => respond(StatusCode::OK, TEXT, text(&dump())),
            ("/debug/tasks", Some("format=json")) => respond(StatusCode::OK, JSON, json(&dump())),
            _ => {
                respond(StatusCode::NOT_FOUND, TEXT, "there is /debug/tasks, and /debug/tasks?format=json\n".to_owned())
            }
        }
    } else {
        respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET it\n".to_owned())
    })
}

/// Shows the tasks, as [`text`] has them, each time one of `signals` comes: SIGQUIT, by custom. It does not end: drop it.
pub async fn on_signal(mut signals: Signals, mut show: impl FnMut(String)) {
    loop {
        let signal = signals.recv().await;
        tracing::info!("{signal}: shows the tasks");
        show(text(&dump()));
    }
}

/// The number of tasks, and the table of their groups.
pub fn text(dump: &Dump) -> String {
    format!("{} tasks\n{dump}\n", dump.len())
}

#[derive(Serialize)]
struct Tasks<'a> {
    total: usize,
    groups: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    count: usize,
    waits: String,
    at: Option<String>,
    spawned_at: Option<String>,
    /// Those of the group that have one.
    names: Vec<&'a str>,
}

/// The same as one JSON object.
pub fn json(dump: &Dump) -> String {
    let groups = dump.groups.iter().map(Row::new).collect();
    let tasks = Tasks { total: dump.len(), groups };
    serde_json::to_string_pretty(&tasks).expect("numbers and strings can be written") + "\n"
}

impl<'a> Row<'a> {
    fn new(group: &'a Group) -> Self {
        let first = &group.tasks[0];
        let place = |at: &std::panic::Location<'_>| format!("{}:{}", at.file(), at.line());
        Self {
            count: group.tasks.len(),
            waits: group.wait(),
            at: first.at.map(place),
            spawned_at: first.spawned_at.map(place),
            names: group.tasks.iter().filter_map(|task| task.name.as_deref()).collect(),
        }
    }
}
