//! `for task := 0; task < numTask; task++ { go func() { call(task) }() }`, where each task has the loop's own variable.

use windtunnel::spawn;

async fn call(_task: usize) {}

pub fn schedule(tasks: usize) {
    let mut task = 0;
    while task < tasks {
        spawn(async { call(task).await });
        task += 1;
    }
}

fn main() {}
