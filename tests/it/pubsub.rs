//! Publish/subscribe: the bodies of its models on tokio and madsim, and generated programs, which must give the same in each form.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use proptest::prelude::*;
use windtunnel::spawn;
use windtunnel::time::{self, Duration};
use windtunnel_patterns::pubsub::{
    HelperServer, LoopServer, MutexServer, Notice, Options, Policy, PubSub, PublishError, SubscribeError, Subscription,
};

use crate::common::{on_one_thread, on_two_threads};

macro_rules! models_of {
    ($($form:ident)*) => { $(
        mod $form {
            use windtunnel_suite::models::pubsub::$form as models;

            use crate::common::on_tokio_and_madsim;

            on_tokio_and_madsim! {
                models:
                cancel_against_publish
                a_cancel_is_exact
                a_dropped_cancel_loses_nothing
                close_against_publish
                drop_against_publish
                everybody_sees_one_order
                coalesced_events_add_up
                dropped_events_are_counted
                too_slow_is_disconnected
                a_dropped_server_leaves_no_task
            }
        }
    )* };
}

models_of! { pubsub_mutex pubsub_loop pubsub_helpers }

/// What one task does with a server. Subscriptions are numbered as they come; an operation on one that there is not, does nothing.
#[derive(Clone, Debug)]
enum Operation {
    /// With a policy, and to the multiples of a number only.
    Subscribe(Policy, u64),
    Publish,
    Receive(usize),
    Cancel(usize),
    Leave(usize),
    Close,
}

/// Room for every event of a program.
const ROOM: usize = 100;

fn policies() -> impl Strategy<Value = Policy> {
    let few = (1..4_usize).prop_map(|queue| NonZeroUsize::new(queue).unwrap());
    prop_oneof![
        3 => Just(Policy::Wait(ROOM)),
        1 => few.clone().prop_map(Policy::Drop),
        1 => few.prop_map(Policy::Coalesce),
    ]
}

fn programs() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        4 => (policies(), 1..4_u64).prop_map(|(policy, multiples)| Operation::Subscribe(policy, multiples)),
        12 => Just(Operation::Publish),
        6 => (0..8_usize).prop_map(Operation::Receive),
        2 => (0..8_usize).prop_map(Operation::Cancel),
        1 => (0..8_usize).prop_map(Operation::Leave),
        1 => Just(Operation::Close),
    ];
    prop::collection::vec(operation, 0..ROOM)
}

/// A subscription in a program.
struct Subscriber {
    subscription: Subscription<u64>,
    policy: Policy,
    multiples: u64,
    /// The contract: what it is to get, or to be told that it misses.
    due: Vec<u64>,
    subscribed: bool,
    notices: Vec<Notice<u64>>,
}

impl Subscriber {
    /// Whether what it got agrees with what was due.
    fn check(&self) {
        let (mut due, mut told) = (self.due.iter(), 0);
        for notice in &self.notices {
            match (notice, self.policy) {
                (Notice::Event(event), Policy::Drop(_)) => assert!(due.any(|due| due == event), "{event} is not due"),
                (Notice::Event(event), _) => assert_eq!(Some(event), due.next()),
                (Notice::Missed(count), Policy::Coalesce(_)) => {
                    told += count;
                    assert!((0..*count).all(|_| due.next().is_some()), "{count} missed are more than are due");
                }
                (notice, policy) => panic!("{notice:?} under {policy:?}"),
            }
        }
        let missed = self.subscription.missed();
        match self.policy {
            Policy::Drop(_) => {
                let got = self.notices.len() as u64;
                assert_eq!(got + missed, self.due.len() as u64);
            }
            _ => assert_eq!((due.next(), missed), (None, told)),
        }
    }
}

/// A program under way.
struct Run<S> {
    server: S,
    open: bool,
    /// The next event.
    next: u64,
    /// How often a subscription was made.
    count: usize,
    /// Those that have not left.
    subscribers: HashMap<usize, Subscriber>,
}

impl<S: PubSub<u64>> Run<S> {
    /// Runs a program to its end and checks every subscriber against the contract.
    async fn check(server: S, program: &[Operation]) {
        let mut run = Self { server, open: true, next: 0, count: 0, subscribers: HashMap::new() };
        for operation in program {
            run.apply(operation).await;
        }
        run.server.close().await;
        for subscriber in run.subscribers.values_mut() {
            while let Some(notice) = subscriber.subscription.recv().await {
                subscriber.notices.push(notice);
            }
            subscriber.check();
        }
    }

    async fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Subscribe(policy, multiples) => self.subscribe(policy, multiples).await,
            Operation::Publish => self.publish().await,
            Operation::Receive(number) => {
                // A wait that is given up loses nothing.
                if let Some(subscriber) = self.subscribers.get_mut(&number)
                    && let Ok(Some(notice)) = time::timeout(Duration::ZERO, subscriber.subscription.recv()).await
                {
                    subscriber.notices.push(notice);
                }
            }
            Operation::Cancel(number) => {
                if let Some(subscriber) = self.subscribers.get_mut(&number) {
                    subscriber.subscription.cancel().await;
                    subscriber.subscribed = false;
                }
            }
            Operation::Leave(number) => drop(self.subscribers.remove(&number)),
            Operation::Close => {
                self.server.close().await;
                self.open = false;
            }
        }
    }

    async fn subscribe(&mut self, policy: Policy, multiples: u64) {
        let options = Options::new(policy).only(move |event: &u64| event.is_multiple_of(multiples));
        match self.server.subscribe(options).await {
            Ok(subscription) => {
                assert!(self.open);
                let (due, notices) = (Vec::new(), Vec::new());
                let subscriber = Subscriber { subscription, policy, multiples, due, subscribed: true, notices };
                self.subscribers.insert(self.count, subscriber);
                self.count += 1;
            }
            Err(SubscribeError) => assert!(!self.open),
        }
    }

    async fn publish(&mut self) {
        let event = self.next;
        self.next += 1;
        if !self.open {
            return assert_eq!(self.server.publish(event).await, Err(PublishError(event)));
        }
        self.server.publish(event).await.expect("it is open");
        let due = |it: &&mut Subscriber| it.subscribed && event.is_multiple_of(it.multiples);
        self.subscribers.values_mut().filter(due).for_each(|it| it.due.push(event));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Hint 3, convert mutexes into goroutines: the contract stays.
    #[test]
    fn every_form_keeps_the_contract_in_every_program(program in programs()) {
        on_one_thread(async {
            Run::check(MutexServer::new(), &program).await;
            Run::check(LoopServer::new(), &program).await;
            Run::check(HelperServer::new(), &program).await;
        });
    }
}

#[test]
fn a_filter_that_panics_unlocks_the_mutex_and_nobody_has_the_event() {
    on_two_threads(async {
        let server = Arc::new(MutexServer::new());
        let mut all = server.subscribe(Options::new(Policy::Wait(ROOM))).await.unwrap();
        let picky = Options::new(Policy::Wait(ROOM)).only(|event| {
            assert_ne!(*event, 13, "bad luck");
            true
        });
        let _picky = server.subscribe(picky).await.unwrap();
        let publisher = Arc::clone(&server);
        spawn(async move { publisher.publish(13).await }).await.unwrap_err();
        server.publish(14).await.unwrap();
        assert_eq!(all.recv().await, Some(Notice::Event(14)));
    });
}

#[test]
fn a_filter_that_panics_ends_a_loop_and_everybody_is_told() {
    on_two_threads(async {
        let server = LoopServer::new();
        let picky = Options::default().only(|event: &u64| panic!("{event} is bad luck"));
        let mut picky = server.subscribe(picky).await.unwrap();
        server.publish(13).await.unwrap();
        assert_eq!(picky.recv().await, None);
        assert_eq!(server.publish(14).await, Err(PublishError(14)));
    });
}

#[test]
fn an_error_says_in_one_line_what_happened() {
    insta::assert_snapshot!([PublishError(0).to_string(), SubscribeError.to_string()].join("\n"), @r"
    the server is closed: nobody gets the event
    the server is closed: there is nothing to subscribe to
    ");
}
