//! Random programs: a few tasks, each a list of operations on the same few objects.

use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use windtunnel::sync::{Condvar, Context, Mutex, RwLock, Semaphore, WaitGroup};
use windtunnel::task::{spawn_named, yield_now};
use windtunnel::{Receiver, Sender, channel, go, rand, select, time};

/// An operation. Channels are numbered 0 and 1.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Send(usize),
    Recv(usize),
    TrySend(usize),
    TryRecv(usize),
    Close(usize),
    Len(usize),
    /// Receives from one channel or sends to the other.
    Select(usize),
    /// The same, with an arm that is `None`.
    SelectNil(usize),
    /// Receives, or yields.
    SelectYield(usize),
    SelectDefault(usize),
    Lock,
    TryLock,
    /// Locks, and sends while it holds the mutex.
    LockAndSend(usize),
    Read,
    Write,
    Acquire,
    AddPermit,
    Done,
    WaitGroup,
    WaitCondition,
    NotifyOne,
    NotifyAll,
    Cancel,
    Cancelled,
    Choose,
    Yield,
    Sleep(u64),
    Now,
    RecvTimeout(usize, u64),
    LockTimeout(u64),
    /// Receives, which is assumed to take less time than this.
    Assume(usize, u64),
    /// The same, for some time at most.
    AssumeTimeout(usize, u64),
    /// Spawns a task that receives, and joins it.
    Join(usize),
    /// Spawns one, and aborts it.
    Abort(usize),
    /// Drops the task's half of a channel that has two.
    DropSender,
    DropReceiver,
    /// Sends and receives there, while the task has its half.
    SendOwned,
    RecvOwned,
    /// Receives from there, or from another one.
    SelectOwned(usize),
    JoinTimeout(usize),
}

#[derive(Clone, Debug)]
pub struct Program {
    pub capacities: [usize; 2],
    pub permits: usize,
    /// Whether the main task joins the others; else it is over at once.
    pub joins: bool,
    pub tasks: Vec<Vec<Op>>,
}

fn op(timed: bool) -> BoxedStrategy<Op> {
    let channel = 0..2_usize;
    let on_channel = prop_oneof![
        Just(Op::Send as fn(usize) -> Op),
        Just(Op::Recv as fn(usize) -> Op),
        Just(Op::Send as fn(usize) -> Op),
        Just(Op::Recv as fn(usize) -> Op),
        Just(Op::TrySend as fn(usize) -> Op),
        Just(Op::TryRecv as fn(usize) -> Op),
        Just(Op::Close as fn(usize) -> Op),
        Just(Op::Len as fn(usize) -> Op),
        Just(Op::Select as fn(usize) -> Op),
        Just(Op::Select as fn(usize) -> Op),
        Just(Op::SelectOwned as fn(usize) -> Op),
        Just(Op::SelectNil as fn(usize) -> Op),
        Just(Op::SelectYield as fn(usize) -> Op),
        Just(Op::SelectDefault as fn(usize) -> Op),
        Just(Op::LockAndSend as fn(usize) -> Op),
        Just(Op::Join as fn(usize) -> Op),
        Just(Op::Abort as fn(usize) -> Op),
    ];
    let on_channel = (on_channel, channel.clone()).prop_map(|(op, channel)| op(channel));
    let other = prop::sample::select(vec![
        Op::Lock,
        Op::Lock,
        Op::TryLock,
        Op::Read,
        Op::Write,
        Op::Acquire,
        Op::AddPermit,
        Op::Done,
        Op::WaitGroup,
        Op::WaitCondition,
        Op::NotifyOne,
        Op::NotifyAll,
        Op::Cancel,
        Op::Cancelled,
        Op::Choose,
        Op::Yield,
        Op::DropSender,
        Op::DropReceiver,
        Op::SendOwned,
        Op::RecvOwned,
    ]);
    if !timed {
        return prop_oneof![on_channel, other].boxed();
    }
    let moment = 1..3_u64;
    prop_oneof![
        3 => on_channel,
        3 => other,
        1 => moment.clone().prop_map(Op::Sleep),
        1 => Just(Op::Now),
        1 => (channel.clone(), moment.clone()).prop_map(|(channel, moment)| Op::RecvTimeout(channel, moment)),
        1 => moment.clone().prop_map(Op::LockTimeout),
        1 => (channel.clone(), moment.clone()).prop_map(|(channel, moment)| Op::Assume(channel, moment)),
        1 => (channel.clone(), moment).prop_map(|(channel, moment)| Op::AssumeTimeout(channel, moment)),
        1 => channel.prop_map(Op::JoinTimeout),
    ]
    .boxed()
}

/// Programs of 2 to `tasks` tasks with 1 to `ops` operations each.
pub fn programs(tasks: usize, ops: usize, timed: bool) -> impl Strategy<Value = Program> {
    let tasks = prop::collection::vec(prop::collection::vec(op(timed), 1..=ops), 2..=tasks);
    let parts = (prop::array::uniform2(0..3_usize), 0..2_usize, any::<bool>(), tasks);
    parts.prop_map(|(capacities, permits, joins, tasks)| Program { capacities, permits, joins, tasks })
}

impl Program {
    /// Whether a task has to do with the channel that has two halves.
    fn owns(&self) -> bool {
        let owned = |op: &Op| {
            matches!(op, Op::DropSender | Op::DropReceiver | Op::SendOwned | Op::RecvOwned | Op::SelectOwned(_))
        };
        self.tasks.iter().flatten().any(owned)
    }

    /// Whether a task lets others run first: to loom that is, until nobody else can run.
    #[allow(dead_code, reason = "not of use to every test")]
    pub fn yields(&self) -> bool {
        self.tasks.iter().flatten().any(|op| matches!(op, Op::Yield | Op::SelectYield(_)))
    }
}

/// What each task saw.
pub type Log = Arc<StdMutex<Vec<String>>>;

pub fn read(log: &Log) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).join(" | ")
}

#[derive(Clone)]
struct Objects {
    channels: [go::Channel<usize>; 2],
    mutex: Arc<Mutex<usize>>,
    lock: Arc<RwLock<usize>>,
    semaphore: Arc<Semaphore>,
    group: Arc<WaitGroup>,
    condition: Arc<Condvar>,
    flagged: Arc<Mutex<bool>>,
    context: Context,
    /// The halves that a task has, until it drops them.
    sender: Option<Sender<usize>>,
    receiver: Option<Receiver<usize>>,
}

const NAMES: [&str; 2] = ["a", "b"];

impl Program {
    /// Runs the program; `log` is emptied at its beginning.
    pub async fn run(self: Arc<Self>, log: Log) {
        *log.lock().unwrap_or_else(PoisonError::into_inner) = vec![String::new(); self.tasks.len()];
        let halves = self.owns().then(|| channel::named("owned", self.capacities[0]));
        let (sender, receiver) = halves.unzip();
        let objects = Objects {
            channels: [0, 1].map(|it| go::named(NAMES[it], self.capacities[it])),
            mutex: Arc::new(Mutex::named("mutex", 0)),
            lock: Arc::new(RwLock::named("rwlock", 0)),
            semaphore: Arc::new(Semaphore::named("semaphore", self.permits)),
            group: Arc::new(WaitGroup::named("group")),
            condition: Arc::new(Condvar::named("condition")),
            flagged: Arc::new(Mutex::named("flagged", false)),
            context: Context::named("context"),
            sender,
            receiver,
        };
        objects.group.add(1);
        let mut handles = Vec::new();
        for task in 0..self.tasks.len() {
            let (program, mut objects, log) = (Arc::clone(&self), objects.clone(), Arc::clone(&log));
            handles.push(spawn_named(format!("t{task}"), async move {
                for (number, op) in program.tasks[task].iter().enumerate() {
                    let seen = objects.perform_owned(*op, task * 10 + number).await;
                    let seen_by_all = &mut log.lock().unwrap_or_else(PoisonError::into_inner);
                    seen_by_all[task] += &(seen + " ");
                }
            }));
        }
        drop(objects);
        if self.joins {
            for handle in handles {
                handle.await.expect("nobody aborts it");
            }
        }
    }
}

impl Objects {
    async fn perform(&self, op: Op, value: usize) -> String {
        let channel = |number: usize| &self.channels[number];
        match op {
            Op::Send(to) => format!("{:?}", channel(to).send(value).await),
            Op::Recv(from) => format!("{:?}", channel(from).recv().await),
            Op::TrySend(to) => format!("{:?}", channel(to).try_send(value)),
            Op::TryRecv(from) => format!("{:?}", channel(from).try_recv()),
            Op::Close(it) => format!("{:?}", channel(it).close()),
            Op::Len(of) => format!("{}", channel(of).len()),
            Op::Select(from) => select! {
                received = channel(from).recv() => format!("{received:?}"),
                sent = channel(1 - from).send(value) => format!("{sent:?}"),
            },
            Op::SelectNil(from) => select! {
                received = channel(from).recv() => format!("{received:?}"),
                sent = None::<windtunnel::channel::Send<'_, usize>> => format!("{sent:?}"),
            },
            Op::SelectYield(from) => select! {
                received = channel(from).recv() => format!("{received:?}"),
                () = yield_now() => "yielded".into(),
            },
            Op::SelectDefault(from) => select! {
                received = channel(from).recv() => format!("{received:?}"),
                sent = channel(1 - from).send(value) => format!("{sent:?}"),
                default => "default".into(),
            },
            Op::Lock => {
                let mut guard = self.mutex.lock().await;
                *guard += 1;
                format!("{}", *guard)
            }
            Op::TryLock => format!("{:?}", self.mutex.try_lock().map(|guard| *guard)),
            Op::LockAndSend(to) => {
                let guard = self.mutex.lock().await;
                format!("{} {:?}", *guard, channel(to).send(value).await)
            }
            Op::Read => {
                let guard = self.lock.read().await;
                format!("{}", *guard)
            }
            Op::Write => {
                *self.lock.write().await += 1;
                String::new()
            }
            Op::Acquire => {
                self.semaphore.acquire().await.expect("never closed").forget();
                String::new()
            }
            Op::AddPermit => {
                self.semaphore.add_permits(1);
                String::new()
            }
            Op::Done => {
                self.group.done();
                String::new()
            }
            Op::WaitGroup => {
                self.group.wait().await;
                "empty".into()
            }
            Op::WaitCondition => {
                let guard = self.flagged.lock().await;
                let guard = self.condition.wait(guard).await;
                format!("{}", *guard)
            }
            Op::NotifyOne => {
                self.condition.notify_one();
                String::new()
            }
            Op::NotifyAll => {
                *self.flagged.lock().await = true;
                self.condition.notify_all();
                String::new()
            }
            Op::Cancel => {
                self.context.cancel();
                String::new()
            }
            Op::Cancelled => {
                self.context.cancelled().await;
                "cancelled".into()
            }
            Op::Choose => format!("{}", rand::choose(2)),
            Op::Yield => {
                yield_now().await;
                String::new()
            }
            _ => self.perform_timed(op).await,
        }
    }

    /// Performs an operation, also one on a half that the task owns.
    async fn perform_owned(&mut self, op: Op, value: usize) -> String {
        match op {
            Op::DropSender => format!("{}", self.sender.take().is_some()),
            Op::DropReceiver => format!("{}", self.receiver.take().is_some()),
            Op::SendOwned => match &self.sender {
                Some(sender) => format!("{:?}", sender.send(value).await),
                None => "no sender".into(),
            },
            Op::RecvOwned => match &self.receiver {
                Some(receiver) => format!("{:?}", receiver.recv().await),
                None => "no receiver".into(),
            },
            Op::SelectOwned(from) => select! {
                received = self.receiver.as_ref().map(Receiver::recv) => format!("owned {received:?}"),
                received = self.channels[from].recv() => format!("{received:?}"),
            },
            _ => self.perform(op, value).await,
        }
    }

    async fn perform_timed(&self, op: Op) -> String {
        let child = |from: usize| {
            let channel = self.channels[from].clone();
            spawn_named("child", async move { channel.recv().await })
        };
        match op {
            Op::Sleep(moment) => {
                time::sleep(Duration::from_secs(moment)).await;
                String::new()
            }
            Op::Now => format!("{:?}", time::Instant::now()),
            Op::RecvTimeout(from, moment) => {
                let limit = Duration::from_secs(moment);
                format!("{:?}", time::timeout(limit, self.channels[from].recv()).await)
            }
            Op::LockTimeout(moment) => {
                let locked = time::timeout(Duration::from_secs(moment), self.mutex.lock()).await;
                format!("{:?}", locked.map(|guard| *guard))
            }
            Op::Assume(from, moment) => format!("{:?}", assumed(moment, self.channels[from].recv()).await),
            Op::AssumeTimeout(from, moment) => {
                let received = assumed(moment, self.channels[from].recv());
                format!("{:?}", time::timeout(Duration::from_secs(1), received).await)
            }
            Op::Join(from) => format!("{:?}", child(from).await),
            Op::JoinTimeout(from) => format!("{:?}", time::timeout(Duration::from_secs(1), child(from)).await),
            Op::Abort(from) => {
                let child = child(from);
                child.abort();
                format!("{:?}", child.await)
            }
            _ => unreachable!("performed by `perform`"),
        }
    }
}

fn assumed<F: Future>(moment: u64, future: F) -> time::AssumeWithin<F> {
    time::assume_within(Duration::from_secs(moment), "it takes less time", future)
}
