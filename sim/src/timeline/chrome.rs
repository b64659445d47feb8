//! The trace event format of Chrome, which Perfetto reads: <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Line, Packet, Timeline};

/// The process of what no node does: faults, and the simulator.
const SIMULATOR: usize = 0;
/// The thread of a node's packets.
const NETWORK: usize = 0;

impl Timeline {
    /// The timeline in the trace event format: nodes are processes, tasks are threads; a line of the trace is an instant, and
    /// what a task is blocked in a slice until its next line; a packet is a slice at each end and a flow between them.
    pub fn to_chrome_trace(&self) -> String {
        let mut threads = Threads::default();
        let mut events = vec![name_of("process_name", SIMULATOR, NETWORK, "simulator")];
        for (node, name) in self.nodes.iter().enumerate() {
            events.push(name_of("process_name", process(Some(node)), NETWORK, name));
            events.push(name_of("thread_name", process(Some(node)), NETWORK, "network"));
        }
        events.extend(self.lines.iter().map(|line| threads.instant(line, &self.tasks)));
        events.extend(self.blocks(&threads));
        events.append(&mut threads.names);
        events.extend(self.packets.iter().flat_map(|packet| self.flow(packet)));
        events.extend(self.faults.iter().map(|fault| instant(&fault.text, fault.at, "fault")));
        events.extend(self.failure.iter().map(|failure| instant(&failure.text, self.end, "failure")));
        let other = json!({ "scenario": self.name, "seed": self.seed.to_string() });
        json!({ "displayTimeUnit": "ns", "otherData": other, "traceEvents": events }).to_string()
    }

    /// From each line that says that its task blocks to the task's next line, or the end.
    fn blocks<'a>(&'a self, threads: &'a Threads) -> impl Iterator<Item = Value> + 'a {
        let mut next = HashMap::new();
        let until = |line: &Line| next.insert((line.node, line.task), line.at).unwrap_or(self.end);
        let mut ends: Vec<u64> = self.lines.iter().rev().map(until).collect();
        ends.reverse();
        self.lines.iter().zip(ends).filter_map(|(line, end)| {
            let what = line.text.strip_prefix("blocks in ")?;
            let (pid, tid) = (process(line.node), threads.ids[&(line.node, line.task)]);
            Some(slice(what, "blocked", pid, tid, line.at, end - line.at))
        })
    }

    fn flow(&self, packet: &Packet) -> Vec<Value> {
        let Packet { id, kind, from, to, bytes, sent, end, lost } = packet;
        let (sender, receiver) = (process(Some(*from)), process(Some(*to)));
        let fate = if *lost { ", lost" } else { "" };
        let what = format!("{kind} of {bytes} to {}{fate}", self.nodes[*to]);
        let mut events = vec![slice(&what, "packet", sender, NETWORK, *sent, 1)];
        if let (Some(end), false) = (end, lost) {
            let what = format!("{kind} of {bytes} from {}", self.nodes[*from]);
            let step = |phase, pid, at| json!({ "name": kind, "cat": "packet", "ph": phase, "bp": "e", "id": id, "pid": pid, "tid": NETWORK, "ts": micros(at) });
            events.push(slice(&what, "packet", receiver, NETWORK, *end, 1));
            events.extend([step("s", sender, *sent), step("f", receiver, *end)]);
        }
        events
    }
}

/// The numbers of the threads, from 1, and the events that name them.
#[derive(Default)]
struct Threads {
    ids: HashMap<(Option<usize>, usize), usize>,
    names: Vec<Value>,
}

impl Threads {
    fn instant(&mut self, line: &Line, labels: &[String]) -> Value {
        let (pid, next) = (process(line.node), self.ids.len() + 1);
        let tid = *self.ids.entry((line.node, line.task)).or_insert_with(|| {
            self.names.push(name_of("thread_name", pid, next, &labels[line.task]));
            next
        });
        json!({ "name": line.text, "cat": "trace", "ph": "i", "s": "t", "pid": pid, "tid": tid, "ts": micros(line.at) })
    }
}

fn process(node: Option<usize>) -> usize {
    node.map_or(SIMULATOR, |node| node + 1)
}

#[expect(clippy::cast_precision_loss, reason = "an hour of nanoseconds fits")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

fn name_of(what: &str, pid: usize, tid: usize, name: &str) -> Value {
    json!({ "name": what, "ph": "M", "pid": pid, "tid": tid, "args": { "name": name } })
}

fn slice(name: &str, category: &str, pid: usize, tid: usize, at: u64, nanos: u64) -> Value {
    json!({ "name": name, "cat": category, "ph": "X", "pid": pid, "tid": tid, "ts": micros(at), "dur": micros(nanos) })
}

/// Something that concerns everyone.
fn instant(name: &str, at: u64, category: &str) -> Value {
    json!({ "name": name, "cat": category, "ph": "i", "s": "g", "pid": SIMULATOR, "tid": NETWORK, "ts": micros(at) })
}
