//! A history from a file: JSON lines, each of them looked at closely.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use windtunnel_sim::history::{EntryOp, History, Moment, Operation, QueueOp, RegisterOp, Ret};

use crate::catalogue::UsageError;

/// A line is not longer.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A file is not longer.
const FILE_BYTES_MAX: usize = 256 << 20;

/// A value of the file.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Json(Value);

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The object an operation is on; without one, `()`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Value);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() { f.write_str("()") } else { write!(f, "{}", self.0) }
    }
}

/// One operation of the file, before its model is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    process: Value,
    op: String,
    #[serde(default)]
    key: Value,
    /// `None` if there is none, which is not null.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    invoke: u64,
    #[serde(rename = "return")]
    returned: Option<u64>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a model makes of a line. An error says what is wrong with it.
type Parsed<Op, V> = Result<(Op, Option<Ret<V>>), String>;

/// A file's operations, with their line numbers.
pub(super) struct Lines {
    file: PathBuf,
    lines: Vec<(usize, Line)>,
}

impl UsageError {
    /// Something is wrong with a file, on the line if that is known.
    pub(super) fn file(file: &Path, line: Option<usize>, problem: &str) -> Self {
        let line = line.map_or(String::new(), |line| format!(":{line}"));
        Self::File { place: printable(&format!("{}{line}", file.display())), problem: printable(problem) }
    }
}

/// On one line, and not a long one.
pub(super) fn printable(text: &str) -> String {
    let escaped = |character: char| {
        let escape = character.is_control().then(|| character.escape_default());
        let plain = (!character.is_control()).then_some(character);
        escape.into_iter().flatten().chain(plain)
    };
    let mut characters = text.chars().flat_map(escaped);
    let mut kept: String = characters.by_ref().take(300).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

impl Lines {
    pub(super) fn read(file: &Path) -> Result<Self, UsageError> {
        let fail = |line: Option<usize>, problem: &str| UsageError::file(file, line, problem);
        let unreadable = |error: std::io::Error| fail(None, &format!("cannot be read: {error}"));
        let open = File::open(file).map_err(unreadable)?;
        if open.metadata().map_err(unreadable)?.is_dir() {
            return Err(fail(None, "is a directory: name a file"));
        }
        let mut reader = BufReader::new(open);
        let mut lines = Vec::new();
        let (mut number, mut bytes) = (0, 0);
        loop {
            let mut text = Vec::new();
            let mut line = reader.by_ref().take(LINE_BYTES_MAX as u64 + 1);
            let read = line.read_until(b'\n', &mut text).map_err(unreadable)?;
            (number, bytes) = (number + 1, bytes + read);
            if read == 0 {
                break;
            }
            if read > LINE_BYTES_MAX {
                return Err(fail(Some(number), "the line is longer than 1 MiB: write one operation a line"));
            }
            if bytes > FILE_BYTES_MAX {
                return Err(fail(Some(number), "the file is longer than 256 MiB: check a part of it"));
            }
            let text = std::str::from_utf8(&text).map_err(|_| fail(Some(number), "not UTF-8: write JSON in UTF-8"))?;
            if !text.trim().is_empty() {
                lines.push((number, Line::parse(text).map_err(|problem| fail(Some(number), &problem))?));
            }
        }
        if lines.is_empty() {
            return Err(fail(None, "has no operation: write one a line, as `windtunnel history --help` shows"));
        }
        let lines = Self { file: file.to_owned(), lines };
        lines.assert_sequential().map(|()| lines)
    }

    /// An operation of a process begins after the one before has returned, if it does.
    fn assert_sequential(&self) -> Result<(), UsageError> {
        let mut by_invoke: Vec<_> = self.lines.iter().collect();
        by_invoke.sort_by_key(|(number, line)| (line.invoke, *number));
        let mut last: HashMap<String, (u64, usize)> = HashMap::new();
        for (number, line) in by_invoke {
            let process = line.process.to_string();
            if let Some((end, before)) = last.get(&process).filter(|(end, _)| line.invoke <= *end) {
                let problem = format!(
                    "process {process} invokes at {} what it did on line {before} returns at {end}: let it return before, or \
                     give what is done at the same time to another process",
                    line.invoke
                );
                return Err(UsageError::file(&self.file, Some(*number), &problem));
            }
            if let Some(end) = line.returned {
                last.insert(process, (end, *number));
            }
        }
        Ok(())
    }

    /// The history as `parse` reads its lines; an operation is on the object that its key names.
    pub(super) fn history<Op, V>(
        &self,
        parse: impl Fn(&Line) -> Parsed<Op, V>,
    ) -> Result<History<(Key, Op), Ret<V>>, UsageError> {
        let operation = |(number, line): &(usize, Line)| -> Result<_, UsageError> {
            let (op, ret) = parse(line).map_err(|problem| UsageError::file(&self.file, Some(*number), &problem))?;
            // At equal times an operation that begins overlaps one that ends.
            let moment = |at, order| Moment { at: Duration::from_nanos(at), order };
            let returned = ret.zip(line.returned.map(|at| moment(at, 1)));
            let process = line.process.as_str().map_or_else(|| line.process.to_string(), str::to_owned);
            let op = (Key(line.key.clone()), op);
            Ok(Operation { process, op, invoke: moment(line.invoke, 0), returned })
        };
        Ok(History { operations: self.lines.iter().map(operation).collect::<Result<_, _>>()? })
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, String> {
        let line: Self = serde_json::from_str(text).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let problem = error.to_string();
            format!("{} (column {}); see `windtunnel history --help`", problem.trim_end_matches(&place), error.column())
        })?;
        let is_name = |value: &Value| value.is_string() || value.is_u64();
        if !is_name(&line.process) {
            return Err(format!("`process` is {}: write a string or a whole number", line.process));
        }
        if !(line.key.is_null() || is_name(&line.key)) {
            return Err(format!("`key` is {}: write a string or a whole number", line.key));
        }
        if let Some(end) = line.returned.filter(|end| *end < line.invoke) {
            return Err(format!("it returns at {end}, before its invocation at {}: exchange the two", line.invoke));
        }
        if line.returned.is_none() && line.result.as_ref().is_some_and(|result| !result.is_null()) {
            return Err("it has a result but no return: write when it returned, or leave the result out".into());
        }
        Ok(line)
    }

    pub(super) fn register(&self, with_cas: bool) -> Parsed<RegisterOp<Json>, Json> {
        match self.op.as_str() {
            "read" => Ok((self.bare(RegisterOp::Read)?, self.found()?)),
            "write" => Ok((RegisterOp::Write(Json(self.value()?)), self.done()?)),
            "cas" if with_cas => {
                let (from, to) = self.pair()?;
                Ok((RegisterOp::Cas(Json(from), Json(to)), self.swapped()?))
            }
            _ if with_cas => Err(self.unknown("read, write or cas")),
            _ => Err(self.unknown("read or write (the model cas-register has cas)")),
        }
    }

    pub(super) fn key_value(&self) -> Parsed<EntryOp<Json>, Option<Json>> {
        if self.key.is_null() {
            return Err("`key` is missing: write a string or a whole number".into());
        }
        match self.op.as_str() {
            "get" => Ok((self.bare(EntryOp::Get)?, self.found()?.map(|ret| optional(&ret)))),
            "put" => Ok((EntryOp::Put(self.something("a key that is absent")?), self.done()?)),
            "delete" => Ok((self.bare(EntryOp::Delete)?, self.done()?)),
            "cas" => {
                let (from, to) = self.pair()?;
                let from = Some(Json(from)).filter(|from| !from.0.is_null());
                Ok((EntryOp::Cas(from, something(to, "a key that is absent")?), self.swapped()?))
            }
            _ => Err(self.unknown("get, put, delete or cas")),
        }
    }

    pub(super) fn queue(&self) -> Parsed<QueueOp<Json>, Option<Json>> {
        match self.op.as_str() {
            "enqueue" => Ok((QueueOp::Enqueue(self.something("an empty queue")?), self.done()?)),
            "dequeue" => Ok((self.bare(QueueOp::Dequeue)?, self.found()?.map(|ret| optional(&ret)))),
            _ => Err(self.unknown("enqueue or dequeue")),
        }
    }

    fn unknown(&self, known: &str) -> String {
        format!("this model has no operation `{}`: write {known}", self.op)
    }

    fn bare<Op>(&self, op: Op) -> Result<Op, String> {
        match &self.value {
            None | Some(Value::Null) => Ok(op),
            Some(value) => Err(format!("a {} takes no value, and `value` is {value}: leave it out", self.op)),
        }
    }

    fn value(&self) -> Result<Value, String> {
        self.value.clone().ok_or_else(|| format!("`value` is missing: write what the {} is to write", self.op))
    }

    fn something(&self, absence: &str) -> Result<Json, String> {
        something(self.value()?, absence)
    }

    fn pair(&self) -> Result<(Value, Value), String> {
        match self.value.as_ref().and_then(Value::as_array).map(Vec::as_slice) {
            Some([from, to]) => Ok((from.clone(), to.clone())),
            _ => Err("a cas takes two values: write `\"value\": [from, to]`".into()),
        }
    }

    /// What a read found; `None` if it did not return.
    fn found(&self) -> Result<Option<Ret<Json>>, String> {
        match (&self.result, self.returned) {
            (_, None) => Ok(None),
            (Some(result), Some(_)) => Ok(Some(Ret::Value(Json(result.clone())))),
            (None, Some(_)) => Err(format!("`result` is missing: write what the {} found, null for nothing", self.op)),
        }
    }

    fn done<V>(&self) -> Result<Option<Ret<V>>, String> {
        match &self.result {
            None | Some(Value::Null) => Ok(self.returned.map(|_| Ret::Done)),
            Some(result) => Err(format!("a {} has no result, and `result` is {result}: leave it out", self.op)),
        }
    }

    fn swapped<V>(&self) -> Result<Option<Ret<V>>, String> {
        match (&self.result, self.returned) {
            (_, None) => Ok(None),
            (Some(Value::Bool(swapped)), Some(_)) => Ok(Some(Ret::Swapped(*swapped))),
            _ => Err("the result of a cas is true or false: write whether it took place".into()),
        }
    }
}

/// Null stands for nothing.
fn optional(ret: &Ret<Json>) -> Ret<Option<Json>> {
    match ret {
        Ret::Done => Ret::Done,
        Ret::Value(value) => Ret::Value(Some(value.clone()).filter(|value| !value.0.is_null())),
        Ret::Swapped(swapped) => Ret::Swapped(*swapped),
    }
}

fn something(value: Value, absence: &str) -> Result<Json, String> {
    if value.is_null() { Err(format!("null stands for {absence}: write another value")) } else { Ok(Json(value)) }
}
