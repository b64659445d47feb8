//! `task2 := task`, and a body that goes on to read `task`.
#![deny(unused_variables)]

use std::sync::Arc;

use windtunnel::cell::CheckedCell;
use windtunnel::go::Channel;
use windtunnel::spawn;

fn call(_server: &str, _task: usize) {}

/// As in Go, the loop has one variable for all its turns.
pub fn schedule(idle: &Channel<&'static str>, tasks: usize) {
    let task = Arc::new(CheckedCell::named("task", 0));
    while task.get() < tasks {
        let task2 = task.get();
        let (idle, shared) = (idle.clone(), Arc::clone(&task));
        spawn(async move {
            let server = idle.recv().await.expect("idle is never closed");
            call(server, shared.get());
            idle.send(server).await.expect("idle is never closed");
        });
        task.set(task.get() + 1);
    }
}

fn main() {}
