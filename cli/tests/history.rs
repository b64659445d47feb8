//! `windtunnel history` as a user meets it: verdicts, the picture, and every kind of bad input.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A file of this test run.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the folder is there");
    path
}

fn history(file: &PathBuf, model: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windtunnel"));
    command.arg("history").arg(file).args(["--model", model]).args(more).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Two writes, then a read of the first.
const STALE: &str = r#"{"process": "a", "op": "write", "value": 1, "invoke": 0, "return": 10}
{"process": "a", "op": "write", "value": "<b>&", "invoke": 20, "return": 30}
{"process": "b", "op": "read", "result": null, "invoke": 1, "return": 2}
{"process": "c", "op": "read", "result": 1, "invoke": 40, "return": 50}
{"process": "c", "op": "write", "value": 3, "invoke": 60, "return": null}
"#;

#[test]
fn the_examples_of_the_documentation_are_linearizable() {
    let document = include_str!("../../docs/history.md");
    for (number, model) in ["register", "cas-register", "kv", "queue"].into_iter().enumerate() {
        let section = document.split("\n\n").filter(|part| part.trim_start().starts_with('{')).nth(number);
        let path = file(&format!("example-{model}.jsonl"), section.expect("one for each model"));
        let output = history(&path, model, &[]);
        assert_eq!(output.status.code(), Some(0), "{model}: {}", text(&output.stderr));
        assert!(text(&output.stdout).ends_with("\nlinearizable\n"));
    }
}

#[test]
fn a_stale_read_is_shown_with_what_it_conflicts_with() {
    let path = file("stale.jsonl", STALE);
    let output = history(&path, "register", &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    insta::assert_snapshot!(said.split_once('\n').expect("lines").1);
}

#[test]
fn json_is_one_object() {
    let path = file("stale-json.jsonl", STALE);
    let output = history(&path, "register", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let row: serde_json::Value = serde_json::from_str(&text(&output.stdout)).expect("one object");
    assert_eq!((&row["kind"], &row["verdict"], &row["operations"]), (&"history".into(), &"failed".into(), &5.into()));
    assert_eq!(row["name"], path.to_str().expect("text"));
    assert!(row["symptom"].as_str().is_some_and(|it| it.starts_with("not linearizable")) && row["elapsed_ms"].is_u64());
}

#[test]
fn the_picture_is_one_file_in_which_text_is_escaped() {
    let path = file("stale-html.jsonl", STALE);
    let page = path.with_extension("html");
    let output = history(&path, "register", &["--html", page.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(1));
    let page = fs::read_to_string(page).expect("it is written");
    assert_eq!(page.matches("<rect ").count(), 5);
    assert_eq!(page.matches("class=\"conflict\"").count(), 3);
    assert_eq!(page.matches("class=\"unknown\"").count(), 1);
    assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>") && !page.contains("http"));
}

#[test]
fn what_is_not_decided_in_time_is_unknown() {
    // Concurrent enqueues, dequeued in an order that no search finds quickly, and one thing that was never put in.
    let mut lines = String::new();
    for value in 0..40 {
        let line = r#"{"process": P, "op": "enqueue", "value": P, "invoke": 0, "return": 10}"#;
        writeln!(lines, "{}", line.replace('P', &value.to_string())).expect("a string takes anything");
    }
    lines += r#"{"process": "c", "op": "dequeue", "result": 99, "invoke": 11, "return": 12}"#;
    let started = Instant::now();
    let output = history(&file("hard.jsonl", lines), "queue", &["--timeout", "1", "--json"]);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let row: serde_json::Value = serde_json::from_str(&text(&output.stdout)).expect("one object");
    assert_eq!(row["verdict"], "unknown");
    assert!(row["symptom"].as_str().is_some_and(|it| it.contains("--timeout")), "{row}");
}

/// One line that says what, on which line if that is known, and how to mend it; exit status 2.
fn assert_rejected(name: &str, model: &str, content: &[u8], line: Option<u32>, expected: &str) {
    let path = file(name, content);
    let output = history(&path, model, &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{name}: {said}");
    assert_eq!(said.lines().count(), 1, "{name}: {said}");
    let place = line.map_or(name.to_owned(), |line| format!("{name}:{line}"));
    assert!(said.contains(&format!("{place}: ")) && said.contains(expected), "{name}: {said}");
    assert!(said.len() < 2000 && output.stdout.is_empty());
}

#[test]
fn bad_lines_are_named_with_how_to_mend_them() {
    let good = r#"{"process": 1, "op": "read", "key": "x", "result": null, "invoke": 0, "return": 10}"#;
    let cases = [
        ("register", r#"{"process": 2, "op": "read", "result": 1, "invoke": 9, "return": 3}"#, "exchange the two"),
        (
            "register",
            r#"{"process": 1, "op": "read", "result": 1, "invoke": 10, "return": 11}"#,
            "on line 1 returns at 10",
        ),
        ("register", r#"{"process": 2, "op": "read", "op": "read", "invoke": 3}"#, "duplicate field `op`"),
        ("register", r#"{"process": 2, "op": "read"}"#, "missing field `invoke`"),
        ("register", r#"{"process": 2, "op": "read", "invoke": 3, "retrun": 4}"#, "unknown field `retrun`"),
        ("register", r#"{"process": 2, "op": "read", "invoke": -3}"#, "expected u64"),
        ("register", r#"{"process": 2, "op": "read", "invoke": 0.5}"#, "expected u64"),
        ("register", r#"{"process": [2], "op": "read", "invoke": 3}"#, "a string or a whole number"),
        ("register", r#"{"process": 2, "op": "read", "invoke": 3, "return": 4}"#, "`result` is missing"),
        ("register", r#"{"process": 2, "op": "read", "result": 1, "invoke": 3}"#, "a result but no return"),
        ("register", r#"{"process": 2, "op": "read", "value": 1, "invoke": 3}"#, "takes no value"),
        ("register", r#"{"process": 2, "op": "write", "invoke": 3}"#, "`value` is missing"),
        (
            "register",
            r#"{"process": 2, "op": "write", "value": 1, "result": 1, "invoke": 3, "return": 4}"#,
            "has no result",
        ),
        ("register", r#"{"process": 2, "op": "cas", "value": [1, 2], "invoke": 3}"#, "write read or write"),
        ("cas-register", r#"{"process": 2, "op": "cas", "value": [1], "invoke": 3}"#, "[from, to]"),
        (
            "cas-register",
            r#"{"process": 2, "op": "cas", "value": [1, 2], "result": 1, "invoke": 3, "return": 4}"#,
            "true or false",
        ),
        ("cas-register", r#"{"process": 2, "op": "swap", "invoke": 3}"#, "write read, write or cas"),
        ("register", "nonsense", "--help"),
        ("register", "{\"process\": 2, \"op\": \"\u{1b}[31m\", \"invoke\": 3}", "control character"),
        ("register", r#"{"process": 2, "op": "\u001b[31m\n", "invoke": 3}"#, "no operation"),
    ];
    for (number, (model, line, expected)) in cases.into_iter().enumerate() {
        let content = format!("{good}\n\n{line}\n");
        assert_rejected(&format!("bad-{number}.jsonl"), model, content.as_bytes(), Some(3), expected);
    }
    let keyless = br#"{"process": 2, "op": "get", "invoke": 3}"#;
    assert_rejected("keyless.jsonl", "kv", keyless, Some(1), "`key` is missing");
    let null = br#"{"process": 2, "op": "put", "key": 1, "value": null, "invoke": 3}"#;
    assert_rejected("null.jsonl", "kv", null, Some(1), "null stands for a key that is absent");
}

#[test]
fn bad_files_are_named() {
    assert_rejected("empty.jsonl", "kv", b"", None, "has no operation");
    assert_rejected("latin.jsonl", "kv", b"\n\xff\xfe\n", Some(2), "UTF-8");
    assert_rejected("deep.jsonl", "kv", "[".repeat(100_000).as_bytes(), Some(1), "--help");
    let long_name = format!("{{\"{}\": 1}}", "x".repeat(500_000));
    assert_rejected("long-name.jsonl", "kv", long_name.as_bytes(), Some(1), "unknown field");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (path, expected) in [(folder.clone(), "is a directory"), (folder.join("nothing.jsonl"), "cannot be read")] {
        let output = history(&path, "kv", &[]);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.lines().count() == 1 && said.contains(expected), "{said}");
    }
}

#[test]
fn a_line_without_an_end_is_not_read_to_its_end() {
    let started = Instant::now();
    assert_rejected("long.jsonl", "kv", &vec![b'x'; 100 << 20], Some(1), "longer than 1 MiB");
    let output = history(&PathBuf::from("/dev/zero"), "kv", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(started.elapsed() < Duration::from_secs(10), "it read on");
}
