//! Runs a program on the primitives themselves, and notes what each task sees.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use windtunnel::channel::{Receiver, Recv, Send, Sender};
use windtunnel::sync::{Mutex, MutexGuard, Permit, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, WaitGroup};
use windtunnel::task::{JoinHandle, dump, spawn_named};
use windtunnel::time::{Duration, Instant, secs, sleep};
use windtunnel::{channel, go, select};
use windtunnel_model::{Builder, Report};

use super::program::{Arm, Ask, Op, Outcome, Program, Seen, value};

type Log = Arc<std::sync::Mutex<Outcome>>;

/// Runs `program` on one thread of tokio, until nothing moves.
pub fn on_one_thread(program: &Program) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("tokio starts").block_on(to_the_end(program.clone()))
}

/// Runs `program` in a simulation, until nothing moves.
pub fn simulated(program: &Program, seed: u64) -> Outcome {
    let program = program.clone();
    let (outcome, result) = windtunnel_sim::simulate(seed, move |_| to_the_end(program));
    assert!(outcome.cause.is_none(), "{:?}", outcome.cause);
    result.expect("it ended")
}

/// Time passes only when no task can move.
async fn to_the_end(program: Program) -> Outcome {
    let (log, _tasks) = start(&program, "");
    sleep(secs(1)).await;
    log.lock().unwrap().clone()
}

/// Runs `program` on several threads of tokio until it has one of the outcomes `expected` and all its tasks have ended or are
/// blocked; gives another outcome only after a long time.
pub fn on_threads(program: &Program, times: usize, expected: &BTreeSet<Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("tokio starts").block_on(async {
        let mut outcome = Outcome::new();
        for time in 0..times {
            let name = format!("program {program:p} {time} on threads");
            let (log, _tasks) = start(program, &name);
            let start = Instant::now();
            loop {
                let is_blocked = dump().groups.iter().flat_map(|group| &group.tasks).all(|task| {
                    task.name.as_ref() != Some(&name) || !["running", "foreign"].contains(&task.wait.as_str())
                });
                outcome.clone_from(&log.lock().unwrap());
                if is_blocked && expected.contains(&outcome) {
                    break;
                }
                if start.elapsed() > secs(10) {
                    return outcome;
                }
                sleep(Duration::from_micros(100)).await;
            }
        }
        outcome
    })
}

/// The outcomes of `program` in a model, if no task is left blocked; and the report.
pub fn modelled(program: &Program) -> (BTreeSet<Outcome>, Report) {
    let found = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let (program, all) = (program.clone(), Arc::clone(&found));
    let report = Builder::new().max_executions(5_000).check("program", move || {
        let (program, all) = (program.clone(), Arc::clone(&all));
        async move {
            let (log, tasks) = start(&program, "");
            for task in tasks {
                task.await.expect("it ends");
            }
            all.lock().unwrap().insert(log.lock().unwrap().clone());
        }
    });
    let found = std::mem::take(&mut *found.lock().unwrap());
    (found, report)
}

/// A task's handle of a channel.
enum Handle {
    Go(go::Channel<u8>),
    Halves(Option<Sender<u8>>, Option<Receiver<u8>>),
}

impl Handle {
    fn send(&self, value: u8) -> Send<'_, u8> {
        match self {
            Handle::Go(channel) => channel.send(value),
            Handle::Halves(sender, _) => sender.as_ref().expect("dropped last").send(value),
        }
    }

    fn recv(&self) -> Recv<'_, u8> {
        match self {
            Handle::Go(channel) => channel.recv(),
            Handle::Halves(_, receiver) => receiver.as_ref().expect("dropped last").recv(),
        }
    }

    fn try_send(&self, value: u8) -> Seen {
        let sent = match self {
            Handle::Go(channel) => channel.try_send(value),
            Handle::Halves(sender, _) => sender.as_ref().expect("dropped last").try_send(value),
        };
        match sent {
            Ok(()) => Seen::Done,
            Err(channel::TrySendError::Full(_)) => Seen::Refused,
            Err(channel::TrySendError::Closed(_)) => Seen::Closed,
        }
    }

    fn try_recv(&self) -> Seen {
        let received = match self {
            Handle::Go(channel) => channel.try_recv(),
            Handle::Halves(_, receiver) => receiver.as_ref().expect("dropped last").try_recv(),
        };
        match received {
            Ok(value) => Seen::Value(value),
            Err(channel::TryRecvError::Empty) => Seen::Refused,
            Err(channel::TryRecvError::Closed) => Seen::Closed,
        }
    }

    fn close(&self) -> Seen {
        let Handle::Go(channel) = self else { unreachable!("only Go's channels are closed") };
        if channel.close().is_ok() { Seen::Done } else { Seen::Refused }
    }

    fn drop_half(&mut self, is_sender: bool) -> Seen {
        let Handle::Halves(sender, receiver) = self else { unreachable!("only halves are dropped") };
        if is_sender {
            drop(sender.take());
        } else {
            drop(receiver.take());
        }
        Seen::Done
    }
}

/// What the tasks of a program share besides channels.
struct Shared {
    mutex: Mutex<()>,
    rw_lock: RwLock<()>,
    semaphore: Semaphore,
    group: WaitGroup,
}

#[expect(dead_code, reason = "held for their Drop")]
enum Guard<'a> {
    Lock(MutexGuard<'a, ()>),
    Read(RwLockReadGuard<'a, ()>),
    Write(RwLockWriteGuard<'a, ()>),
    Permit(Permit<'a>),
}

impl Shared {
    async fn enter(&self, ask: Ask) -> Option<Guard<'_>> {
        match ask {
            Ask::Lock => Some(Guard::Lock(self.mutex.lock().await)),
            Ask::Read => Some(Guard::Read(self.rw_lock.read().await)),
            Ask::Write => Some(Guard::Write(self.rw_lock.write().await)),
            Ask::Permit => Some(Guard::Permit(self.semaphore.acquire().await.expect("it is open"))),
            Ask::Group => {
                self.group.wait().await;
                None
            }
        }
    }
}

/// Starts the tasks of `program`, under `name`.
fn start(program: &Program, name: &str) -> (Log, Vec<JoinHandle<()>>) {
    let log = Log::new(std::sync::Mutex::new(vec![Vec::new(); program.tasks.len()]));
    let group = WaitGroup::new();
    group.add(program.count());
    let semaphore = Semaphore::new(program.permits);
    let shared = Arc::new(Shared { mutex: Mutex::new(()), rw_lock: RwLock::new(()), semaphore, group });
    let mut handles: Vec<Vec<Option<Handle>>> = program.tasks.iter().map(|_| Vec::new()).collect();
    for (number, kind) in program.channels.iter().enumerate() {
        let (sender, receiver) = channel(kind.capacity);
        let go = go::channel(kind.capacity);
        for (task, handles) in handles.iter_mut().enumerate() {
            handles.push(program.uses(task, number).then(|| {
                if kind.go {
                    Handle::Go(go.clone())
                } else {
                    Handle::Halves(Some(sender.clone()), Some(receiver.clone()))
                }
            }));
        }
    }
    let tasks = program.tasks.iter().zip(handles).enumerate().map(|(task, (ops, handles))| {
        spawn_named(name, perform(task, ops.clone(), handles, Arc::clone(&shared), Arc::clone(&log)))
    });
    let tasks = tasks.collect();
    (log, tasks)
}

async fn perform(task: usize, ops: Vec<Op>, mut handles: Vec<Option<Handle>>, shared: Arc<Shared>, log: Log) {
    let mut guards: Vec<(Ask, Guard<'_>)> = Vec::new();
    for (number, op) in ops.into_iter().enumerate() {
        let value = value(task, number);
        let on = |channel: usize| handles[channel].as_ref().expect("a channel that the task uses");
        let seen = match op {
            Op::Send(it) => sent(on(it).send(value).await),
            Op::Recv(it) => received(on(it).recv().await),
            Op::TrySend(it) => on(it).try_send(value),
            Op::TryRecv(it) => on(it).try_recv(),
            Op::BrieflySend(it) => once(on(it).send(value)).await.map_or(Seen::Dropped, sent),
            Op::BrieflyRecv(it) => once(on(it).recv()).await.map_or(Seen::Dropped, received),
            Op::Select { arms, default } => {
                let sends = arms.map(|arm| if let Arm::Send(it) = arm { Some(on(it).send(value)) } else { None });
                let receives = arms.map(|arm| if let Arm::Recv(it) = arm { Some(on(it).recv()) } else { None });
                let ([send_0, send_1], [recv_0, recv_1]) = (sends, receives);
                if default {
                    select! {
                        it = send_0 => sent(it).by_arm(0),
                        it = send_1 => sent(it).by_arm(1),
                        it = recv_0 => received(it).by_arm(0),
                        it = recv_1 => received(it).by_arm(1),
                        default => Seen::Default,
                    }
                } else {
                    select! {
                        it = send_0 => sent(it).by_arm(0),
                        it = send_1 => sent(it).by_arm(1),
                        it = recv_0 => received(it).by_arm(0),
                        it = recv_1 => received(it).by_arm(1),
                    }
                }
            }
            Op::Close(it) => on(it).close(),
            Op::DropSender(it) | Op::DropReceiver(it) => {
                let handle = handles[it].as_mut().expect("a channel that the task uses");
                handle.drop_half(matches!(op, Op::DropSender(_)))
            }
            Op::Enter(ask) => {
                guards.extend(shared.enter(ask).await.map(|guard| (ask, guard)));
                Seen::Done
            }
            Op::Briefly(ask) => match once(shared.enter(ask)).await {
                Some(guard) => {
                    guards.extend(guard.map(|guard| (ask, guard)));
                    Seen::Done
                }
                None => Seen::Dropped,
            },
            Op::Leave(ask) => {
                if let Some(last) = guards.iter().rposition(|it| it.0 == ask) {
                    drop(guards.remove(last));
                }
                Seen::Done
            }
            Op::Done => {
                shared.group.done();
                Seen::Done
            }
        };
        log.lock().unwrap()[task].push(seen);
    }
}

/// Polls `future` once.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn sent(result: Result<(), channel::SendError<u8>>) -> Seen {
    if result.is_ok() { Seen::Done } else { Seen::Closed }
}

fn received(value: Option<u8>) -> Seen {
    value.map_or(Seen::Closed, Seen::Value)
}
