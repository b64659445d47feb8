//! A command of the safe map keeps a copy of what is in the map.

use std::collections::HashMap;

use windtunnel::go::Channel;

type Map = HashMap<u8, char>;
type Command = Box<dyn FnOnce(&mut Map) + Send>;

/// `for command := range sm { command(st) }`
pub async fn run(sm: Channel<Command>) {
    let mut st = Map::new();
    while let Some(command) = sm.recv().await {
        command(&mut st);
    }
}

pub async fn copy(sm: Channel<Command>, kept: Channel<Map>) {
    let command: Command = Box::new(move |st| kept.try_send(st.clone()).expect("there is room"));
    sm.send(command).await.expect("not closed yet");
}

fn main() {}
