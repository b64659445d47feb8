//! Queries over HTTP.
//!
//! ```
//! use std::sync::Arc;
//!
//! use windtunnel::net::TcpListener;
//! use windtunnel::sync::Context;
//! use windtunnel::time;
//! use windtunnel_patterns::http::Http;
//! use windtunnel_patterns::routers::{Calculator, Routers, web};
//! use windtunnel_patterns::service;
//!
//! async fn run<C>(routers: Arc<Routers<C>>, stop: Context) -> std::io::Result<()>
//! where
//!     C: Calculator<Id = u64, State = u64>,
//! {
//!     let listener = TcpListener::bind("127.0.0.1:8080").await?;
//!     let http = Http::new(time::secs(3600), move |request| web::answer(Arc::clone(&routers), request));
//!     service::serve(listener, http, service::Options::default(), stop).await;
//!     Ok(())
//! }
//! ```

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Serialize;

use super::{Calculator, QueryError, Routers};
use crate::http::{JSON, Request, Response, TEXT, respond};

/// Answers a GET of `/routers/ID` with the state of that router, and of `/routers` with their number, as JSON; anything else with an
/// error that says what there is.
pub fn answer<C>(routers: Arc<Routers<C>>, request: Request) -> impl Future<Output = Response> + Send
where
    C: Calculator<Id: FromStr, State: Serialize>,
{
    // The body, which nobody reads, could not wait for a router.
    let (head, _) = request.into_parts();
    async move {
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET it\n".to_owned());
        }
        match head.uri.path().strip_prefix("/routers") {
            Some("") => json(&Count { count: routers.count().await }),
            Some(path) if path.starts_with('/') => state(&routers, &path[1..]).await,
            _ => respond(StatusCode::NOT_FOUND, TEXT, "there is /routers, and /routers/ID\n".to_owned()),
        }
    }
}

#[derive(Serialize)]
struct Count {
    count: usize,
}

async fn state<C>(routers: &Routers<C>, id: &str) -> Response
where
    C: Calculator<Id: FromStr, State: Serialize>,
{
    let state = match id.parse().ok() {
        Some(id) => routers.query(&id).await,
        None => Err(QueryError::Unknown),
    };
    match state {
        Ok(state) => json(&state),
        Err(error) => {
            let unknown = error == QueryError::Unknown;
            let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::SERVICE_UNAVAILABLE };
            respond(status, TEXT, format!("{error}\n"))
        }
    }
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => respond(StatusCode::OK, JSON, text + "\n"),
        Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("no JSON can be made of it: {error}\n")),
    }
}
