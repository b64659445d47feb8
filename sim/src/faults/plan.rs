//! What a fault is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::file::Origin;
use super::units;

/// The faults of a run, and what is left of its workload if that was shrunk. See [the module](super) for its file.
///
/// Its `Display` is a line for each fault, as reports print it.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    /// The scenario that it is for, if it is for one only.
    pub scenario: Option<String>,
    /// The seed that it is for, if it is for one only.
    pub seed: Option<u64>,
    /// The faults, in any order.
    pub faults: Vec<Fault>,
    /// For each call of [`Sim::workload`](crate::Sim::workload), in order, what is left; those beyond the end are whole.
    pub workload: Vec<Kept>,
    pub(crate) origin: Option<Arc<Origin>>,
}

/// What is left of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The operations that are left, by their number from 0.
    pub operations: Vec<usize>,
    /// How each of these was made simpler: `s` for a step of its `ValueTree` to a simpler value, `c` for one back.
    pub steps: Vec<String>,
}

/// One fault: what, from when, until when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Fault {
    /// When it begins, from the start of the run. What lies in the past when the plan is given begins at once.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// When it is undone: a partition heals, a killed node starts again. Without it it lasts.
    #[serde(serialize_with = "some_duration", skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
    /// What it is.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What can go wrong. Nodes are named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Nothing passes between the groups; what is on its way is lost.
    Partition {
        /// One side.
        one: Vec<String>,
        /// The other side.
        other: Vec<String>,
        /// Whether only what goes from `one` to `other` is lost.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        one_way: bool,
    },
    /// Nothing passes over the link; what is on its way is lost.
    Clog {
        /// The node that sends; without it and `to`, every link between different nodes.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The node that receives.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Everything takes longer.
    Latency {
        /// The node that sends; without it and `to`, every link between different nodes.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The node that receives.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// By how much.
        #[serde(with = "units::duration")]
        extra: Duration,
    },
    /// A share of the packets is lost.
    Loss {
        /// The node that sends; without it and `to`, every link between different nodes.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The node that receives.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// From 0 to 1.
        share: f64,
    },
    /// A share of the datagrams comes twice.
    Duplication {
        /// The node that sends; without it and `to`, every link between different nodes.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The node that receives.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// From 0 to 1.
        share: f64,
    },
    /// Bytes queue for a link of this bandwidth.
    Bandwidth {
        /// The node that sends; without it and `to`, every link between different nodes.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The node that receives.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// Bytes.
        bytes_per_second: u64,
    },
    /// The node loses its power, and has it back at the end.
    Kill {
        /// The node.
        node: String,
    },
    /// The node loses its power and has it back as soon as its tasks are dropped.
    Restart {
        /// The node.
        node: String,
    },
    /// No task of the node runs; its machine still answers for it on the network.
    Pause {
        /// The node.
        node: String,
    },
    /// Each poll of a task costs `factor` times [`POLL_COST`](windtunnel::engine::POLL_COST) of simulated time, one poll after
    /// the other.
    Slowness {
        /// The node.
        node: String,
        /// How slow.
        factor: u32,
    },
    /// The node's wall clock gains so many millionths of the time that passes, or loses them. At the end it runs true again,
    /// and keeps what it has gained.
    ClockSkew {
        /// The node.
        node: String,
        /// Millionths.
        ppm: i32,
    },
    /// The node's wall clock is set forward, or back.
    ClockJump {
        /// The node.
        node: String,
        /// How far.
        #[serde(with = "units::duration")]
        by: Duration,
        /// Whether back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        back: bool,
    },
    /// Connections to a port are refused, as if nobody listened there.
    Refuse {
        /// The node.
        node: String,
        /// The port.
        port: u16,
    },
    /// Looking the name up fails, on every node.
    FailLookups {
        /// The name.
        name: String,
    },
}

/// The name of a kind of fault, for [`Strategy::only`](super::Strategy::only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as its fault, which is described there")]
pub enum Kind {
    Partition,
    Clog,
    Latency,
    Loss,
    Duplication,
    Bandwidth,
    Kill,
    Restart,
    Pause,
    Slowness,
    ClockSkew,
    ClockJump,
    Refuse,
    FailLookups,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Partition,
        Self::Clog,
        Self::Latency,
        Self::Loss,
        Self::Duplication,
        Self::Bandwidth,
        Self::Kill,
        Self::Restart,
        Self::Pause,
        Self::Slowness,
        Self::ClockSkew,
        Self::ClockJump,
        Self::Refuse,
        Self::FailLookups,
    ];
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn some_duration<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&units::write(duration.unwrap_or_default()))
}

impl TryFrom<Map<String, Value>> for Fault {
    type Error = String;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, String> {
        let mut moment = |name: &str| match fields.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => units::read(&text).map(Some).map_err(|error| format!("`{name}`: {error}")),
            Some(other) => Err(format!("`{name}` is {other}: write a text, for example \"1500ms\"")),
        };
        let (at, until) = (moment("at")?, moment("until")?);
        let at = at.ok_or("`at` is missing: say when the fault begins, for example \"at\": \"1500ms\"")?;
        let kind = FaultKind::deserialize(Value::Object(fields)).map_err(|error| error.to_string())?;
        Ok(Self { at, until, kind })
    }
}

impl Fault {
    /// Whether it is done as soon as it has begun.
    pub(super) fn is_instant(&self) -> bool {
        matches!(self.kind, FaultKind::Restart { .. } | FaultKind::ClockJump { .. })
    }

    /// What it is, and until when.
    pub(super) fn what(&self) -> String {
        match self.until {
            Some(until) => format!("{} until {:.3} s", self.kind, until.as_secs_f64()),
            None => self.kind.to_string(),
        }
    }

    /// When all that it does is done, but for what is to last.
    pub(super) fn end(&self) -> Duration {
        self.until.unwrap_or(self.at)
    }
}

impl FaultKind {
    /// The links it is on by `from` and `to`, for the kinds that have these.
    pub(super) fn link(&self) -> Option<(Option<&str>, Option<&str>)> {
        match self {
            Self::Clog { from, to }
            | Self::Latency { from, to, .. }
            | Self::Loss { from, to, .. }
            | Self::Duplication { from, to, .. }
            | Self::Bandwidth { from, to, .. } => Some((from.as_deref(), to.as_deref())),
            _ => None,
        }
    }

    /// The nodes it names.
    pub(super) fn nodes(&self) -> Vec<&str> {
        match self {
            Self::Partition { one, other, .. } => one.iter().chain(other).map(String::as_str).collect(),
            Self::Kill { node }
            | Self::Restart { node }
            | Self::Pause { node }
            | Self::Slowness { node, .. }
            | Self::ClockSkew { node, .. }
            | Self::ClockJump { node, .. }
            | Self::Refuse { node, .. } => vec![node],
            Self::FailLookups { .. } => Vec::new(),
            _ => self.link().into_iter().flat_map(|(from, to)| [from, to]).flatten().collect(),
        }
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s {}", self.at.as_secs_f64(), self.what())
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = match self.link() {
            Some((Some(from), Some(to))) => format!("on {from} to {to}"),
            _ => "on every link".into(),
        };
        match self {
            Self::Partition { one, other, one_way } => {
                let sign = if *one_way { "->" } else { "|" };
                write!(f, "partition {{{}}} {sign} {{{}}}", one.join(", "), other.join(", "))
            }
            Self::Clog { .. } => write!(f, "clog {link}"),
            Self::Latency { extra, .. } => write!(f, "latency {link} + {}", units::write(*extra)),
            Self::Loss { share, .. } => write!(f, "loss {link} of {share}"),
            Self::Duplication { share, .. } => write!(f, "duplication {link} of {share}"),
            Self::Bandwidth { bytes_per_second, .. } => write!(f, "bandwidth {link} of {bytes_per_second} bytes/s"),
            Self::Kill { node } => write!(f, "kill {node}"),
            Self::Restart { node } => write!(f, "restart {node}"),
            Self::Pause { node } => write!(f, "pause {node}"),
            Self::Slowness { node, factor } => write!(f, "slow {node} by {factor}"),
            Self::ClockSkew { node, ppm } => write!(f, "skew the clock of {node} by {ppm} ppm"),
            Self::ClockJump { node, by, back } => {
                let direction = if *back { "back" } else { "forward" };
                write!(f, "set the clock of {node} {direction} by {}", units::write(*by))
            }
            Self::Refuse { node, port } => write!(f, "refuse {node}:{port}"),
            Self::FailLookups { name } => write!(f, "fail lookups of {name}"),
        }
    }
}
