//! Bugs of the reader of quoted strings whose state a task holds (talk 002, prologue), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;
use windtunnel_patterns::quoted::{self, Ended, Held, ReadChar, Status};

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&NO_FINAL_STATUS, &EARLY_STOP_LEAK, &CALL_AFTER_DONE];

/// The reader as printed.
struct QuoteReader {
    char: Channel<char>,
    status: Channel<Status>,
}

impl QuoteReader {
    /// Whether the task says how the string ended is for `says_how_it_ended` to tell: the talk forgets it, and says so.
    async fn init(says_how_it_ended: bool) -> Self {
        let (char, status) = (go::named("char", 0), go::named("status", 0));
        let mut reader = Self { char: char.clone(), status: status.clone() };
        spawn_named("readString", async move {
            let ended = quoted::code(&mut reader).await;
            if says_how_it_ended {
                reader.status.send(ended).await.expect("status is never closed");
            }
        });
        status.recv().await;
        Self { char, status }
    }

    async fn process_char(&self, c: char) -> Option<Status> {
        self.char.send(c).await.expect("char is never closed");
        self.status.recv().await
    }
}

impl ReadChar for QuoteReader {
    async fn read_char(&mut self) -> Option<char> {
        self.status.send(Status::NeedMoreInput).await.expect("status is never closed");
        self.char.recv().await
    }
}

static NO_FINAL_STATUS: Bug = Bug {
    id: "quote-no-final-status",
    source: "002:192-212",
    summary: "The task knows that the input is bad and ends without a word; its owner waits for the status.",
    mend: "Send the final status as well, when the reader returns.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                QuoteReader::init(false).await.process_char('x').await;
            })
        },
        mended: || {
            Box::pin(async {
                assert_eq!(QuoteReader::init(true).await.process_char('x').await, Some(Status::BadInput));
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (status)")], message: "" },
    }),
};

static EARLY_STOP_LEAK: Bug = Bug {
    id: "quote-early-stop-leak",
    source: "003 [13:00]",
    summary: "The owner comes to the end of its input within a string and goes away; the task waits for the next character.",
    mend: "Close the channel of characters when the caller stops early, and end the reader at its close.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                assert_eq!(QuoteReader::init(true).await.process_char('"').await, Some(Status::NeedMoreInput));
            })
        },
        mended: || Box::pin(async { assert_eq!(Held::new().process('"').await, Ok(Status::NeedMoreInput)) }),
        expected: Expected { word: "LEAK", tasks: &[("readString", "channel recv (char)")], message: "" },
    }),
};

static CALL_AFTER_DONE: Bug = Bug {
    id: "quote-call-after-done",
    source: "002:204-207",
    summary: "The string has ended and the task with it; another character waits to be taken by nobody.",
    mend: "Answer a call after the end with an error and not with a wait.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let reader = QuoteReader::init(true).await;
                assert_eq!(reader.process_char('x').await, Some(Status::BadInput));
                reader.process_char('y').await;
            })
        },
        mended: || {
            Box::pin(async {
                let mut reader = Held::new();
                assert_eq!(reader.process('x').await, Ok(Status::BadInput));
                assert_eq!(reader.process('y').await, Err(Ended));
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (char)")], message: "" },
    }),
};
