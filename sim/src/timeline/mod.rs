//! The picture of a run: who sent what to whom and when, what went wrong, and where everyone was at the end.
//!
//! A [`Timeline`] is plain data, drawn from the [`Outcome`] of a traced run. [`to_html`](Timeline::to_html) makes it a page
//! that needs nothing but a browser; [`to_chrome_trace`](Timeline::to_chrome_trace) makes it a file for Perfetto or
//! `chrome://tracing`. Both are the same bytes for the same run.

mod chrome;
mod page;
mod spell;

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use windtunnel::task::TaskState;

use crate::net::{Event, EventKind, Fate};
use crate::{Cause, FaultRecord, Outcome, TraceLine};

pub use spell::{Spell, SpellKind};

/// Packets, and lines, that a timeline has at most: the last ones. A page of as many opens within seconds.
const MOST: usize = 100_000;

/// What happened in a run, for a picture. Times are nanoseconds of simulated time; nodes are indices of `nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The scenario.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// When the run ended.
    pub end: u64,
    /// The names of the nodes, in the order in which they were made.
    pub nodes: Vec<String>,
    /// Why the run failed, if it did.
    pub failure: Option<Failed>,
    /// The faults, as they were done.
    pub faults: Vec<Mark>,
    /// When nodes were dead, paused or otherwise in trouble, and links cut or otherwise not as usual.
    pub spells: Vec<Spell>,
    /// The packets, by the time they were sent.
    pub packets: Vec<Packet>,
    /// The labels of the tasks that `lines` names.
    pub tasks: Vec<String>,
    /// The trace.
    pub lines: Vec<Line>,
    /// Where each task was when the run failed.
    pub blocked: Vec<Blocked>,
    /// Packets and lines that were too many: earlier ones than those here.
    pub left_out: LeftOut,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The message.
    pub text: String,
    /// `file:line` of the panic.
    pub place: Option<String>,
    /// The node of the task that failed.
    pub node: Option<usize>,
    /// The label of that task.
    pub task: Option<String>,
}

/// A fault, as it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    pub at: u64,
    /// What was done.
    pub text: String,
}

/// A packet, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Packet {
    /// Its number in the run, as in the trace.
    pub id: u64,
    /// What it was: an [`EventKind`] by its name.
    pub kind: String,
    /// The node that sent it.
    pub from: usize,
    /// The node that it was for.
    pub to: usize,
    /// Bytes of the user's in it.
    pub bytes: usize,
    /// When it was sent.
    pub sent: u64,
    /// When it arrived or was lost; `None` if it was on its way at the end.
    pub end: Option<u64>,
    /// Whether it was lost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// A line of the trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: u64,
    /// The node of the task; `None` for what the simulator itself does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<usize>,
    /// The task's label, as an index of the timeline's `tasks`.
    pub task: usize,
    /// What was said.
    pub text: String,
    /// The packet that the line is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<u64>,
}

/// Where a task was when the run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Its node.
    pub node: Option<usize>,
    /// Its label.
    pub task: String,
    /// What it waited for.
    pub wait: String,
    /// `file:line` of that.
    pub place: Option<String>,
    /// `file:line` where it was spawned.
    pub spawned: Option<String>,
}

/// What a timeline does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Packets.
    pub packets: usize,
    /// Lines of the trace.
    pub lines: usize,
}

impl Timeline {
    /// The timeline of `outcome`, a traced run of the scenario called `name`.
    pub fn new(name: &str, outcome: &Outcome) -> Self {
        let network = &outcome.network;
        let nodes: Nodes<'_> = network.hosts.iter().enumerate().map(|(index, host)| (&**host, index)).collect();
        let left_out = LeftOut {
            packets: network.packets.len().saturating_sub(MOST),
            lines: outcome.lines.len().saturating_sub(MOST),
        };
        let mut tasks = Labels::default();
        let packets: Vec<Packet> =
            network.packets[left_out.packets..].iter().map(|it| Packet::new(it, &nodes)).collect();
        let line = |line: &TraceLine| Line {
            at: nanos(line.at),
            node: node(&nodes, line.node.as_deref()),
            task: tasks.index(&line.task),
            text: line.text.clone(),
            packet: packet_of(line, &packets),
        };
        let lines = outcome.lines[left_out.lines..].iter().map(line).collect();
        Self {
            name: name.into(),
            seed: outcome.seed,
            end: nanos(outcome.simulated),
            nodes: network.hosts.iter().map(ToString::to_string).collect(),
            failure: outcome.cause.as_ref().map(|cause| Failed::new(cause, outcome, &nodes)),
            faults: outcome.faults.iter().filter(|it| !it.is_end()).map(Mark::new).collect(),
            spells: spell::spells(network, &outcome.faults, &nodes, nanos(outcome.simulated)),
            packets,
            lines,
            tasks: tasks.labels,
            blocked: outcome.tasks.iter().map(|task| Blocked::new(task, &nodes)).collect(),
            left_out,
        }
    }
}

/// The index of each node's name.
type Nodes<'a> = HashMap<&'a str, usize>;

fn node(nodes: &Nodes<'_>, name: Option<&str>) -> Option<usize> {
    name.and_then(|name| nodes.get(name).copied())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a run takes an hour of simulated time at most")
}

/// `file:line`.
fn place(location: &std::panic::Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

/// The packet that a line of the network's own is about, `packet 12 arrives`, if one of that number was sent or ended then.
fn packet_of(line: &TraceLine, packets: &[Packet]) -> Option<u64> {
    let number = line.text.strip_prefix("packet ")?.split([' ', ':']).next()?;
    let id: u64 = number.parse().ok()?;
    let packet = &packets[packets.binary_search_by_key(&id, |packet| packet.id).ok()?];
    let at = nanos(line.at);
    (packet.sent == at || packet.end == Some(at)).then_some(id)
}

/// Labels, each once.
#[derive(Default)]
struct Labels {
    labels: Vec<String>,
    indices: HashMap<String, usize>,
}

impl Labels {
    fn index(&mut self, label: &str) -> usize {
        if let Some(index) = self.indices.get(label) {
            return *index;
        }
        self.indices.insert(label.into(), self.labels.len());
        self.labels.push(label.into());
        self.labels.len() - 1
    }
}

impl Mark {
    fn new(record: &FaultRecord) -> Self {
        Self { at: nanos(record.at), text: record.deed.to_string() }
    }
}

impl Packet {
    fn new(event: &Event, nodes: &Nodes<'_>) -> Self {
        let Event { id, kind, ref from, ref to, bytes, sent, fate } = *event;
        let (end, lost) = match fate {
            Fate::OnItsWay => (None, false),
            Fate::Arrived(at) => (Some(nanos(at)), false),
            Fate::Lost(at) => (Some(nanos(at)), true),
        };
        Self {
            id,
            kind: EventKind::to_string(&kind),
            from: nodes[&**from],
            to: nodes[&**to],
            bytes,
            sent: nanos(sent),
            end,
            lost,
        }
    }
}

impl Failed {
    fn new(cause: &Cause, outcome: &Outcome, nodes: &Nodes<'_>) -> Self {
        let task = outcome.tasks.iter().find(|task| Some(task.id) == outcome.failed_task);
        let place = match cause {
            Cause::Panic { at, .. } => Some(at.clone()),
            Cause::Deadlock | Cause::TimeLimit | Cause::Stuck(_) => None,
        };
        Self {
            text: cause.to_string(),
            place,
            node: task.and_then(|task| node(nodes, task.node.as_deref())),
            task: task.map(TaskState::label),
        }
    }
}

impl Blocked {
    fn new(task: &TaskState, nodes: &Nodes<'_>) -> Self {
        Self {
            node: node(nodes, task.node.as_deref()),
            task: task.label(),
            wait: task.wait.clone(),
            place: task.at.map(place),
            spawned: task.spawned_at.map(place),
        }
    }
}
