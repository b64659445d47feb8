//! What every bench shares: the settings, the two runtimes, and the refusal to measure a build that is not production's.

use std::future::Future;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use tokio::runtime::{Builder, Runtime};

/// Short measurements: the whole suite is to take minutes, and what it compares differs by more than its noise.
pub fn criterion() -> Criterion {
    assert!(windtunnel::is_production(), "windtunnel was built with `sim` or `model`: use `cargo bench -p windtunnel`");
    Criterion::default()
        .sample_size(10)
        .nresamples(1_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .without_plots()
        .configure_from_args()
}

/// The two schedulers of tokio, under the names that results carry.
pub fn runtimes() -> [(&'static str, Runtime); 2] {
    let multi = Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("tokio starts");
    let current = Builder::new_current_thread().enable_time().build().expect("tokio starts");
    [("multi", multi), ("current", current)]
}

/// Measures `run(n)`, which does a thing `n` times within a task of `runtime`; the result is the time of one.
pub fn measure<F>(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, name: &str, run: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|n| {
            let run = run(n);
            runtime.block_on(async {
                let start = Instant::now();
                // A worker runs it: the thread that called `block_on` belongs to no worker, and waking it is slow.
                windtunnel::spawn(run).await.expect("a bench does not panic");
                start.elapsed()
            })
        });
    });
}
