//! `task := task`: each turn of the loop has a variable of its own.
#![deny(unused_variables)]

use windtunnel::go::Channel;
use windtunnel::spawn;

fn call(_server: &str, _task: usize) {}

pub fn schedule(idle: &Channel<&'static str>, tasks: usize) {
    for task in 0..tasks {
        let idle = idle.clone();
        spawn(async move {
            let server = idle.recv().await.expect("idle is never closed");
            call(server, task);
            idle.send(server).await.expect("idle is never closed");
        });
    }
}

fn main() {}
