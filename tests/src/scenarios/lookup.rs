//! The address lookup in simulated time: what each form costs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use windtunnel::rand::rng;
use windtunnel::spawn;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::call::CallError;
use windtunnel_patterns::lookup::{Form, Resolver, System, lookup};
use windtunnel_sim::Sim;

use super::live_tasks_of_patterns;

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

const FORMS: [Form; 7] = [
    Form::Sequential,
    Form::Channel,
    Form::WaitGroup,
    Form::LimitInside(TWO),
    Form::LimitBefore(TWO),
    Form::Par(None),
    Form::Par(Some(TWO)),
];

/// How many look up at once under `form`.
fn most(form: Form, hosts: usize) -> usize {
    match form {
        Form::Sequential => 1,
        Form::LimitInside(most) | Form::LimitBefore(most) | Form::Par(Some(most)) => most.get().min(hosts),
        Form::Channel | Form::WaitGroup | Form::Par(None) => hosts,
    }
}

/// Hosts and how long each takes, as on the slides: fast ones 10 ms at most, slow ones 2 s, and never less than half of that.
fn hosts(count: usize) -> BTreeMap<String, Duration> {
    let mut rng = rng();
    let host = |number| {
        let longest = if rng.random() { 10 } else { 2_000 };
        let domain = if rng.random() { "com" } else { "missing.com" };
        (format!("{number}.{domain}"), time::millis(rng.random_range(longest / 2..longest)))
    };
    (0..count).map(host).collect()
}

/// The slides' resolver, which counts those who are in it.
#[derive(Clone)]
struct Slow {
    hosts: Arc<BTreeMap<String, Duration>>,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Slow {
    fn new(hosts: BTreeMap<String, Duration>) -> Self {
        Self { hosts: Arc::new(hosts), inside: Arc::default(), most: Arc::default() }
    }

    fn names(&self) -> Vec<String> {
        self.hosts.keys().cloned().collect()
    }
}

impl Resolver for Slow {
    type Error = String;

    async fn resolve(&self, host: String) -> Result<Vec<IpAddr>, String> {
        let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(inside, Ordering::Relaxed);
        time::sleep(self.hosts[&host]).await;
        self.inside.fetch_sub(1, Ordering::Relaxed);
        if host.ends_with("missing.com") { Err(format!("unknown host {host}")) } else { Ok(vec![[10, 0, 0, 1].into()]) }
    }
}

/// The plain loop takes the sum, a task for each host as long as the longest, and a limit of two something between, in which
/// two are under way: no form looks up more at once than it says, and none less.
#[windtunnel_sim::test(seeds = 64)]
pub async fn each_form_takes_the_time_that_its_limit_allows(_sim: Sim) {
    let count = rng().random_range(2..20);
    let hosts = hosts(count);
    let (sum, longest): (Duration, _) = (hosts.values().sum(), *hosts.values().max().expect("at least two"));
    let expected = lookup(hosts.keys().cloned().collect(), Slow::new(hosts.clone()), Form::Sequential).await;
    for form in FORMS {
        let slow = Slow::new(hosts.clone());
        let start = Instant::now();
        let found = lookup(slow.names(), slow.clone(), form).await;
        let (took, most) = (start.elapsed(), most(form, count));
        assert_eq!(found, expected, "{form:?}");
        assert_eq!(slow.most.load(Ordering::Relaxed), most, "{form:?}");
        // No order of the hosts is worse than this (Graham, "Bounds for certain multiprocessing anomalies", 1966).
        let places = u32::try_from(most).expect("few");
        let (least, worst) = (longest.max(sum / places), sum / places + longest * (places - 1) / places);
        // A sleep is over within a millisecond of its deadline.
        let slack = time::millis(count as u64);
        assert!(least <= took && took <= worst + slack, "{form:?} took {took:?}, not {least:?} to {worst:?}");
        if matches!(form, Form::Channel | Form::WaitGroup | Form::Par(None)) {
            assert!(took < longest + time::millis(2), "{form:?} took {took:?}, the longest {longest:?}");
        }
    }
}

/// Hint 12, think carefully before introducing unbounded queuing: a limit inside the tasks has a task for each host wait for
/// its turn, and a limit before them no more tasks than places.
#[windtunnel_sim::test(seeds = 4)]
pub async fn a_limit_before_the_tasks_limits_the_tasks_too(_sim: Sim) {
    const HOSTS: usize = 1_000;
    for (form, tasks) in [(Form::LimitInside(TWO), HOSTS), (Form::LimitBefore(TWO), 2), (Form::Par(Some(TWO)), 2)] {
        let slow = Slow::new(hosts(HOSTS));
        let looking = spawn(lookup(slow.names(), slow, form));
        time::sleep(time::secs(3)).await;
        let live = live_tasks_of_patterns();
        // Half of the slow ones are looked up after more than three seconds, and the places are never empty.
        assert!(live <= tasks && live >= tasks.min(HOSTS - 1_000 / 4), "{form:?} has {live} tasks");
        looking.abort();
        time::sleep(time::secs(1)).await;
    }
}

/// Whichever form is dropped, and whenever, nothing of it is left.
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_dropped_lookup_leaves_no_task(_sim: Sim) {
    for form in FORMS {
        let slow = Slow::new(hosts(10));
        let limit = time::millis(rng().random_range(0..3_000));
        let _ = time::timeout(limit, lookup(slow.names(), slow, form)).await;
        time::sleep(time::millis(1)).await;
        assert_eq!(live_tasks_of_patterns(), 0, "{form:?}");
    }
}

/// The runtime's own resolver knows the nodes by name, whichever form asks it; a name that is not found keeps no other from
/// being found.
#[windtunnel_sim::test(seeds = 16)]
pub async fn every_form_finds_the_nodes(sim: Sim) {
    let nodes = sim.nodes("node", 3, |_| std::future::pending());
    sim.fail_lookups("node2");
    let names: Vec<_> = ["node1", "node2", "nobody", "node3"].map(String::from).into();
    for form in FORMS {
        let found = lookup(names.clone(), System, form).await;
        let kinds: Vec<_> = found
            .iter()
            .map(|found| match &found.addresses {
                Ok(addresses) => Ok(addresses[0]),
                Err(CallError::Failed(error)) => Err(error.kind()),
                Err(other) => panic!("{other}"),
            })
            .collect();
        let (other, not_found) = (std::io::ErrorKind::Other, std::io::ErrorKind::NotFound);
        assert_eq!(kinds, [Ok(nodes[0].ip()), Err(other), Err(not_found), Ok(nodes[2].ip())], "{form:?}");
    }
}
