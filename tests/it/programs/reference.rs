//! What a program may do: the specification of the primitives, one operation at a time, in one thread.
//!
//! Whoever has to wait queues in order of arrival, and is completed by whoever makes it possible. [`outcomes`] tries every
//! order of the tasks' operations, and every choice of a select.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::program::{Arm, Ask, Op, Outcome, Program, Seen, value};

/// Programs that can be in more states than this are not looked at.
const STATES_MAX: usize = 30_000;

/// Every outcome that `program` may have, or `None` if it has too many states.
pub fn outcomes(program: &Program) -> Option<BTreeSet<Outcome>> {
    let first = State::new(program);
    let (mut found, mut seen, mut open) = (BTreeSet::new(), HashSet::from([first.clone()]), vec![first]);
    while let Some(state) = open.pop() {
        let mut is_last = true;
        for task in 0..program.tasks.len() {
            for next in state.step(program, task) {
                is_last = false;
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        if is_last {
            found.insert(state.seen);
        }
        if seen.len() > STATES_MAX {
            return None;
        }
    }
    Some(found)
}

/// Where a task is in its next operation.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Stage {
    Ready,
    /// In queues, until somebody completes it.
    Waiting,
    /// In queues, and about to be dropped.
    Fickle,
    /// Completed, and about to be dropped all the same.
    Handed(Seen),
}

/// A task that waits in a channel's queue: by which arm, and with what to send.
type Waiter = (usize, Option<usize>, u8);

#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Chan {
    capacity: usize,
    buffer: VecDeque<u8>,
    closed: bool,
    senders: usize,
    receivers: usize,
    sending: VecDeque<Waiter>,
    receiving: VecDeque<Waiter>,
}

/// Who holds what.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Held {
    locked: bool,
    writer: bool,
    readers: usize,
    permits: usize,
    left: usize,
}

impl Held {
    /// Takes what is asked for, if that is possible.
    fn admit(&mut self, ask: Ask) -> bool {
        match ask {
            Ask::Lock if !self.locked => self.locked = true,
            Ask::Read if !self.writer => self.readers += 1,
            Ask::Write if !self.writer && self.readers == 0 => self.writer = true,
            Ask::Permit if self.permits > 0 => self.permits -= 1,
            Ask::Group if self.left == 0 => {}
            _ => return false,
        }
        true
    }

    fn give_back(&mut self, ask: Ask) {
        match ask {
            Ask::Lock => self.locked = false,
            Ask::Read => self.readers -= 1,
            Ask::Write => self.writer = false,
            Ask::Permit => self.permits += 1,
            Ask::Group => {}
        }
    }
}

/// The queue that `ask` waits in.
fn gate(ask: Ask) -> usize {
    match ask {
        Ask::Lock => 0,
        Ask::Read | Ask::Write => 1,
        Ask::Permit => 2,
        Ask::Group => 3,
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    stages: Vec<Stage>,
    seen: Outcome,
    channels: Vec<Chan>,
    held: Held,
    gates: [VecDeque<(usize, Ask)>; 4],
    /// What each task has entered.
    entered: Vec<Vec<Ask>>,
}

impl State {
    fn new(program: &Program) -> Self {
        let tasks = program.tasks.len();
        let channel = |number: usize| {
            let handles = (0..tasks).filter(|task| program.uses(*task, number)).count();
            Chan {
                capacity: program.channels[number].capacity,
                senders: handles,
                receivers: handles,
                ..Chan::default()
            }
        };
        let held = Held { locked: false, writer: false, readers: 0, permits: program.permits, left: program.count() };
        Self {
            stages: vec![Stage::Ready; tasks],
            seen: vec![Vec::new(); tasks],
            channels: (0..program.channels.len()).map(channel).collect(),
            held,
            gates: Default::default(),
            entered: vec![Vec::new(); tasks],
        }
    }

    /// The states that can follow when `task` takes its next step; none if it is blocked or has ended.
    fn step(&self, program: &Program, task: usize) -> Vec<Self> {
        let Some(op) = program.tasks[task].get(self.seen[task].len()) else { return Vec::new() };
        let mut next = self.clone();
        match &self.stages[task] {
            Stage::Waiting => return Vec::new(),
            Stage::Fickle => next.withdraw(task, *op),
            Stage::Handed(seen) => next.hand_back(task, *op, *seen),
            Stage::Ready => {
                if let Op::Select { arms, default } = *op {
                    return self.select(task, arms, default);
                }
                next.perform(task, *op);
            }
        }
        vec![next]
    }

    fn value(&self, task: usize) -> u8 {
        value(task, self.seen[task].len())
    }

    fn perform(&mut self, task: usize, op: Op) {
        let value = self.value(task);
        let seen = match op {
            Op::Send(channel) | Op::TrySend(channel) | Op::BrieflySend(channel) => self.send(channel, value),
            Op::Recv(channel) | Op::TryRecv(channel) | Op::BrieflyRecv(channel) => self.recv(channel),
            Op::Close(channel) if self.channels[channel].closed => Some(Seen::Refused),
            Op::Close(channel) => {
                self.close(channel);
                Some(Seen::Done)
            }
            Op::DropSender(channel) => {
                self.channels[channel].senders -= 1;
                if self.channels[channel].senders == 0 {
                    self.close(channel);
                }
                Some(Seen::Done)
            }
            Op::DropReceiver(channel) => {
                self.channels[channel].receivers -= 1;
                if self.channels[channel].receivers == 0 {
                    self.close(channel);
                    self.channels[channel].buffer.clear();
                }
                Some(Seen::Done)
            }
            Op::Enter(ask) | Op::Briefly(ask) => {
                let enters = self.gates[gate(ask)].is_empty() && self.held.admit(ask);
                enters.then(|| self.enter(task, ask))
            }
            Op::Leave(ask) => {
                if let Some(entered) = self.entered[task].iter().rposition(|it| *it == ask) {
                    self.entered[task].remove(entered);
                    self.held.give_back(ask);
                    self.admit(gate(ask));
                }
                Some(Seen::Done)
            }
            Op::Done => {
                self.held.left -= 1;
                self.admit(gate(Ask::Group));
                Some(Seen::Done)
            }
            Op::Select { .. } => unreachable!("has steps of its own"),
        };
        match (seen, op) {
            (Some(seen), _) => self.seen[task].push(seen),
            (None, Op::TrySend(_) | Op::TryRecv(_)) => self.seen[task].push(Seen::Refused),
            (None, _) => self.wait(task, op, value),
        }
    }

    fn wait(&mut self, task: usize, op: Op, value: u8) {
        match op {
            Op::Send(channel) | Op::BrieflySend(channel) => {
                self.channels[channel].sending.push_back((task, None, value));
            }
            Op::Recv(channel) | Op::BrieflyRecv(channel) => self.channels[channel].receiving.push_back((task, None, 0)),
            Op::Enter(ask) | Op::Briefly(ask) => self.gates[gate(ask)].push_back((task, ask)),
            _ => unreachable!("{op:?} does not wait"),
        }
        let fickle = matches!(op, Op::BrieflySend(_) | Op::BrieflyRecv(_) | Op::Briefly(_));
        self.stages[task] = if fickle { Stage::Fickle } else { Stage::Waiting };
    }

    fn select(&self, task: usize, arms: [Arm; 2], default: bool) -> Vec<Self> {
        let value = self.value(task);
        let mut ways = Vec::new();
        for (number, arm) in arms.into_iter().enumerate() {
            let mut next = self.clone();
            let seen = match arm {
                Arm::Send(channel) => next.send(channel, value),
                Arm::Recv(channel) => next.recv(channel),
                Arm::Never => None,
            };
            if let Some(seen) = seen {
                next.seen[task].push(seen.by_arm(number));
                ways.push(next);
            }
        }
        if ways.is_empty() {
            let mut next = self.clone();
            if default {
                next.seen[task].push(Seen::Default);
            } else {
                for (number, arm) in arms.into_iter().enumerate() {
                    match arm {
                        Arm::Send(it) => next.channels[it].sending.push_back((task, Some(number), value)),
                        Arm::Recv(it) => next.channels[it].receiving.push_back((task, Some(number), 0)),
                        Arm::Never => {}
                    }
                }
                next.stages[task] = Stage::Waiting;
            }
            ways.push(next);
        }
        ways
    }

    /// Sends, if that needs no waiting.
    fn send(&mut self, channel: usize, value: u8) -> Option<Seen> {
        let it = &mut self.channels[channel];
        if it.closed {
            return Some(Seen::Closed);
        }
        if let Some(receiver) = it.receiving.front().copied() {
            self.complete(receiver, Seen::Value(value));
        } else if it.buffer.len() < it.capacity {
            it.buffer.push_back(value);
        } else {
            return None;
        }
        Some(Seen::Done)
    }

    /// Receives, if that needs no waiting; the first blocked sender moves up if there is room. (A value that was given back
    /// may have taken it.)
    fn recv(&mut self, channel: usize) -> Option<Seen> {
        let it = &mut self.channels[channel];
        let received = it.buffer.pop_front();
        let has_room = received.is_none() || it.buffer.len() < it.capacity;
        let Some(sender) = it.sending.front().copied().filter(|_| has_room) else {
            return received.map(Seen::Value).or(it.closed.then_some(Seen::Closed));
        };
        if received.is_some() {
            it.buffer.push_back(sender.2);
        }
        self.complete(sender, Seen::Done);
        Some(Seen::Value(received.unwrap_or(sender.2)))
    }

    fn close(&mut self, channel: usize) {
        self.channels[channel].closed = true;
        while let Some(waiter) = self.channels[channel].receiving.front().or(self.channels[channel].sending.front()) {
            self.complete(*waiter, Seen::Closed);
        }
    }

    /// Takes a task out of every channel's queue, with what it was given.
    fn complete(&mut self, (task, arm, _): Waiter, seen: Seen) {
        self.leave_channels(task);
        self.go_on(task, arm.map_or(seen, |arm| seen.by_arm(arm)));
    }

    fn go_on(&mut self, task: usize, seen: Seen) {
        if self.stages[task] == Stage::Fickle {
            self.stages[task] = Stage::Handed(seen);
        } else {
            self.stages[task] = Stage::Ready;
            self.seen[task].push(seen);
        }
    }

    fn leave_channels(&mut self, task: usize) {
        for channel in &mut self.channels {
            channel.sending.retain(|it| it.0 != task);
            channel.receiving.retain(|it| it.0 != task);
        }
    }

    fn enter(&mut self, task: usize, ask: Ask) -> Seen {
        if ask != Ask::Group {
            self.entered[task].push(ask);
        }
        Seen::Done
    }

    /// Lets those at the head of a gate's queue in, as many as get on with each other.
    fn admit(&mut self, gate: usize) {
        while let Some((task, ask)) = self.gates[gate].front().copied()
            && self.held.admit(ask)
        {
            self.gates[gate].pop_front();
            let seen = if self.stages[task] == Stage::Fickle { Seen::Done } else { self.enter(task, ask) };
            self.go_on(task, seen);
        }
    }

    /// A wait is dropped that nobody has completed.
    fn withdraw(&mut self, task: usize, op: Op) {
        self.leave_channels(task);
        if let Op::Briefly(ask) = op {
            self.gates[gate(ask)].retain(|it| it.0 != task);
            self.admit(gate(ask));
        }
        self.dropped(task);
    }

    /// A wait is dropped that somebody had just completed.
    fn hand_back(&mut self, task: usize, op: Op, seen: Seen) {
        match (op, seen) {
            (Op::BrieflyRecv(channel), Seen::Value(value)) => {
                if let Some(receiver) = self.channels[channel].receiving.front().copied() {
                    self.complete(receiver, Seen::Value(value));
                } else if self.channels[channel].receivers > 0 {
                    self.channels[channel].buffer.push_front(value);
                }
            }
            (Op::Briefly(ask), _) => {
                self.held.give_back(ask);
                self.admit(gate(ask));
            }
            _ => {}
        }
        self.dropped(task);
    }

    fn dropped(&mut self, task: usize) {
        self.stages[task] = Stage::Ready;
        self.seen[task].push(Seen::Dropped);
    }
}
