//! The forms of the address lookup under every interleaving.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use windtunnel::time;
use windtunnel_patterns::call::CallError;
use windtunnel_patterns::lookup::{Form, Found, lookup};

use super::task::forever;

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn resolve(host: String) -> Result<Vec<IpAddr>, String> {
    if host == "missing" { Err(format!("unknown host {host}")) } else { Ok(vec![ADDRESS]) }
}

/// What every form gives: the answers, in the order of the list.
async fn answers_in_order(form: Form) {
    let hosts = ["missing", "here"].map(String::from);
    let found = lookup(hosts.to_vec(), resolve, form).await;
    let unknown = CallError::Failed("unknown host missing".to_owned());
    let [missing, here] = hosts;
    let expected =
        [Found { host: missing, addresses: Err(unknown) }, Found { host: here, addresses: Ok(vec![ADDRESS]) }];
    assert_eq!(found, expected);
}

/// The plain loop.
#[windtunnel_model::test]
pub async fn sequential() {
    answers_in_order(Form::Sequential).await;
}

/// A task for each host, which report on a channel.
#[windtunnel_model::test]
pub async fn channel() {
    answers_in_order(Form::Channel).await;
}

/// A task for each host, counted: the wait orders what they wrote before what is read.
#[windtunnel_model::test]
pub async fn wait_group() {
    answers_in_order(Form::WaitGroup).await;
}

/// A task for each host, which wait for their turn.
#[windtunnel_model::test]
pub async fn limit_inside() {
    answers_in_order(Form::LimitInside(ONE)).await;
}

/// A task at a time.
#[windtunnel_model::test]
pub async fn limit_before() {
    answers_in_order(Form::LimitBefore(ONE)).await;
}

/// `Par`.
#[windtunnel_model::test]
pub async fn par() {
    answers_in_order(Form::Par(None)).await;
}

/// `Par` with a limit.
#[windtunnel_model::test]
pub async fn par_with_a_limit() {
    answers_in_order(Form::Par(Some(ONE))).await;
}

async fn dropped(form: Form) {
    let hang = |_host: String| async {
        forever().await;
        Ok::<_, String>(Vec::new())
    };
    let given_up = time::timeout(time::secs(1), lookup(vec!["a".into(), "b".into()], hang, form)).await;
    assert_eq!(given_up, Err(time::Elapsed));
}

/// Dropped at any moment, the form with a channel leaves no look-up behind.
#[windtunnel_model::test]
pub async fn channel_dropped_leaves_no_lookup() {
    dropped(Form::Channel).await;
}

/// Dropped at any moment, the form with a wait group leaves no look-up behind.
#[windtunnel_model::test]
pub async fn wait_group_dropped_leaves_no_lookup() {
    dropped(Form::WaitGroup).await;
}

/// Dropped at any moment, `Par` with a limit leaves no look-up behind.
#[windtunnel_model::test]
pub async fn par_dropped_leaves_no_lookup() {
    dropped(Form::Par(Some(ONE))).await;
}

/// What every form gives for hosts whose look-ups take their time: the answers, in the order of the list.
async fn each_in_its_time(form: Form, hosts: u8) {
    let slow = |host: String| async move {
        let number: u8 = host.parse().expect("a number");
        time::sleep(time::millis(10 - u64::from(number))).await;
        Ok::<_, String>(vec![IpAddr::from([10, 0, 0, number])])
    };
    let names: Vec<_> = (0..hosts).map(|n| n.to_string()).collect();
    let found = lookup(names.clone(), slow, form).await;
    let expected =
        (0..hosts).zip(names).map(|(n, host)| Found { host, addresses: Ok(vec![IpAddr::from([10, 0, 0, n])]) });
    assert!(found.iter().cloned().eq(expected), "{found:?}");
}

/// Three hosts, a task for each, which report on a channel.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn three_by_channel() {
    each_in_its_time(Form::Channel, 3).await;
}

/// Three hosts, a task for each, counted.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn three_by_wait_group() {
    each_in_its_time(Form::WaitGroup, 3).await;
}

/// Three hosts, a task for each, of which two look up at once.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn three_by_limit_inside() {
    each_in_its_time(Form::LimitInside(TWO), 3).await;
}

/// Four hosts, a task for each, in two places.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn four_by_limit_before() {
    each_in_its_time(Form::LimitBefore(TWO), 4).await;
}

/// Four hosts, a task for each, by `Par`, two at once.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn four_by_par() {
    each_in_its_time(Form::Par(Some(TWO)), 4).await;
}
