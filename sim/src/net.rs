//! What a scenario does to the network of its cluster. How that behaves is said in [`windtunnel::engine::net`].

use std::time::Duration;

pub use windtunnel::engine::net::{Change, Event, EventKind, Fate, LinkConditions, Recording, TcpOptions};

use crate::faults::{Deed, FaultKind};
use crate::world::{Node, Sim};

/// The network. What these methods change is a fault, and reports list it.
impl Sim {
    /// The conditions of the link from `from` to `to`, one way.
    pub fn link(&self, from: &Node, to: &Node) -> LinkConditions {
        self.network().link(from.host(), to.host())
    }

    /// Sets the conditions of the link from `from` to `to`, one way. What stays within a node meets none.
    pub fn set_link(&self, from: &Node, to: &Node, conditions: LinkConditions) {
        let (one, other) = (from.name().into(), to.name().into());
        self.record(Deed::SetLink { from: one, to: other, conditions: conditions.clone() });
        self.network().set_link(from.host(), to.host(), conditions);
    }

    /// Sets the conditions of every link, those of nodes still to come included.
    pub fn set_every_link(&self, conditions: &LinkConditions) {
        self.record(Deed::SetEveryLink(conditions.clone()));
        self.network().set_every_link(conditions);
    }

    /// Cuts every link between a node of `one` and a node of `other`, both ways, until [`heal`](Self::heal). What is on its way
    /// is lost.
    pub fn partition(&self, one: &[&Node], other: &[&Node]) {
        self.record(partition(one, other, false));
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Cuts every link from a node of `from` to a node of `to`, this way only, until [`heal`](Self::heal).
    pub fn partition_one_way(&self, from: &[&Node], to: &[&Node]) {
        self.record(partition(from, to, true));
        self.cut(from, to);
    }

    fn cut(&self, from: &[&Node], to: &[&Node]) {
        for a in from {
            for b in to {
                self.network().set_link(a.host(), b.host(), LinkConditions { clogged: true, ..self.link(a, b) });
            }
        }
    }

    /// Mends every cut link.
    pub fn heal(&self) {
        self.record(Deed::Healed);
        self.network().unclog_every_link();
    }

    /// Adds `delay` to whatever goes from `from` to `to`, this way only; zero takes it away.
    pub fn slow_link(&self, from: &Node, to: &Node, delay: Duration) {
        self.record(Deed::SlowedLink { from: from.name().into(), to: to.name().into(), by: delay });
        let conditions = LinkConditions { extra_latency: delay, ..self.link(from, to) };
        self.network().set_link(from.host(), to.host(), conditions);
    }

    /// Has connections to `port` of `node` refused, as if nobody listened there, until [`admit`](Self::admit).
    pub fn refuse(&self, node: &Node, port: u16) {
        self.record(Deed::Did(FaultKind::Refuse { node: node.name().into(), port }));
        self.network().refuse(node.host(), port, true);
    }

    /// Ends a [`refuse`](Self::refuse).
    pub fn admit(&self, node: &Node, port: u16) {
        self.record(Deed::Admitted { node: node.name().into(), port });
        self.network().refuse(node.host(), port, false);
    }

    /// Has lookups of `name` fail on every node, until [`mend_lookups`](Self::mend_lookups).
    pub fn fail_lookups(&self, name: &str) {
        self.record(Deed::Did(FaultKind::FailLookups { name: name.into() }));
        self.network().fail_lookups(name, true);
    }

    /// Ends a [`fail_lookups`](Self::fail_lookups).
    pub fn mend_lookups(&self, name: &str) {
        self.record(Deed::MendedLookups { name: name.into() });
        self.network().fail_lookups(name, false);
    }

    /// Sets how TCP behaves on every node; not a fault. Do so before there are connections.
    pub fn set_tcp(&self, options: TcpOptions) {
        self.network().set_tcp(options);
    }

    /// Keeps every packet from now on for [`network_events`](Self::network_events).
    pub fn record_network(&self) {
        self.network().show_events();
    }

    /// The packets that were sent since [`record_network`](Self::record_network), in order, and what became of each.
    pub fn network_events(&self) -> Vec<Event> {
        self.network().events()
    }
}

fn partition(one: &[&Node], other: &[&Node], one_way: bool) -> Deed {
    let names = |nodes: &[&Node]| nodes.iter().map(|node| node.name().to_owned()).collect();
    Deed::Did(FaultKind::Partition { one: names(one), other: names(other), one_way })
}
