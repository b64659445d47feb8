//! Every unsafe step of the wait queue and of the task notes, small enough for Miri:
//!
//! ```text
//! cargo +nightly miri test -p windtunnel --no-default-features --test miri
//! MIRIFLAGS=-Zmiri-tree-borrows cargo +nightly miri test -p windtunnel --no-default-features --test miri
//! ```
//!
//! They are ordinary tests as well.

use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::Stream;
use windtunnel::cell::CheckedCell;
use windtunnel::channel::{SendError, TryRecvError};
use windtunnel::sync::{Cause, Context as Cancellation, Mutex};
use windtunnel::task::JoinError;
use windtunnel::{channel, select, spawn, task};

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("tokio starts").block_on(test)
}

/// Polls `future` once, with a waker that wakes nobody.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn blocked_sends_arrive_in_order() {
    run(async {
        for capacity in [0, 1] {
            let (sender, receiver) = channel(capacity);
            let sent: Vec<_> = (0..3)
                .map(|n| {
                    let sender = sender.clone();
                    spawn(async move { sender.send(Box::new(n)).await })
                })
                .collect();
            drop(sender);
            task::yield_now().await;
            for n in 0..3 {
                assert_eq!(receiver.recv().await, Some(Box::new(n)));
            }
            assert_eq!(receiver.recv().await, None);
            for sent in sent {
                assert_eq!(sent.await, Ok(Ok(())));
            }
        }
    });
}

#[test]
fn a_blocked_receive_is_handed_its_value() {
    run(async {
        let (sender, receiver) = channel(0);
        let both = spawn(async move { (receiver.recv().await, receiver.recv().await) });
        task::yield_now().await;
        sender.send(Box::new(1)).await.unwrap();
        drop(sender);
        assert_eq!(both.await, Ok((Some(Box::new(1)), None)));
    });
}

#[test]
fn a_cancelled_send_leaves_the_queue() {
    let (sender, receiver) = channel(0);
    {
        let mut first = pin!(sender.send(Box::new(1)));
        assert!(poll_once(first.as_mut()).is_pending());
        let mut middle = Box::pin(sender.send(Box::new(2)));
        assert!(poll_once(middle.as_mut()).is_pending());
        let mut last = pin!(sender.send(Box::new(3)));
        assert!(poll_once(last.as_mut()).is_pending());
        drop(middle);
        assert_eq!(receiver.try_recv(), Ok(Box::new(1)));
        assert_eq!(receiver.try_recv(), Ok(Box::new(3)));
        assert_eq!(poll_once(first), Poll::Ready(Ok(())));
        assert_eq!(poll_once(last), Poll::Ready(Ok(())));
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_cancelled_receive_passes_its_value_on() {
    let (sender, receiver) = channel(0);
    let mut first = Box::pin(receiver.recv());
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(receiver.recv());
    assert!(poll_once(second.as_mut()).is_pending());
    sender.try_send(Box::new(1)).unwrap();
    drop(first);
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Some(Box::new(1))));
    let mut third = Box::pin(receiver.recv());
    assert!(poll_once(third.as_mut()).is_pending());
    sender.try_send(Box::new(2)).unwrap();
    drop(third);
    assert_eq!(receiver.try_recv(), Ok(Box::new(2)));
}

#[test]
fn a_send_that_finds_its_readers_gone_gives_the_value_back() {
    let (sender, receiver) = channel(0);
    let mut send = pin!(sender.send(Box::new(1)));
    assert!(poll_once(send.as_mut()).is_pending());
    drop(receiver);
    assert_eq!(poll_once(send), Poll::Ready(Err(SendError(Box::new(1)))));
}

#[test]
fn a_select_commits_one_arm_and_leaves_the_other_queues() {
    run(async {
        let (left, from_left) = channel(0);
        let (right, from_right) = channel(0);
        let selecting = spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..3 {
                select! {
                    n = from_left.recv() => seen.extend(n),
                    n = from_right.recv() => seen.extend(n),
                    () = std::future::pending::<()>() => unreachable!("never ready"),
                }
                task::yield_now().await;
            }
            seen
        });
        task::yield_now().await;
        left.send(Box::new(1)).await.unwrap();
        right.send(Box::new(2)).await.unwrap();
        left.send(Box::new(3)).await.unwrap();
        assert_eq!(selecting.await, Ok(vec![Box::new(1), Box::new(2), Box::new(3)]));
    });
}

#[test]
fn a_dropped_select_leaves_every_queue() {
    let (left, from_left) = channel::<Box<u8>>(0);
    let (right, from_right) = channel::<Box<u8>>(0);
    {
        let mut selecting = Box::pin(async {
            select! {
                n = from_left.recv() => n,
                n = from_right.recv() => n,
            }
        });
        assert!(poll_once(selecting.as_mut()).is_pending());
    }
    assert!(left.try_send(Box::new(1)).is_err());
    assert!(right.try_send(Box::new(1)).is_err());
}

#[test]
fn a_mutex_passes_from_task_to_task() {
    run(async {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let held = mutex.lock().await;
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let mutex = Arc::clone(&mutex);
                spawn(async move { mutex.lock().await.push(n) })
            })
            .collect();
        task::yield_now().await;
        let mut cancelled = Box::pin(mutex.lock());
        assert!(poll_once(cancelled.as_mut()).is_pending());
        drop(held);
        drop(cancelled);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*mutex.lock().await, [0, 1, 2]);
    });
}

#[test]
fn a_cancellation_finds_those_who_still_wait() {
    let root = Cancellation::new();
    let child = root.child();
    let mut first = pin!(child.cancelled());
    assert!(poll_once(first.as_mut()).is_pending());
    let mut middle = Box::pin(child.cancelled());
    assert!(poll_once(middle.as_mut()).is_pending());
    let mut last = pin!(child.cancelled());
    assert!(poll_once(last.as_mut()).is_pending());
    drop((middle, child));
    let waiting = thread::spawn({
        let cancelled = root.cancelled();
        || run(cancelled)
    });
    root.cancel_because(String::from("over"));
    let cause = Cause::Because("over".into());
    assert_eq!((poll_once(first), poll_once(last)), (Poll::Ready(cause.clone()), Poll::Ready(cause.clone())));
    assert_eq!(waiting.join().unwrap(), cause);
}

/// From another thread, before, while and after the task waits for the first time.
#[test]
fn an_aborted_task_leaves_its_queue() {
    for rounds in 0..4 {
        run(async {
            let (sender, receiver) = channel::<Box<u8>>(0);
            let waiting = spawn(async move { receiver.recv().await });
            let abort = waiting.abort_handle();
            let aborting = thread::spawn(move || abort.abort());
            for _ in 0..rounds {
                task::yield_now().await;
            }
            assert_eq!(waiting.await, Err(JoinError::Cancelled));
            assert_eq!(sender.send(Box::new(1)).await, Err(SendError(Box::new(1))));
            aborting.join().unwrap();
        });
    }
}

/// A stream uses one operation, in place, again and again; dropped while it waits, it leaves the queue.
#[test]
fn a_stream_waits_in_place() {
    let (sender, receiver) = channel(1);
    let mut stream = Box::pin(receiver.clone().into_stream());
    let mut next = || stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
    for n in 0..3 {
        assert!(next().is_pending());
        sender.try_send(Box::new(n)).unwrap();
        assert_eq!(next(), Poll::Ready(Some(Box::new(n))));
    }
    assert!(next().is_pending());
    sender.try_send(Box::new(3)).unwrap();
    drop(stream);
    assert_eq!(receiver.try_recv(), Ok(Box::new(3)), "it was handed this one and gave it back");
}

/// Threads and closures that come to one cell at once: whoever gets in has it alone, or with readers only.
#[test]
fn a_checked_cell_refuses_what_would_be_undefined() {
    let refused = |access: &dyn Fn()| panic::catch_unwind(AssertUnwindSafe(access)).is_err();
    let cell = Arc::new(CheckedCell::new(vec![1]));
    assert_eq!(cell.with(|outer| cell.with(|inner| outer.len() + inner.len())), 2);
    cell.with(|outer| {
        assert!(refused(&|| cell.set(Vec::new())));
        assert_eq!(*outer, [1]);
    });
    cell.with_mut(|outer| {
        assert!(refused(&|| assert_eq!(cell.with(Vec::len), 0)) && refused(&|| cell.with_mut(Vec::clear)));
        outer.push(2);
    });
    let threads = [(); 2].map(|()| {
        let cell = Arc::clone(&cell);
        thread::spawn(move || (0..10).filter(|_| !refused(&|| cell.with_mut(|value| value.push(3)))).count())
    });
    let pushed: usize = threads.map(|thread| thread.join().unwrap()).iter().sum();
    assert_eq!(Arc::into_inner(cell).unwrap().into_inner().len(), 2 + pushed);
}

/// Two threads on the lock, the signal and the slot.
#[test]
fn values_cross_threads() {
    let (sender, receiver) = channel(0);
    let receiving = thread::spawn(move || run(async move { (receiver.recv().await, receiver.recv().await) }));
    run(async move {
        sender.send(Box::new(1)).await.unwrap();
        sender.send(Box::new(2)).await.unwrap();
    });
    assert_eq!(receiving.join().unwrap(), (Some(Box::new(1)), Some(Box::new(2))));
}

/// A task that blocks here and there while another thread looks: the dump sees one place or the other.
#[test]
fn a_dump_meanwhile_sees_whole_operations() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let dumping = thread::spawn(|| {
        while !DONE.load(Ordering::Relaxed) {
            for group in task::dump().groups {
                for task in group.tasks.iter().filter(|task| task.name.as_deref() == Some("two places")) {
                    let expected = match task.at.map(std::panic::Location::file) {
                        None => ["running", "foreign"].contains(&task.wait.as_str()),
                        Some(_) => {
                            ["channel recv (here)", "channel recv (there)", "yield"].contains(&task.wait.as_str())
                        }
                    };
                    assert!(expected, "{task:?}");
                }
            }
        }
    });
    run(async {
        let (here, first) = windtunnel::channel::named("here", 0);
        let (there, second) = windtunnel::channel::named("there", 0);
        let task = task::spawn_named("two places", async move {
            while let (Some(()), Some(())) = (first.recv().await, second.recv().await) {
                task::yield_now().await;
            }
        });
        for _ in 0..5 {
            here.send(()).await.unwrap();
            there.send(()).await.unwrap();
        }
        drop((here, there));
        task.await.unwrap();
    });
    DONE.store(true, Ordering::Relaxed);
    dumping.join().unwrap();
}
