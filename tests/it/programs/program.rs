//! Small programs over the primitives: a few tasks, each a list of operations.

use proptest::prelude::*;

/// A channel of a program.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// Whether it follows Go's rules.
    pub go: bool,
    pub capacity: usize,
}

/// What a task can ask of a lock, the semaphore or the wait group. There is one of each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    Lock,
    Read,
    Write,
    Permit,
    Group,
}

/// An arm of a select, on a channel by number.
#[derive(Clone, Copy, Debug)]
pub enum Arm {
    Send(usize),
    Recv(usize),
    /// An arm that is `None`.
    Never,
}

/// An operation; channels by number. What is sent is the operation's own number: see [`value`].
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Send(usize),
    Recv(usize),
    TrySend(usize),
    TryRecv(usize),
    /// Polled once and dropped.
    BrieflySend(usize),
    BrieflyRecv(usize),
    Select {
        arms: [Arm; 2],
        default: bool,
    },
    Close(usize),
    DropSender(usize),
    DropReceiver(usize),
    Enter(Ask),
    /// Polled once; dropped if it has to wait.
    Briefly(Ask),
    /// Gives back one that was entered, if there is one.
    Leave(Ask),
    /// Counts the wait group down.
    Done,
}

/// What an operation sends.
pub fn value(task: usize, op: usize) -> u8 {
    u8::try_from(task * 20 + op).expect("programs are small")
}

/// What an operation gave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Seen {
    Done,
    Value(u8),
    Closed,
    /// Full, empty, or closed before.
    Refused,
    /// Dropped while it waited.
    Dropped,
    /// By its arm, a select was completed.
    Sent(usize),
    Received(usize, u8),
    ArmClosed(usize),
    Default,
}

impl Seen {
    /// As a select sees it, by its arm.
    pub fn by_arm(self, arm: usize) -> Self {
        match self {
            Seen::Value(value) => Seen::Received(arm, value),
            Seen::Closed => Seen::ArmClosed(arm),
            _ => Seen::Sent(arm),
        }
    }
}

/// What every task saw, in order, once nothing moves any more: one that saw less than it has operations is blocked.
pub type Outcome = Vec<Vec<Seen>>;

#[derive(Clone, Debug)]
pub struct Program {
    pub channels: Vec<Channel>,
    pub permits: usize,
    /// The operations of each task; at its end it gives back all that it has.
    pub tasks: Vec<Vec<Op>>,
}

impl Program {
    /// How often `Done` is called: what the wait group counts to.
    pub fn count(&self) -> usize {
        self.tasks.iter().flatten().filter(|op| matches!(op, Op::Done)).count()
    }

    /// Whether `task` has a handle of `channel`.
    pub fn uses(&self, task: usize, channel: usize) -> bool {
        self.tasks[task].iter().any(|op| op.channels().contains(&Some(channel)))
    }

    /// Has every task give back what it may have, as operations.
    fn tidied(mut self) -> Self {
        for task in 0..self.tasks.len() {
            let mut last = Vec::new();
            for op in &self.tasks[task] {
                if let Op::Enter(ask) | Op::Briefly(ask) = *op
                    && ask != Ask::Group
                {
                    last.push(Op::Leave(ask));
                }
            }
            for channel in 0..self.channels.len() {
                if !self.channels[channel].go && self.uses(task, channel) {
                    last.extend([Op::DropSender(channel), Op::DropReceiver(channel)]);
                }
            }
            self.tasks[task].extend(last);
        }
        self
    }
}

impl Op {
    /// The channels it is on.
    fn channels(self) -> [Option<usize>; 2] {
        match self {
            Op::Send(it)
            | Op::Recv(it)
            | Op::TrySend(it)
            | Op::TryRecv(it)
            | Op::BrieflySend(it)
            | Op::BrieflyRecv(it)
            | Op::Close(it)
            | Op::DropSender(it)
            | Op::DropReceiver(it) => [Some(it), None],
            Op::Select { arms, .. } => arms.map(|arm| match arm {
                Arm::Send(it) | Arm::Recv(it) => Some(it),
                Arm::Never => None,
            }),
            Op::Enter(_) | Op::Briefly(_) | Op::Leave(_) | Op::Done => [None, None],
        }
    }
}

fn arms(channels: usize) -> impl Strategy<Value = Arm> {
    prop_oneof![4 => (0..channels).prop_map(Arm::Send), 4 => (0..channels).prop_map(Arm::Recv), 1 => Just(Arm::Never)]
}

fn ops(channels: &[Channel]) -> impl Strategy<Value = Op> + use<> {
    let go: Vec<usize> = (0..channels.len()).filter(|it| channels[*it].go).collect();
    let close =
        if go.is_empty() { Just(Op::Done).boxed() } else { prop::sample::select(go).prop_map(Op::Close).boxed() };
    let one = 0..channels.len();
    let ask = prop::sample::select(vec![Ask::Lock, Ask::Read, Ask::Write, Ask::Permit]);
    prop_oneof![
        3 => one.clone().prop_map(Op::Send),
        3 => one.clone().prop_map(Op::Recv),
        1 => one.clone().prop_map(Op::TrySend),
        1 => one.clone().prop_map(Op::TryRecv),
        1 => one.clone().prop_map(Op::BrieflySend),
        1 => one.prop_map(Op::BrieflyRecv),
        3 => ([arms(channels.len()), arms(channels.len())], any::<bool>())
            .prop_map(|(arms, default)| Op::Select { arms, default }),
        1 => close,
        3 => ask.clone().prop_map(Op::Enter),
        1 => ask.clone().prop_map(Op::Briefly),
        2 => ask.prop_map(Op::Leave),
        1 => Just(Op::Enter(Ask::Group)),
        1 => Just(Op::Done),
    ]
}

/// Programs of at most so many tasks and operations each.
pub fn programs(tasks: usize, operations: usize) -> impl Strategy<Value = Program> {
    let channel = (any::<bool>(), 0..3_usize).prop_map(|(go, capacity)| Channel { go, capacity });
    (prop::collection::vec(channel, 1..3), 0..3_usize).prop_flat_map(move |(channels, permits)| {
        let task = prop::collection::vec(ops(&channels), 1..=operations);
        prop::collection::vec(task, 1..=tasks)
            .prop_map(move |tasks| Program { channels: channels.clone(), permits, tasks }.tidied())
    })
}
