//! The four readers of quoted strings are one: on every short string, and on any.

use proptest::prelude::*;
use regex::Regex;
use windtunnel_patterns::quoted::{self, Ended, Held, Push, Status};
use windtunnel_suite::models::quoted as models;

use crate::common::{on_one_thread, on_tokio_and_madsim, simulate};

on_tokio_and_madsim! {
    models:
    each_character_has_its_status
    bad_input_is_told_at_once
    a_character_after_the_end_is_an_error
    an_owner_that_stops_early_leaves_no_task
    a_dropped_call_has_read_its_character
    dropped_in_a_call_it_leaves_no_task
}

/// What a reader made of a text, and how many characters it took.
type Read = (Status, usize);

/// What the talk says that a quoted string is (census A5.0), but for the newline, which its programs allow after a backslash.
fn by_expression(expression: &Regex, text: &str) -> Read {
    match expression.find(text) {
        Some(found) => (Status::Success, found.as_str().chars().count()),
        None if text.is_empty() || text.starts_with('"') => (Status::NeedMoreInput, text.chars().count()),
        None => (Status::BadInput, 1),
    }
}

/// An ancestor of the form in code, which holds a part of its state as data (census A5.3).
fn in_escape(text: &str) -> Read {
    let mut chars = text.chars();
    let read = |chars: &mut std::str::Chars<'_>| {
        if chars.next()? != '"' {
            return Some(Status::BadInput);
        }
        let mut in_escape = false;
        loop {
            match chars.next()? {
                _ if in_escape => in_escape = false,
                '"' => return Some(Status::Success),
                c => in_escape = c == '\\',
            }
        }
    };
    let status = read(&mut chars).unwrap_or(Status::NeedMoreInput);
    (status, text.chars().count() - chars.count())
}

async fn table(text: &str) -> Read {
    let mut chars = text.chars();
    (quoted::table(&mut chars).await, text.chars().count() - chars.count())
}

async fn code(text: &str) -> Read {
    let mut chars = text.chars();
    (quoted::code(&mut chars).await, text.chars().count() - chars.count())
}

/// A reader that is brought its characters.
trait Brought: Send {
    fn next(&mut self, c: char) -> impl Future<Output = Result<Status, Ended>> + Send;
}

impl Brought for Push {
    async fn next(&mut self, c: char) -> Result<Status, Ended> {
        self.process(c)
    }
}

impl Brought for Held {
    async fn next(&mut self, c: char) -> Result<Status, Ended> {
        self.process(c).await
    }
}

/// Brings `reader` the characters of `text`, until it has ended; one more is an error.
async fn bring(text: &str, mut reader: impl Brought) -> Read {
    for (taken, c) in (1..).zip(text.chars()) {
        match reader.next(c).await.expect("it has not ended") {
            Status::NeedMoreInput => {}
            status => {
                assert_eq!(reader.next('"').await, Err(Ended));
                return (status, taken);
            }
        }
    }
    (Status::NeedMoreInput, text.chars().count())
}

/// Every text of at most `length` of these characters.
fn texts(length: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut last = 0..1;
    for _ in 0..length {
        let next = texts.len();
        for i in last {
            texts.extend(['"', '\\', 'a', '\n'].map(|c| format!("{}{c}", texts[i])));
        }
        last = next..texts.len();
    }
    texts
}

fn expression() -> Regex {
    Regex::new(r#"^"(?s:[^"\\]|\\.)*""#).expect("an expression")
}

/// Hint 2, convert data state into code state when it makes programs clearer: no string tells them apart.
#[test]
fn the_forms_agree_on_every_text_of_seven_characters() {
    let (texts, expression) = (texts(7), expression());
    assert_eq!(texts.len(), 21_845);
    on_one_thread(async move {
        for text in texts {
            let expected = by_expression(&expression, &text);
            assert_eq!(in_escape(&text), expected, "{text:?}");
            assert_eq!(
                [table(&text).await, code(&text).await, bring(&text, Push::new()).await],
                [expected; 3],
                "{text:?}"
            );
        }
    });
}

#[test]
fn a_task_holds_the_same_state_as_data_on_every_text_of_five_characters() {
    on_one_thread(async {
        for text in texts(5) {
            assert_eq!(bring(&text, Held::new()).await, bring(&text, Push::new()).await, "{text:?}");
        }
    });
    simulate("texts of three characters", |_| {
        Box::pin(async {
            for text in texts(3) {
                assert_eq!(bring(&text, Held::new()).await, bring(&text, Push::new()).await, "{text:?}");
            }
        })
    });
}

proptest! {
    #[test]
    fn the_forms_agree_on_any_text(text in r#""?([^"\\]|\\.|["\\]){0,40}"#) {
        let expected = by_expression(&expression(), &text);
        on_one_thread(async move {
            let found = [in_escape(&text), table(&text).await, code(&text).await, bring(&text, Push::new()).await, bring(&text, Held::new()).await];
            assert_eq!(found, [expected; 5], "{text:?}");
        });
    }
}
