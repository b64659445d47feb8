//! A plan as a file, and what can be wrong with it.

use std::fmt::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Fault, FaultKind, FaultPlan, Kept};
use crate::artifact::workspace;

/// The version of the schema.
const VERSION: u64 = 1;

/// A longer file is no plan.
const MOST_BYTES: u64 = 16 << 20;

/// Why a plan cannot be carried out: one line that says where, what and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(String);

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlanError {}

/// Where a plan was read.
#[derive(Debug)]
pub(crate) struct Origin {
    name: String,
    /// Of each fault.
    lines: Vec<usize>,
}

/// The file, with each fault as its text, whose place tells its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[serde(rename = "version")]
    _version: u64,
    scenario: Option<String>,
    seed: Option<u64>,
    #[serde(borrow, default)]
    faults: Vec<&'a RawValue>,
    #[serde(default)]
    workload: Vec<Kept>,
}

#[derive(Deserialize)]
struct Version {
    version: Option<serde_json::Value>,
}

impl FaultPlan {
    /// Reads the file at `path`, or at `path` below the workspace, where cargo does not start its tests.
    ///
    /// # Errors
    /// If it cannot be read, or is not a plan.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PlanError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let found = if path.exists() { path.to_owned() } else { workspace().join(path) };
        let unreadable = |error| PlanError(format!("{name}: {error}: name a file with a fault plan"));
        let bytes = std::fs::metadata(&found).map_err(unreadable)?.len();
        if bytes > MOST_BYTES {
            return Err(PlanError(format!("{name}: has {bytes} bytes: a plan has {MOST_BYTES} at most")));
        }
        let text = std::fs::read(&found).map_err(unreadable)?;
        let text = String::from_utf8(text)
            .map_err(|_| PlanError(format!("{name}: is not text: name a file with a fault plan")))?;
        Self::from_json(&text, &name)
    }

    /// Reads `text`, which errors call `name`.
    ///
    /// # Errors
    /// If it is not a plan.
    pub fn from_json(text: &str, name: &str) -> Result<Self, PlanError> {
        let unreadable = |error: &serde_json::Error| PlanError(describe(error, name));
        let Version { version } = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        match version {
            Some(version) if version == VERSION => {}
            Some(other) => {
                let how = "draw it again, or write it as this version does";
                return Err(PlanError(format!("{name}: is of version {other} and not {VERSION}: {how}")));
            }
            None => return Err(PlanError(format!("{name}: `version` is missing: add \"version\": {VERSION}"))),
        }
        let file: File<'_> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let lines = lines(text, &file.faults);
        let mut faults = Vec::with_capacity(lines.len());
        for (raw, line) in file.faults.iter().zip(&lines) {
            let fault: Fault = serde_json::from_str(raw.get())
                .map_err(|error| PlanError(format!("{name}:{line}: {}", without_place(&error))))?;
            faults.push(fault);
        }
        let origin = Some(Arc::new(Origin { name: name.into(), lines }));
        let plan = Self { scenario: file.scenario, seed: file.seed, faults, workload: file.workload, origin };
        plan.check()?;
        Ok(plan)
    }

    /// The plan as a file: one fault a line.
    pub fn to_json(&self) -> String {
        let mut text = format!("{{\n  \"version\": {VERSION}");
        if let Some(scenario) = &self.scenario {
            write!(text, ",\n  \"scenario\": {}", json(scenario)).expect("a string takes anything");
        }
        if let Some(seed) = self.seed {
            write!(text, ",\n  \"seed\": {seed}").expect("a string takes anything");
        }
        let mut list = |name: &str, rows: Vec<String>| {
            let rows: Vec<String> = rows.into_iter().map(|row| format!("\n    {row}")).collect();
            write!(text, ",\n  \"{name}\": [{}\n  ]", rows.join(",")).expect("a string takes anything");
        };
        list("faults", self.faults.iter().map(json).collect());
        if !self.workload.is_empty() {
            list("workload", self.workload.iter().map(json).collect());
        }
        text + "\n}\n"
    }

    /// Whether the plan is for this run; one that says no scenario or seed is for any.
    ///
    /// # Errors
    /// If it is for another one.
    pub fn is_for(&self, scenario: &str, seed: Option<u64>) -> Result<(), PlanError> {
        let name = self.origin.as_ref().map_or("the fault plan", |origin| &origin.name);
        if let Some(own) = self.scenario.as_ref().filter(|own| *own != scenario) {
            return Err(PlanError(format!(
                "{name}: is for the scenario `{own}` and not for `{scenario}`: name that one"
            )));
        }
        match (self.seed, seed) {
            (Some(own), Some(seed)) if own != seed => {
                let how = "replay that one, or take the line `seed` away";
                Err(PlanError(format!("{name}: is for the seed {own} and not for {seed}: {how}")))
            }
            _ => Ok(()),
        }
    }

    /// When the last fault that has an end is undone.
    pub fn healed_at(&self) -> Duration {
        self.faults.iter().map(Fault::end).max().unwrap_or_default()
    }

    pub(super) fn error(&self, number: usize, what: impl fmt::Display) -> PlanError {
        let fault = &self.faults[number];
        let file = self.origin.as_ref().map_or(String::new(), |origin| format!("{}:", origin.name));
        match self.line(number) {
            Some(line) => PlanError(format!("{file}{line}: `{fault}` {what}")),
            None => PlanError(format!("fault {} of the plan, `{fault}`, {what}", number + 1)),
        }
    }

    /// A fault as another one's error names it.
    pub(super) fn place(&self, number: usize) -> String {
        self.line(number).map_or_else(|| format!("fault {}", number + 1), |line| format!("line {line}"))
    }

    fn line(&self, number: usize) -> Option<usize> {
        self.origin.as_ref()?.lines.get(number).copied()
    }

    /// The plan for a run whose scenario has no place for it.
    pub(crate) fn unused(&self) -> PlanError {
        let name = self.origin.as_ref().map_or("the fault plan", |origin| &origin.name);
        PlanError(format!("{name}: the scenario ended without `sim.faults(…)`: have it say where faults begin"))
    }
}

impl From<Vec<Fault>> for FaultPlan {
    fn from(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::default() }
    }
}

impl Fault {
    /// `kind` from `at` until `until`.
    pub fn new(at: Duration, until: impl Into<Option<Duration>>, kind: FaultKind) -> Self {
        Self { at, until: until.into(), kind }
    }
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// The lines on which `parts` of `text` begin; they are in order.
fn lines(text: &str, parts: &[&RawValue]) -> Vec<usize> {
    let (mut line, mut seen) = (1, 0);
    let place = |part: &&RawValue| {
        let begin = part.get().as_ptr().addr() - text.as_ptr().addr();
        line += text[seen..begin].matches('\n').count();
        seen = begin;
        line
    };
    parts.iter().map(place).collect()
}

/// The parser's message, its place in front.
fn describe(error: &serde_json::Error, name: &str) -> String {
    let how = if error.is_eof() { ": the file ends too early; was it cut short?" } else { "" };
    format!("{name}:{}: {}{how}", error.line(), without_place(error))
}

/// The parser's message without its place, which is within one fault.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}
