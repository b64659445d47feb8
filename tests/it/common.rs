//! One body, every runtime.

use std::future::Future;
use std::sync::atomic::AtomicBool;

use windtunnel_sim::{Body, Scenario, Sim, Sweep};

/// A test of each body of module `$bodies` on tokio with two threads, on tokio with one, and on 16 seeds of madsim.
macro_rules! on_tokio_and_madsim {
    ($bodies:ident: $($body:ident)*) => {
        mod tokio_two_threads {
            $(#[test] fn $body() { $crate::common::on_two_threads(super::$bodies::$body()); })*
        }
        mod tokio_one_thread {
            $(#[test] fn $body() { $crate::common::on_one_thread(super::$bodies::$body()); })*
        }
        mod madsim {
            $(#[test] fn $body() {
                $crate::common::simulate(stringify!($body), |_| Box::pin(super::$bodies::$body()));
            })*
        }
    };
}

/// The same, and every interleaving under loom.
macro_rules! on_every_runtime {
    ($bodies:ident: $($body:ident)*) => {
        $crate::common::on_tokio_and_madsim! { $bodies: $($body)* }
        mod loom {
            $(#[test] fn $body() {
                let report = windtunnel_model::Builder::new().check(stringify!($body), super::$bodies::$body);
                assert!(report.is_complete(), "\n{report}");
            })*
        }
    };
}

pub(crate) use {on_every_runtime, on_tokio_and_madsim};

pub(crate) fn on_two_threads(body: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap().block_on(body);
}

pub(crate) fn on_one_thread(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body);
}

/// Runs each seed twice: both are the same run.
pub(crate) fn simulate(name: &'static str, body: fn(Sim) -> Body) {
    let scenario = Scenario { module: "common", function: name, package: "", summary: "", seeds: 16, body };
    let report = Sweep { verify: true, ..Sweep::new(0..16) }.run(&scenario, &AtomicBool::new(false), &|| {});
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
    assert_eq!(report.diverged, None);
    assert_eq!(report.runs, 32);
}

/// Holds that the generated page `file` of the workspace says `text`; with `WINDTUNNEL_WRITE_DOCS` set, writes it first.
pub(crate) fn assert_current(file: &str, text: &str) {
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace");
    let path = workspace.join(file);
    if std::env::var_os("WINDTUNNEL_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).expect("a writable file");
    }
    assert_eq!(std::fs::read_to_string(path).expect("a readable file"), text, "write it again, as its first lines say");
}
