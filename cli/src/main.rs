//! `windtunnel`: the main job from the command line. See the README for what its commands do.
//!
//! Exit status: 0 all as it should be, 1 something failed, was missed or was interrupted, 2 the command line is wrong.

mod args;
mod catalogue;
mod history;
mod job;
mod output;
mod replay;
mod terms;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use windtunnel_model::Schedule;

use args::{Cli, Command};
use catalogue::UsageError;
use job::Job;
use output::Output;

/// Set by Ctrl-C: runs end, and what was done is reported.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    // Whoever reads the output may stop, as `head` does: that is the end, and no error.
    sigpipe::reset();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return usage(&args::one_line(&error)),
        Err(help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    windtunnel_model::set_replay_command("cargo windtunnel");
    windtunnel_sim::set_replay_command("cargo windtunnel");
    if let Err(error) = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)) {
        eprintln!("windtunnel: Ctrl-C will not be clean: {error}");
    }
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => usage(&error.to_string()),
    }
}

fn usage(error: &str) -> ExitCode {
    eprintln!("windtunnel: {error}");
    ExitCode::from(2)
}

/// Runs the command; whether all was as it should be.
fn run(cli: Cli) -> Result<bool, UsageError> {
    let output = Output::new(cli.json);
    match cli.command.unwrap_or(Command::Check) {
        Command::Check => Ok(output.run_all(&Job::everything()?)),
        Command::List => {
            output.list(&catalogue::entries());
            Ok(true)
        }
        Command::Sweep(sweep) => Ok(output.run_all(&sweep.jobs()?)),
        Command::Replay(replay) => output.replay(&replay),
        Command::Model { names, terms, schedule: None, resume: None } => {
            Ok(output.run_all(&Job::models(&names, terms)?))
        }
        Command::Model { names, terms, resume: Some(file), .. } => {
            let [name] = &names[..] else { return Err(UsageError::OneModel { option: "--resume" }) };
            output.resume(catalogue::model(name)?, &terms, &file)
        }
        Command::Model { names, terms, schedule: Some(schedule), resume: None } => {
            let [name] = &names[..] else { return Err(UsageError::OneModel { option: "--schedule" }) };
            let schedule: Schedule = schedule.parse()?;
            if let Some(engine) = terms.engine.map(Into::into).filter(|engine| *engine != schedule.engine()) {
                return Err(UsageError::OtherEngine { of: schedule.engine(), engine });
            }
            Ok(output.replay_model(&catalogue::replay(name, &schedule)?))
        }
        Command::History(history) => history.run(cli.json),
        Command::Bugs { ids } => Ok(output.run_all(&Job::bugs(&ids)?)),
    }
}
