//! The forms of the address lookup: one body for all, on every runtime; and panics, which end a model.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use windtunnel::task::{JoinError, yield_now};
use windtunnel_patterns::call::CallError;
use windtunnel_patterns::lookup::{Form, System, lookup};
use windtunnel_suite::models::lookup as models;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    sequential
    channel
    wait_group
    limit_inside
    limit_before
    par
    par_with_a_limit
    channel_dropped_leaves_no_lookup
    wait_group_dropped_leaves_no_lookup
    par_dropped_leaves_no_lookup
}

const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

const FORMS: [Form; 7] = [
    Form::Sequential,
    Form::Channel,
    Form::WaitGroup,
    Form::LimitInside(THREE),
    Form::LimitBefore(THREE),
    Form::Par(None),
    Form::Par(Some(THREE)),
];

/// Census `lookup-done-not-deferred`: a task that panics would never have reported.
#[test]
fn a_lookup_that_panics_is_an_error_and_keeps_no_other_waiting() {
    on_two_threads(async {
        let resolve = |host: String| async move {
            yield_now().await;
            assert!(host != "13", "an unlucky host");
            Ok::<_, String>(vec![IpAddr::from([10, 0, 0, 1])])
        };
        for form in FORMS {
            let found = lookup((0..50).map(|n| n.to_string()).collect(), resolve, form).await;
            for (n, found) in found.into_iter().enumerate() {
                assert_eq!(found.host, n.to_string());
                match found.addresses {
                    Err(CallError::Died(JoinError::Panicked(message))) => {
                        assert_eq!((n, message.as_str()), (13, "an unlucky host"), "{form:?}");
                    }
                    other => assert!(n != 13 && other.is_ok(), "{form:?}: {other:?}"),
                }
            }
        }
    });
}

#[test]
fn no_host_is_no_work() {
    on_two_threads(async {
        for form in FORMS {
            assert_eq!(lookup(Vec::new(), |_| async { Err(()) }, form).await, []);
        }
    });
}

#[test]
fn on_tokio_the_system_knows_localhost() {
    on_two_threads(async {
        let [found] = lookup(vec!["localhost".into()], System, Form::Par(None)).await.try_into().unwrap();
        assert!(found.addresses.unwrap().iter().all(IpAddr::is_loopback));
    });
}
