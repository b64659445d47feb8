//! The simulated cluster: nodes with names and addresses, links between them, and what can go wrong.

use std::fmt;
use std::future::Future;
use std::mem::take;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::task::NodeId;
use rand_chacha::ChaCha8Rng;
use windtunnel::engine::net::{Control, HostId};
use windtunnel::engine::{FAULT_STREAM, Run, generator, now};
use windtunnel::signal::Signal;
use windtunnel::task::JoinHandle;

use crate::faults::{Deed, FaultKind, FaultPlan, FaultRecord, Planned};
use crate::workload::Drawn;

/// The simulated cluster, as the body of a scenario sees it. Clones are the same cluster.
///
/// The body itself runs on a node called `main`, where it can listen and connect as on any other.
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
}

struct Shared {
    run: Run,
    seed: u64,
    madsim: Handle,
    main: Node,
    cluster: Mutex<Cluster>,
}

#[derive(Default)]
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    faults: Vec<FaultRecord>,
    planned: Planned,
    pub(crate) workloads: Vec<Drawn>,
}

/// A node of the cluster. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    inner: Arc<NodeInner>,
}

struct NodeInner {
    id: NodeId,
    host: HostId,
    name: String,
    ip: IpAddr,
    service: Option<Service>,
    /// Where the node was made: the spawn site of its service.
    at: &'static Location<'static>,
}

/// Starts a node's service.
type Service = Box<dyn Fn(Node) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sim(seed {})", self.shared.seed)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} {})", self.inner.name, self.inner.ip)
    }
}

impl Node {
    /// The node's name, as in reports.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The node's address.
    pub fn ip(&self) -> IpAddr {
        self.inner.ip
    }

    pub(crate) fn host(&self) -> HostId {
        self.inner.host
    }

    /// A socket address on this node.
    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.inner.ip, port)
    }
}

impl Sim {
    pub(crate) fn new(run: Run, seed: u64, madsim: &Handle, given: Option<Arc<FaultPlan>>) -> Self {
        let main = create(&run, madsim, "main", 0, None, Location::caller());
        let planned = Planned { given, ..Planned::default() };
        let cluster = Mutex::new(Cluster { nodes: vec![main.clone()], planned, ..Cluster::default() });
        Self { shared: Arc::new(Shared { run, seed, madsim: madsim.clone(), main, cluster }) }
    }

    pub(crate) fn network(&self) -> Control<'_> {
        self.shared.run.network()
    }

    pub(crate) fn run(&self) -> &Run {
        &self.shared.run
    }

    /// Ends the run as a panic with `message` at `at` would.
    pub(crate) fn fail(&self, message: String, at: &Location<'_>) {
        self.run().fail(message, at);
    }

    pub(crate) fn planned<R>(&self, f: impl FnOnce(&mut Planned) -> R) -> R {
        f(&mut self.cluster().planned)
    }

    /// The names of all nodes, the scenario's own first.
    pub(crate) fn node_names(&self) -> Vec<String> {
        self.cluster().nodes.iter().map(|node| node.name().to_owned()).collect()
    }

    /// The node of this name, which is known to exist.
    pub(crate) fn find(&self, name: &str) -> Node {
        let cluster = self.cluster();
        cluster
            .nodes
            .iter()
            .find(|node| node.name() == name)
            .expect("a plan is checked before it is carried out")
            .clone()
    }

    /// Starts a task of the simulator's own, on a node that nothing can befall.
    pub(crate) fn spawn_driver(&self, driver: impl Future<Output = ()> + Send + 'static) -> NodeId {
        let node = self.shared.madsim.create_node().name("simulator").build();
        drop(node.spawn(driver));
        node.id()
    }

    pub(crate) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.shared.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seed of this run.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// The node that the body runs on.
    pub fn main(&self) -> &Node {
        &self.shared.main
    }

    /// The generator from which a scenario draws its faults. It begins anew with each call, so keep it; drawing from it
    /// moves neither the workload's generator nor the network's.
    pub fn fault_rng(&self) -> ChaCha8Rng {
        generator(self.shared.seed, FAULT_STREAM)
    }

    /// A node with an address of its own that runs `service`, from its start and again after each restart.
    ///
    /// # Panics
    /// Beyond 250 nodes, and if there is one of this name: names are looked up.
    #[track_caller]
    pub fn node<F>(&self, name: impl Into<String>, service: impl Fn(Node) -> F + Send + Sync + 'static) -> Node
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.node_at(Location::caller(), &name.into(), Box::new(move |node| Box::pin(service(node))))
    }

    fn node_at(&self, at: &'static Location<'static>, name: &str, service: Service) -> Node {
        let count = self.cluster().nodes.len();
        let node = create(&self.shared.run, &self.shared.madsim, name, count, Some(service), at);
        self.cluster().nodes.push(node.clone());
        self.start(&node);
        node
    }

    /// `count` nodes called `{name}1`, `{name}2` and so on, all of which run `service`.
    #[track_caller]
    pub fn nodes<F>(
        &self,
        name: &str,
        count: usize,
        service: impl Fn(Node) -> F + Send + Sync + Clone + 'static,
    ) -> Vec<Node>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let at = Location::caller();
        let node = |number| {
            let service = service.clone();
            self.node_at(at, &format!("{name}{number}"), Box::new(move |node| Box::pin(service(node))))
        };
        (1..=count).map(node).collect()
    }

    /// Starts a task on `node`; it ends with the node, if that is killed first.
    #[track_caller]
    pub fn spawn_on<F>(&self, node: &Node, name: &str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_at(Location::caller(), node, name, future)
    }

    fn spawn_at<F>(&self, at: &'static Location<'static>, node: &Node, name: &str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = Run::task(name, node.name(), at, future);
        let spawner = self.shared.madsim.get_node(node.inner.id).expect("nodes are never removed");
        drop(spawner.spawn(task));
        handle
    }

    fn start(&self, node: &Node) {
        if let Some(service) = &node.inner.service {
            drop(self.spawn_at(node.inner.at, node, node.name(), service(node.clone())));
        }
    }

    /// Kills `node`, as when a machine loses its power: its tasks are dropped where they stand, and its sockets are gone without
    /// a goodbye. Peers learn of it when the node runs again and answers what they send with a reset, or time out.
    ///
    /// # Panics
    /// For the main node.
    pub fn kill(&self, node: &Node) {
        assert!(node.inner.id != self.main().inner.id, "the main node runs the scenario and cannot be killed");
        self.record(Deed::Did(FaultKind::Kill { node: node.name().into() }));
        self.power_off(node);
    }

    /// Sends `signal` to `node`. If nobody there listens for it, the node is [killed](Self::kill).
    ///
    /// # Panics
    /// If that is so on the main node.
    pub fn signal(&self, node: &Node, signal: Signal) {
        if !self.shared.run.signal(node.name(), signal) {
            self.kill(node);
        }
    }

    pub(crate) fn power_off(&self, node: &Node) {
        self.network().kill(node.inner.host);
        // madsim drops paused tasks under a lock of its own, where their destructors could not do a thing.
        self.pause(node, false);
        self.shared.madsim.kill(node.inner.id);
    }

    /// Whether no task of `node` runs.
    pub(crate) fn pause(&self, node: &Node, paused: bool) {
        if paused { self.shared.madsim.pause(node.inner.id) } else { self.shared.madsim.resume(node.inner.id) }
    }

    /// Starts `node` again, after a kill of what is left of it: its old tasks are gone before the new ones run.
    pub async fn restart(&self, node: &Node) {
        self.kill(node);
        self.dropped(|task_node| task_node == Some(node.name())).await;
        self.record(Deed::Did(FaultKind::Restart { node: node.name().into() }));
        self.boot(node);
    }

    /// Starts a node that has no power.
    pub(crate) async fn power_on(&self, node: &Node) {
        self.dropped(|task_node| task_node == Some(node.name())).await;
        self.boot(node);
    }

    fn boot(&self, node: &Node) {
        self.network().start(node.inner.host);
        self.shared.madsim.restart(node.inner.id);
        self.start(node);
    }

    /// Waits until the tasks of the nodes that `which` names are dropped.
    async fn dropped(&self, which: impl Fn(Option<&str>) -> bool) {
        while self.shared.run.tasks().iter().any(|task| which(task.node.as_deref())) {
            madsim::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Kills every node and waits until their tasks are dropped.
    pub(crate) async fn drain(&self) {
        let nodes = self.cluster().nodes.clone();
        for node in &nodes {
            self.pause(node, false);
            self.shared.madsim.kill(node.inner.id);
        }
        if let Some(driver) = self.planned(|planned| planned.driver) {
            self.shared.madsim.kill(driver);
        }
        // Enough turns for every task to be dropped; what a destructor has spawned goes in the next.
        for _ in 0..10 {
            madsim::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn record(&self, deed: Deed) {
        let record = FaultRecord { at: now(), deed };
        let title = if record.is_end() { "" } else { "fault: " };
        tracing::debug!(target: "windtunnel::fault", "{title}{}", record.deed);
        self.cluster().faults.push(record);
    }

    /// What was done, what was planned, and what was drawn.
    pub(crate) fn facts(&self) -> Facts {
        let mut cluster = self.cluster();
        (take(&mut cluster.faults), take(&mut cluster.planned), take(&mut cluster.workloads))
    }
}

/// See [`Sim::facts`].
pub(crate) type Facts = (Vec<FaultRecord>, Planned, Vec<Drawn>);

/// The node numbered `number`, at 10.0.0.(number + 1).
fn create(
    run: &Run,
    madsim: &Handle,
    name: &str,
    number: usize,
    service: Option<Service>,
    at: &'static Location<'static>,
) -> Node {
    let last = u8::try_from(number + 1).ok().filter(|last| *last <= 251).expect("a simulation has at most 250 nodes");
    let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
    let host = run.network().add_host(name, ip);
    let node = madsim.create_node().name(name).build();
    Node { inner: Arc::new(NodeInner { id: node.id(), host, name: name.into(), ip, service, at }) }
}
