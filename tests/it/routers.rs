//! A task for each router on tokio and madsim, by the bodies of its models; its time; its panics; its page; and any program.

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use windtunnel::net::TcpListener;
use windtunnel::sync::Context;
use windtunnel::{spawn, time};
use windtunnel_patterns::http::Http;
use windtunnel_patterns::routers::{Calculator, EventError, Options, Policy, QueryError, Routers, web};
use windtunnel_patterns::service::{self, Drained};
use windtunnel_suite::models::routers as models;
use windtunnel_suite::scenarios::routers::Browser;

use crate::common::{on_one_thread, on_tokio_and_madsim, on_two_threads, simulate};

on_tokio_and_madsim! {
    models:
    two_first_events_begin_one_task
    a_query_has_every_event_accepted_before
    stop_against_event
    stop_against_query
    a_slow_router_keeps_nobody_else_waiting
    what_does_not_fit_is_lost_and_counted
    eviction_against_event
    eviction_against_query
    too_many_are_refused
    a_dropped_event_is_in_or_not
    a_dropped_whole_leaves_no_task
    a_dropped_stop_leaves_no_task
}

/// What a router has heard, in order.
struct Heard;

/// The event that no calculator bears.
const POISON: (u8, u8) = (u8::MAX, u8::MAX);

impl Calculator for Heard {
    type Id = u8;
    type Event = (u8, u8);
    type State = Vec<(u8, u8)>;

    async fn begin(&self, _router: &u8) -> Self::State {
        Vec::new()
    }

    async fn event(&self, heard: &mut Self::State, event: (u8, u8)) {
        assert_ne!(event, POISON, "it is poison");
        windtunnel::task::yield_now().await;
        heard.push(event);
    }
}

#[test]
fn a_router_ends_when_it_was_idle_and_not_while_it_is_heard_of_or_asked() {
    simulate("idle", |_| {
        Box::pin(async {
            let routers = Routers::new(Options { idle: Some(time::secs(10)), ..Options::default() }, Heard);
            routers.event(1, (0, 0)).await.unwrap();
            time::sleep(time::secs(9)).await;
            routers.event(1, (0, 1)).await.unwrap();
            time::sleep(time::secs(9)).await;
            assert_eq!(routers.query(&1).await, Ok(vec![(0, 0), (0, 1)]));
            time::sleep(time::secs(9)).await;
            assert_eq!(routers.count().await, 1);
            time::sleep(time::secs(2)).await;
            assert_eq!((routers.count().await, routers.query(&1).await), (0, Err(QueryError::Unknown)));
            routers.event(1, (0, 2)).await.unwrap();
            assert_eq!(routers.query(&1).await, Ok(vec![(0, 2)]));
        })
    });
}

#[test]
fn a_calculator_that_panics_ends_its_router_and_no_other() {
    let body = async {
        let routers = Routers::new(Options::default(), Heard);
        for router in [1, 2] {
            routers.event(router, (0, 0)).await.unwrap();
        }
        routers.event(1, POISON).await.unwrap();
        let answer = routers.query(&1).await;
        assert!(matches!(answer, Err(QueryError::Unknown | QueryError::Died)), "{answer:?}");
        routers.event(1, (0, 1)).await.unwrap();
        assert_eq!(routers.query(&1).await, Ok(vec![(0, 1)]));
        assert_eq!(routers.query(&2).await, Ok(vec![(0, 0)]));
        routers.stop().await;
    };
    on_two_threads(async { time::timeout(time::secs(20), body).await.expect("its mailbox is not waited for") });
}

async fn ask_for_routers(addr: SocketAddr) {
    let listener = TcpListener::bind(addr).await.unwrap();
    let (addr, stop) = (listener.local_addr().unwrap(), Context::named("stop"));
    let routers = Arc::new(Routers::new(Options::default(), Heard));
    let asked = Arc::clone(&routers);
    let http = Http::new(time::secs(60), move |request| web::answer(Arc::clone(&asked), request));
    let serving = spawn(service::serve(listener, http, service::Options::default(), stop.clone()));
    // One connection for all of it.
    let mut browser = Browser::connect(addr).await;
    assert_eq!(browser.ask("GET /routers").await, (200, r#"{"count":0}"#.to_owned()));
    routers.event(7, (1, 2)).await.unwrap();
    assert_eq!(browser.ask("GET /routers/7").await, (200, "[[1,2]]".to_owned()));
    assert_eq!(browser.ask("GET /routers").await, (200, r#"{"count":1}"#.to_owned()));
    let unknown = (404, "nothing is known of that router".to_owned());
    for id in ["8", "256", "x", "7/", ""] {
        assert_eq!(browser.ask(&format!("GET /routers/{id}")).await, unknown);
    }
    for path in ["/", "/routersx"] {
        assert_eq!(browser.ask(&format!("GET {path}")).await.0, 404);
    }
    assert_eq!(browser.ask("POST /routers/7").await.0, 405);
    routers.stop().await;
    assert_eq!(browser.ask("GET /routers/7").await, (503, "the routers are stopped: none has a state".to_owned()));
    stop.cancel();
    assert_eq!(serving.await, Ok(Drained { cut_off: 0 }));
}

#[test]
fn the_page_of_a_router_is_its_state() {
    on_two_threads(ask_for_routers("127.0.0.1:0".parse().unwrap()));
    simulate("page", |sim| {
        let addr = sim.main().addr(80);
        Box::pin(ask_for_routers(addr))
    });
}

#[test]
fn an_error_says_in_one_line_what_happened() {
    let lines = [
        EventError::Lost(()).to_string(),
        EventError::TooMany(()).to_string(),
        EventError::Stopped(()).to_string(),
        QueryError::Unknown.to_string(),
        QueryError::Died.to_string(),
        QueryError::Stopped.to_string(),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    the router's queue is full: the event is lost unless it is sent again
    there are as many routers as may be: raise the limit, or have idle ones end
    the routers are stopped: no event is accepted
    nothing is known of that router
    the router's task ended before it answered: ask again after its next event
    the routers are stopped: none has a state
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Sources send to routers as they like: each router hears all that is for it, that of each source in order.
    #[test]
    fn events_of_a_source_keep_their_order(
        sources in prop::collection::vec(prop::collection::vec(0..3_u8, 0..12), 1..4),
        capacity in 0..3_usize,
    ) {
        on_one_thread(async {
            let options = Options { policy: Policy::Wait(capacity), ..Options::default() };
            let routers = Arc::new(Routers::new(options, Heard));
            let sending = (0..).zip(sources.clone()).map(|(source, targets)| {
                let routers = Arc::clone(&routers);
                spawn(async move {
                    for (number, router) in (0..).zip(targets) {
                        routers.event(router, (source, number)).await.expect("they are not stopped");
                    }
                })
            });
            for source in sending.collect::<Vec<_>>() {
                source.await.unwrap();
            }
            for router in 0..3 {
                let heard = routers.query(&router).await.unwrap_or_default();
                for (source, targets) in (0..).zip(&sources) {
                    let of_source = heard.iter().filter(|event| event.0 == source).map(|event| event.1);
                    let sent = (0..).zip(targets).filter(|(_, target)| **target == router).map(|(number, _)| number);
                    assert!(of_source.eq(sent), "{heard:?}");
                }
            }
            routers.stop().await;
        });
    }
}
