//! A reader of quoted strings in four forms, which differ in where they keep their state.
//!
//! After the prologue of Russ Cox's MIT 6.824 lecture on Go (002:15-212, census A5): as data ([`table`]), as a place in the code
//! ([`code`]), and, for a caller who has the characters and brings them one by one, as data again ([`Push`]) or as a place in the
//! code of a task ([`Held`]). Each reads what the regular expression `"([^"\\]|\\.)*"` matches, where `.` is any character, and
//! takes nothing after the closing quote.
//!
//! ```
//! use windtunnel_patterns::quoted::{self, Held, Status};
//!
//! async fn read() {
//!     let mut text = r#""two\" words" and more"#.chars();
//!     assert_eq!(quoted::code(&mut text).await, Status::Success);
//!     assert_eq!(text.as_str(), " and more");
//!
//!     let mut reader = Held::new();
//!     assert_eq!(reader.process('"').await, Ok(Status::NeedMoreInput));
//!     assert_eq!(reader.process('"').await, Ok(Status::Success));
//! }
//! ```
//!
//! # Contract
//!
//! - *Equality.* On the same characters the four come to the same status after each one, and take as many.
//! - *The end of the input* is [`Status::NeedMoreInput`]: what was read may be the beginning of a string. (The talk leaves it open.)
//! - *When each communication proceeds.* The task of a [`Held`] and its owner take turns, one character and one status at a
//!   time; nobody else talks to either.
//! - *When the task exits.* Once it has said [`Status::Success`] or [`Status::BadInput`]; or when its [`Held`] is dropped, wherever
//!   it stands.

use std::collections::VecDeque;
use std::future::Future;

use windtunnel::task::spawn_named;
use windtunnel::{Receiver, Sender, channel};

/// What a reader makes of the characters so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// They may be the beginning of a quoted string.
    NeedMoreInput,
    /// They are a quoted string, and the last one closes it.
    Success,
    /// No quoted string begins with them.
    BadInput,
}

/// A character for a reader that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quoted string has ended: read the next one with a new reader")]
pub struct Ended;

/// Where the characters come from, for a reader that takes them: any iterator, or what has to wait for them.
pub trait ReadChar {
    /// The next character; `None` at the end of the input.
    fn read_char(&mut self) -> impl Future<Output = Option<char>> + Send;
}

impl<I: Iterator<Item = char> + Send> ReadChar for I {
    async fn read_char(&mut self) -> Option<char> {
        self.next()
    }
}

/// How much of a string was read, as data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Within,
    Escaped,
}

impl State {
    /// The status after `c`, and the state unless the string has ended.
    fn after(self, c: char) -> Result<State, Status> {
        match (self, c) {
            (State::Start, '"') => Ok(State::Within),
            (State::Start, _) => Err(Status::BadInput),
            (State::Within, '"') => Err(Status::Success),
            (State::Within, '\\') => Ok(State::Escaped),
            (State::Within | State::Escaped, _) => Ok(State::Within),
        }
    }
}

/// Reads a quoted string, its state a variable (census A5.1).
///
/// # Cancel safety
/// What was read is forgotten.
pub async fn table(input: &mut impl ReadChar) -> Status {
    let mut state = State::Start;
    while let Some(c) = input.read_char().await {
        match state.after(c) {
            Ok(next) => state = next,
            Err(status) => return status,
        }
    }
    Status::NeedMoreInput
}

/// Reads a quoted string, its state the place in the code (census A5.4).
///
/// # Cancel safety
/// What was read is forgotten.
pub async fn code(input: &mut impl ReadChar) -> Status {
    ended(input).await.unwrap_or(Status::NeedMoreInput)
}

/// How the string ended; `None` if the input did so first.
async fn ended(input: &mut impl ReadChar) -> Option<Status> {
    if input.read_char().await? != '"' {
        return Some(Status::BadInput);
    }
    loop {
        match input.read_char().await? {
            '"' => return Some(Status::Success),
            '\\' => drop(input.read_char().await?),
            _ => {}
        }
    }
}

/// A reader that is given one character at a time, its state a field (census A5.5).
#[derive(Clone, Debug, Default)]
pub struct Push {
    state: State,
    ended: bool,
}

impl Push {
    /// A reader before the first character.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `c`.
    ///
    /// # Errors
    /// [`Ended`] after [`Status::Success`] or [`Status::BadInput`].
    pub fn process(&mut self, c: char) -> Result<Status, Ended> {
        if self.ended {
            return Err(Ended);
        }
        Ok(match self.state.after(c) {
            Ok(next) => {
                self.state = next;
                Status::NeedMoreInput
            }
            Err(status) => {
                self.ended = true;
                status
            }
        })
    }
}

/// A reader that is given one character at a time, its state the place in the code of a task (census A5.6). Dropping it ends the
/// task.
#[derive(Debug)]
pub struct Held {
    chars: Sender<char>,
    statuses: Receiver<Status>,
    /// Whether the task has a character whose status was not received.
    owed: bool,
    /// The characters that the task has not yet: that of the call under way, behind those of calls that were dropped.
    given: VecDeque<char>,
}

impl Held {
    /// Starts a task that reads.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    #[expect(clippy::new_without_default, reason = "it starts a task")]
    pub fn new() -> Self {
        // One character and its status are all there ever is, so neither side waits for room.
        let (chars, to_read) = channel::named("chars", 1);
        let (said, statuses) = channel::named("statuses", 1);
        spawn_named("quoted string", hold(to_read, said));
        Self { chars, statuses, owed: false, given: VecDeque::new() }
    }

    /// Reads `c`. It ends when the task has come to the next one.
    ///
    /// # Errors
    /// [`Ended`] after [`Status::Success`] or [`Status::BadInput`].
    ///
    /// # Cancel safety
    /// Dropped, it has read `c`, if it was polled: the next call goes on behind it.
    pub async fn process(&mut self, c: char) -> Result<Status, Ended> {
        self.given.push_back(c);
        loop {
            if self.owed {
                let status = self.statuses.recv().await.ok_or(Ended)?;
                self.owed = false;
                if self.given.is_empty() {
                    return Ok(status);
                }
            }
            let next = self.given.pop_front().expect("that of this call is the last");
            self.chars.try_send(next).map_err(|_| Ended)?;
            self.owed = true;
        }
    }
}

async fn hold(chars: Receiver<char>, statuses: Sender<Status>) {
    let mut turns = Turns { chars, statuses, begun: false };
    if let Some(status) = ended(&mut turns).await {
        turns.statuses.send(status).await.ok();
    }
}

/// The characters of a [`Held`], for each of which its status is due before the next one comes.
struct Turns {
    chars: Receiver<char>,
    statuses: Sender<Status>,
    begun: bool,
}

impl ReadChar for Turns {
    /// `None` once the owner is gone.
    async fn read_char(&mut self) -> Option<char> {
        if self.begun {
            self.statuses.send(Status::NeedMoreInput).await.ok()?;
        }
        self.begun = true;
        self.chars.recv().await
    }
}
