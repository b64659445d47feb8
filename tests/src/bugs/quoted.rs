//! Bugs of the reader of quoted strings whose state a task holds (talk 002, prologue), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;
use windtunnel_patterns::quoted::{self, Ended, Held, ReadChar, Status};

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] =
    &[&SHADOWED_VARIABLE, &NO_FINAL_STATUS, &EARLY_STOP_LEAK, &CALL_AFTER_DONE, &EOF_UNDEFINED];

/// `if readChar() != '"' { return false }; var c rune; for c != '"' { c := readChar(); … }`, as printed three times. `go vet` and
/// rustc say nothing of it, Clippy does.
#[expect(clippy::while_immutable_condition, reason = "it is the bug")]
fn read_string(mut read_char: impl FnMut() -> char) -> bool {
    if read_char() != '"' {
        return false;
    }
    let c = '\0';
    while c != '"' {
        let c = read_char();
        if c == '\\' {
            read_char();
        }
    }
    true
}

/// Nobody says it in the talk.
static SHADOWED_VARIABLE: Bug = Bug {
    id: "quote-shadowed-variable",
    source: "002:55-57, 106-108, 132-134",
    summary: "Within the loop a second variable `c` hides the one that the loop looks at: it reads on beyond the closing quote.",
    mend: "Assign to the variable that is there: `c = readChar()`.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let mut text = r#""a""#.chars();
                assert!(read_string(|| text.next().expect("the quote is closed, and more is read")));
            })
        },
        mended: || Box::pin(async { assert_eq!(quoted::code(&mut r#""a""#.chars()).await, Status::Success) }),
        expected: Expected {
            word: "PANIC",
            tasks: &[("main", "running")],
            message: "the quote is closed, and more is read",
        },
    }),
};

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

/// `state := 0; for { c := readChar(); switch state { … } }`, where the characters come from a channel and the zero value after
/// its close.
async fn table(char: &Channel<char>) -> bool {
    let mut state = 0;
    loop {
        let c = char.recv().await.unwrap_or_default();
        state = match (state, c) {
            (0, '"') => 1,
            (0, _) => return false,
            (1, '"') => return true,
            (1, '\\') => 2,
            _ => 1,
        };
    }
}

static EOF_UNDEFINED: Bug = Bug {
    id: "quote-eof-undefined",
    source: "002:22-43",
    summary: "The input ends within the string, and there is no character that says so: the reader reads on for ever.",
    mend: "A value for the end of the input, here `None`, and a status for it.",
    check: Check::Exhaustive(Exhaustive {
        builder: || Builder::new().max_steps(1000),
        buggy: || {
            Box::pin(async {
                let char = go::named("char", 2);
                for c in "\"a".chars() {
                    char.send(c).await.expect("not closed yet");
                }
                char.close().expect("closed once");
                table(&char).await;
            })
        },
        mended: || Box::pin(async { assert_eq!(quoted::table(&mut "\"a".chars()).await, Status::NeedMoreInput) }),
        expected: Expected { word: "NO PROGRESS", tasks: &[("main", "running")], message: "" },
    }),
};
