//! `windtunnel history`: is a history in a file linearizable?

mod html;
mod read;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;
use windtunnel_sim::history::{Counterexample, History, KeyValue, Keyed, Model, Queue, Register, Verdict};

use crate::STOP;
use crate::catalogue::UsageError;
use read::{Json, Lines};

#[derive(Debug, Args)]
#[command(after_long_help = include_str!("../../docs/history.md"))]
pub(crate) struct HistoryArgs {
    /// JSON lines, one operation each; `--help` shows them for each model.
    file: PathBuf,
    /// What the operations are on.
    #[arg(long, value_enum)]
    model: ModelName,
    /// Gives up after this time: the verdict is then `unknown`.
    #[arg(long, value_name = "SECS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=86400))]
    timeout: u64,
    /// Draws the history into this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModelName {
    Register,
    CasRegister,
    Kv,
    Queue,
}

impl HistoryArgs {
    /// Checks the history and shows what came of it; whether it is linearizable.
    pub(crate) fn run(&self, json: bool) -> Result<bool, UsageError> {
        let lines = Lines::read(&self.file)?;
        let register = || Keyed::new(Register(Json::default()));
        match self.model {
            ModelName::Register => self.check(&register(), &lines.history(|line| line.register(false))?, json),
            ModelName::CasRegister => self.check(&register(), &lines.history(|line| line.register(true))?, json),
            ModelName::Kv => self.check(&KeyValue::default(), &lines.history(read::Line::key_value)?, json),
            ModelName::Queue => self.check(&Keyed::new(Queue::default()), &lines.history(read::Line::queue)?, json),
        }
    }

    fn check<M>(&self, model: &M, history: &History<M::Op, M::Ret>, json: bool) -> Result<bool, UsageError>
    where
        M: Model,
    {
        let started = Instant::now();
        let limit = Duration::from_secs(self.timeout);
        let verdict = history.check(model, &mut || STOP.load(Ordering::Relaxed) || started.elapsed() >= limit);
        let elapsed = started.elapsed();
        if let Some(file) = &self.html {
            let page = html::page(&self.name(), model, history, &verdict);
            std::fs::write(file, page)
                .map_err(|error| UsageError::file(file, None, &format!("cannot be written: {error}")))?;
        }
        let said = self.say(&verdict);
        if json {
            let word = match verdict {
                Verdict::Linearizable => "ok",
                Verdict::NotLinearizable(_) => "failed",
                Verdict::Undecided => "unknown",
            };
            let symptom = said.lines().next().filter(|_| word != "ok");
            let (operations, elapsed_ms) = (history.operations.len(), elapsed.as_millis());
            println!(
                "{}",
                json!({
                    "kind": "history", "name": self.name(), "verdict": word, "operations": operations,
                    "symptom": symptom, "elapsed_ms": elapsed_ms,
                })
            );
        } else {
            let (count, seconds) = (history.operations.len(), elapsed.as_secs_f64());
            println!("{}  {count} operations  {seconds:.3} s\n{said}", self.name());
        }
        Ok(matches!(verdict, Verdict::Linearizable))
    }

    fn name(&self) -> String {
        read::printable(&self.file.display().to_string())
    }

    /// The verdict in words.
    fn say(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Linearizable => "linearizable".into(),
            Verdict::NotLinearizable(counterexample) => counterexample.to_string(),
            Verdict::Undecided if STOP.load(Ordering::Relaxed) => "unknown: interrupted".into(),
            Verdict::Undecided => format!(
                "unknown: not decided within {} s or in the memory allowed: give it more time by --timeout, or a shorter history",
                self.timeout
            ),
        }
    }
}

/// The operations that conflict, if the history is not linearizable.
fn conflict(verdict: &Verdict) -> &[usize] {
    match verdict {
        Verdict::NotLinearizable(Counterexample { conflict, .. }) => conflict,
        _ => &[],
    }
}
