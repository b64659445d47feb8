//! Bugs of the chat loop (talk 000), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::select;
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&CLOSED_CHANNEL_SPIN, &NO_EXIT];

/// The channels of the chat program; nobody ticks.
struct Chat {
    ui: Channel<char>,
    server: Channel<char>,
    tick: Channel<()>,
    quit: Channel<()>,
}

impl Chat {
    fn new() -> Self {
        Self {
            ui: go::named("ui", 0),
            server: go::named("server", 0),
            tick: go::named("tick", 0),
            quit: go::named("quit", 0),
        }
    }

    /// The loop, mended: a closed server is waited for no more, and there is a way out.
    async fn run(self) {
        let Self { ui, server, tick, quit } = self;
        let mut server = Some(server);
        loop {
            select! {
                _event = ui.recv() => {}
                message = server.as_ref().map(Channel::recv) => if message.is_none() { server = None },
                _ = tick.recv() => {}
                _ = quit.recv() => return,
            }
        }
    }

    /// The server has hung up, and the user has nothing to say.
    fn hung_up() -> Self {
        let chat = Self::new();
        chat.server.close().expect("closed once");
        chat
    }
}

static CLOSED_CHANNEL_SPIN: Bug = Bug {
    id: "chat-closed-channel-spin",
    source: "000:1310-1320",
    summary: "The server hangs up: its closed channel is always ready, and messages that nobody sent are handled, one after another.",
    mend: "Look at whether the channel is closed; if it is, disable its arm.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let chat = Chat::hung_up();
                loop {
                    select! {
                        _event = chat.ui.recv() => {}
                        // Go's receive from a closed channel: the zero value, at once.
                        message = chat.server.recv() => drop(message.unwrap_or_default()),
                        _ = chat.tick.recv() => {}
                    }
                }
            })
        },
        mended: || {
            Box::pin(async {
                let chat = Chat::hung_up();
                let quit = chat.quit.clone();
                spawn_named("chat", chat.run());
                quit.close().expect("closed once");
            })
        },
        expected: Expected { word: "NO PROGRESS", tasks: &[("main", "running")], message: "" },
    }),
};

static NO_EXIT: Bug = Bug {
    id: "chat-no-exit",
    source: "000:1310-1320",
    summary: "The loop has no way out: whoever is done with the chat leaves it behind.",
    mend: "Give the loop one more arm, a channel or context by which it is told to quit.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let Chat { ui, server, tick, .. } = Chat::new();
                let typing = ui.clone();
                spawn_named("chat", async move {
                    loop {
                        select! {
                            _event = ui.recv() => {}
                            _message = server.recv() => {}
                            _ = tick.recv() => {}
                        }
                    }
                });
                typing.send('a').await.expect("nobody closes it");
            })
        },
        mended: || {
            Box::pin(async {
                let chat = Chat::new();
                let (typing, quit) = (chat.ui.clone(), chat.quit.clone());
                spawn_named("chat", chat.run());
                typing.send('a').await.expect("nobody closes it");
                quit.close().expect("closed once");
            })
        },
        expected: Expected {
            word: "LEAK",
            tasks: &[("chat", "select {channel recv (ui), channel recv (server), channel recv (tick)}")],
            message: "",
        },
    }),
};
