//! `for task := 0; task < numTask; task++ { go func() { call(task) }() }`, where each task has a copy of the variable.

use windtunnel::spawn;

async fn call(_task: usize) {}

pub fn schedule(tasks: usize) {
    let mut task = 0;
    while task < tasks {
        spawn(async move { call(task).await });
        task += 1;
    }
}

fn main() {}
