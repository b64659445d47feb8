//! A command of the safe map keeps the map that it is lent.

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

pub async fn escape(sm: Channel<Command>, kept: Channel<&'static mut Map>) {
    let command: Command = Box::new(move |st| kept.try_send(st).expect("there is room"));
    sm.send(command).await.expect("not closed yet");
}

fn main() {}
