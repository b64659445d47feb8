//! Bugs of the quorum storage (talk 000): its replicas and clients as printed, each delay drawn from the seed.

use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng as _;
use windtunnel::go::{self, Channel};
use windtunnel::sync;
use windtunnel::task::spawn_named;
use windtunnel::time::{Duration, Instant, millis, secs, sleep, timeout};
use windtunnel_model::Builder;
use windtunnel_sim::Sim;
use windtunnel_sim::history::{Recorder, Register, RegisterOp, Ret};

use super::simulated::{simulated, simulation};
use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &WRITE_WAITS_FOR_ALL,
    &READ_WAITS_FOR_ALL,
    &READ_INVERSION,
    &CLOCK_SKEW_LOST_WRITE,
    &TIE_DIVERGENCE,
    &DELAY_UNDER_LOCK,
];

const HISTORY: &str = "history";

/// A value of the one key, with the time and the number of its writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Versioned {
    time: u64,
    writer: u64,
    value: u32,
}

/// Whether a version takes the place of the one that is there.
type Newer = fn(Versioned, Versioned) -> bool;

/// `Time.Before`.
fn by_time(new: Versioned, old: Versioned) -> bool {
    new.time > old.time
}

#[derive(Clone, Default)]
struct Replica(Arc<Mutex<Versioned>>);

impl Replica {
    fn read(&self) -> Versioned {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, new: Versioned, newer: Newer) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newer(new, *own) {
            *own = new;
        }
    }
}

fn replicas(count: usize) -> Vec<Replica> {
    vec![Replica::default(); count].into_iter().map(|_| Replica::default()).collect()
}

/// The times of messages on their way, of writes and of reads, in ms.
const SLOW: u64 = 100;
const FAST: u64 = 20;

async fn on_the_wire(most: u64) {
    sleep(rand_millis(most)).await;
}

fn rand_millis(most: u64) -> Duration {
    millis(windtunnel::rand::rng().random_range(0..most))
}

/// Has `call` done for each of `replicas` in a task of its own, with so many milliseconds each way; the answers.
fn ask_each(
    replicas: &[Replica],
    most: u64,
    call: impl Fn(&Replica) -> Versioned + Clone + Send + 'static,
) -> Channel<Versioned> {
    let answers = go::named("answers", replicas.len());
    for (number, replica) in replicas.iter().cloned().enumerate() {
        let (answers, call) = (answers.clone(), call.clone());
        spawn_named(format!("call {number}"), async move {
            on_the_wire(most).await;
            let answer = call(&replica);
            on_the_wire(most).await;
            answers.send(answer).await.expect("answers is never closed");
        });
    }
    answers
}

/// Writes to all and returns after `quorum` answers.
async fn write(replicas: &[Replica], new: Versioned, newer: Newer, quorum: usize) {
    let answers = ask_each(replicas, SLOW, move |replica| {
        replica.write(new, newer);
        new
    });
    for _ in 0..quorum {
        answers.recv().await;
    }
}

/// The best of the first `quorum` answers, as `better` has it.
async fn read(replicas: &[Replica], quorum: usize, better: Newer) -> Versioned {
    let answers = ask_each(replicas, FAST, Replica::read);
    let mut best = answers.recv().await.expect("answers is never closed");
    for _ in 1..quorum {
        let answer = answers.recv().await.expect("answers is never closed");
        if better(answer, best) {
            best = answer;
        }
    }
    best
}

/// Three calls, the last of which hangs; the operation returns after `answers` of them.
async fn beside_a_hung_replica(operation: &str, answers: usize) {
    let done = go::named("done", 3);
    for replica in 0..3 {
        let done = done.clone();
        spawn_named(format!("call {replica}"), async move {
            if replica == 2 {
                std::future::pending::<()>().await;
            }
            on_the_wire(SLOW).await;
            done.send(true).await.expect("done is never closed");
        });
    }
    let all = async {
        for _ in 0..answers {
            done.recv().await;
        }
    };
    assert!(timeout(secs(60), all).await.is_ok(), "{operation} does not return although a quorum has answered");
}

static WRITE_WAITS_FOR_ALL: Bug = Bug {
    id: "quorum-write-waits-for-all",
    source: "000:1091-1100",
    summary: "The write says that it is committed, and then waits for the other replicas too: one that hangs holds it for ever.",
    mend: "Return at the quorum.",
    check: simulated(
        "quorum-write-waits-for-all",
        "simulation",
        [|_| Box::pin(beside_a_hung_replica("Write", 3)), |_| Box::pin(beside_a_hung_replica("Write", 2))],
        "Write does not return although a quorum has answered",
    ),
};

static READ_WAITS_FOR_ALL: Bug = Bug {
    id: "quorum-read-waits-for-all",
    source: "000:1118-1130",
    summary: "The read has its answer from a quorum, and waits for the other replicas all the same.",
    mend: "Return at the quorum, with the value.",
    check: simulated(
        "quorum-read-waits-for-all",
        "simulation",
        [|_| Box::pin(beside_a_hung_replica("Read", 3)), |_| Box::pin(beside_a_hung_replica("Read", 2))],
        "Read does not return although a quorum has answered",
    ),
};

/// One writer and one reader of three replicas; the reader reads twice.
async fn read_twice_during_a_write(writes_back: bool) {
    let (replicas, log) = (replicas(3), Recorder::new());
    let (written, writing) = (replicas.clone(), log.clone());
    let writer = spawn_named("writer", async move {
        let pending = writing.invoke("writer", RegisterOp::Write(1));
        write(&written, Versioned { time: 1, writer: 1, value: 1 }, by_time, 2).await;
        pending.returned(Ret::Done);
    });
    for _ in 0..2 {
        let pending = log.invoke("reader", RegisterOp::Read);
        let found = read(&replicas, 2, by_time).await;
        if writes_back {
            write(&replicas, found, by_time, 2).await;
        }
        pending.returned(Ret::Value(found.value));
    }
    writer.await.expect("it does not panic");
    log.history().assert_linearizable(&Register(0));
}

/// As much of [`read_twice_during_a_write`] as the bug needs, for a search: a task for each message of the write, on its way for as
/// long as it takes, and two reads, each from a quorum of its own.
async fn read_twice_among_messages(writes_back: bool) {
    let replicas = [(); 3].map(|()| Arc::new(sync::Mutex::new(0)));
    for replica in replicas.clone() {
        spawn_named("write", async move {
            sleep(millis(SLOW)).await;
            *replica.lock().await = 1;
        });
    }
    let mut before = 0;
    for quorum in [&replicas[1..], &replicas[..2]] {
        let mut found = 0;
        for replica in quorum {
            found = found.max(*replica.lock().await);
        }
        if writes_back {
            for replica in quorum {
                let mut value = replica.lock().await;
                *value = found.max(*value);
            }
        }
        assert!(found >= before, "one read finds the new value, and the next one the old");
        before = found;
    }
}

static READ_INVERSION: Bug = Bug {
    id: "quorum-read-inversion",
    source: "000:988-1303",
    summary: "While a write is under way, one read finds the new value and the next read, from other replicas, the old one.",
    mend: "A read writes back what it has found, to a quorum, before it returns.",
    check: Check::Both(
        simulation(
            "quorum-read-inversion",
            HISTORY,
            [|_| Box::pin(read_twice_during_a_write(false)), |_| Box::pin(read_twice_during_a_write(true))],
            "not linearizable",
        ),
        Exhaustive {
            builder: Builder::new,
            buggy: || Box::pin(read_twice_among_messages(false)),
            mended: || Box::pin(read_twice_among_messages(true)),
            expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "the next one the old" },
        },
    ),
};

/// Two writers, one after the other, and then a read; the clock of the second is behind by up to twenty milliseconds.
async fn writers_with_clocks(from_a_quorum: bool) {
    let (replicas, log, began) = (replicas(1), Recorder::new(), Instant::now());
    for (writer, behind) in [(1, Duration::ZERO), (2, rand_millis(20))] {
        sleep(millis(10)).await;
        let clock = (millis(1000) + began.elapsed()).saturating_sub(behind);
        let seen = if from_a_quorum { Some(replicas[0].read().time) } else { None };
        let time = seen.map_or(u64::try_from(clock.as_millis()).expect("a small number"), |seen| seen + 1);
        let value = u32::try_from(writer).expect("a small number");
        let pending = log.invoke(format!("writer {writer}"), RegisterOp::Write(value));
        replicas[0].write(Versioned { time, writer, value }, by_time);
        pending.returned(Ret::Done);
    }
    let pending = log.invoke("reader", RegisterOp::Read);
    pending.returned(Ret::Value(replicas[0].read().value));
    log.history().assert_linearizable(&Register(0));
}

static CLOCK_SKEW_LOST_WRITE: Bug = Bug {
    id: "quorum-clock-skew-lost-write",
    source: "000:1013-1062",
    summary: "The later of two writes comes from a client whose clock is behind: the replicas acknowledge it, and keep the earlier one.",
    mend: "Take the time from a quorum, one more than the greatest there, and not from the client's clock.",
    check: simulated(
        "quorum-clock-skew-lost-write",
        HISTORY,
        [|_| Box::pin(writers_with_clocks(false)), |_| Box::pin(writers_with_clocks(true))],
        "not linearizable",
    ),
};

/// Two writers with the same time; after both, two reads. A replica keeps what is `newer`, a read takes what is `better`.
async fn writers_at_the_same_time(newer: Newer, better: Newer) {
    let (replicas, log) = (replicas(3), Recorder::new());
    let mut writing = Vec::new();
    for writer in [1, 2] {
        let (replicas, log) = (replicas.clone(), log.clone());
        writing.push(spawn_named(format!("writer {writer}"), async move {
            let value = u32::try_from(writer).expect("a small number");
            let pending = log.invoke(format!("writer {writer}"), RegisterOp::Write(value));
            write(&replicas, Versioned { time: 1, writer, value }, newer, 3).await;
            pending.returned(Ret::Done);
        }));
    }
    for writer in writing {
        writer.await.expect("it does not panic");
    }
    for _ in 0..2 {
        let pending = log.invoke("reader", RegisterOp::Read);
        let found = read(&replicas, 2, better).await;
        pending.returned(Ret::Value(found.value));
    }
    log.history().assert_linearizable(&Register(0));
}

static TIE_DIVERGENCE: Bug = Bug {
    id: "quorum-tie-divergence",
    source: "000:1013-1062, 1118-1130",
    summary: "Two writes carry the same time: each replica keeps the one that came first there, and what a read finds changes for ever.",
    mend: "The number of the writer decides between equal times, on the replicas and in the reads.",
    check: simulated(
        "quorum-tie-divergence",
        HISTORY,
        [
            |_| Box::pin(writers_at_the_same_time(by_time, |new, old| new.time >= old.time)),
            |_| Box::pin(writers_at_the_same_time(|new, old| new > old, |new, old| new > old)),
        ],
        "not linearizable",
    ),
};

/// Four requests at once to a replica that takes up to a second for each: with its lock held, or before it takes the lock.
async fn slow_replica(sim: Sim, under_lock: bool) {
    let longest = Arc::new(Mutex::new(Duration::ZERO));
    let seen = Arc::clone(&longest);
    let in_millis = move || {
        let longest = *seen.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(longest.as_millis()).expect("a small number")
    };
    sim.limit("longest request in ms", 1000, in_millis);
    let replica = Arc::new(sync::Mutex::new(0_u64));
    let mut requests = Vec::new();
    for request in 0..4 {
        let (replica, longest, began) = (Arc::clone(&replica), Arc::clone(&longest), Instant::now());
        requests.push(spawn_named(format!("request {request}"), async move {
            let delay = rand_millis(1000);
            if under_lock {
                let mut value = replica.lock().await;
                sleep(delay).await;
                *value += 1;
            } else {
                sleep(delay).await;
                *replica.lock().await += 1;
            }
            let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
            *longest = began.elapsed().max(*longest);
        }));
    }
    for request in requests {
        request.await.expect("it does not panic");
    }
}

static DELAY_UNDER_LOCK: Bug = Bug {
    id: "quorum-delay-under-lock",
    source: "000:1025-1035",
    summary: "A replica waits with its lock held: each request takes the delays of all before it as well.",
    mend: "Wait before the lock is taken.",
    check: simulated(
        "quorum-delay-under-lock",
        "metric bound",
        [|sim| Box::pin(slow_replica(sim, true)), |sim| Box::pin(slow_replica(sim, false))],
        "limit: longest request in ms",
    ),
};
