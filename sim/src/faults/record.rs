//! What was done to a cluster, as it was done.

use std::fmt;
use std::time::Duration;

use super::{Fault, FaultKind};
use crate::net::LinkConditions;

/// Something that was done to a cluster, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRecord {
    /// Simulated time.
    pub at: Duration,
    /// What was done.
    pub deed: Deed,
}

/// What was done to a cluster, by its plan or by the scenario itself. `Display` says it as reports do, for example
/// `partition {n2} | {n1, n3}`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Deed {
    /// A fault of the plan began.
    Began(Fault),
    /// A fault of the plan ended, at the moment that it names. Reports do not list it.
    Ended(Fault),
    /// The scenario did what this fault does.
    Did(FaultKind),
    /// The scenario set a link's conditions.
    SetLink {
        /// The node that sends.
        from: String,
        /// The node that receives.
        to: String,
        /// The conditions.
        conditions: LinkConditions,
    },
    /// The scenario set the conditions of every link.
    SetEveryLink(LinkConditions),
    /// The scenario added a delay to a link.
    SlowedLink {
        /// The node that sends.
        from: String,
        /// The node that receives.
        to: String,
        /// How much.
        by: Duration,
    },
    /// The scenario mended every cut link.
    Healed,
    /// The scenario ended a [`Refuse`](FaultKind::Refuse).
    Admitted {
        /// The node.
        node: String,
        /// The port.
        port: u16,
    },
    /// The scenario ended a [`FailLookups`](FaultKind::FailLookups).
    MendedLookups {
        /// The name.
        name: String,
    },
}

impl FaultRecord {
    /// Whether it is the end of what is in the list already.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.deed, Deed::Ended(_))
    }
}

impl fmt::Display for FaultRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s {}", self.at.as_secs_f64(), self.deed)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(fault) => f.write_str(&fault.what()),
            Self::Ended(fault) => write!(f, "end: {}", fault.kind),
            Self::Did(kind) => kind.fmt(f),
            Self::SetLink { from, to, conditions } => write!(f, "link {from} to {to}: {conditions:?}"),
            Self::SetEveryLink(conditions) => write!(f, "every link: {conditions:?}"),
            Self::SlowedLink { from, to, by } => write!(f, "slow link {from} to {to} by {by:?}"),
            Self::Healed => f.write_str("heal"),
            Self::Admitted { node, port } => write!(f, "admit {node}:{port}"),
            Self::MendedLookups { name } => write!(f, "mend lookups of {name}"),
        }
    }
}
