//! Which lines of a trace are shown.

use std::fmt;

use tracing_subscriber::filter::Targets;

use crate::trace::TraceLine;

/// What `RUST_LOG` asks for: lines by target and level. Only what is shown depends on it; a run is the same whatever it says.
#[derive(Clone, Debug)]
pub struct LogFilter(Targets);

/// `RUST_LOG` is not a list of levels by target. Its text is one line that says what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilterError(String);

impl fmt::Display for LogFilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LogFilterError {}

impl LogFilter {
    /// The filter in `RUST_LOG`: levels, and targets with levels, as `info,windtunnel::net=trace`. Everything is shown if it is
    /// not set, or empty.
    ///
    /// # Errors
    /// If it is something else.
    pub fn from_env() -> Result<Self, LogFilterError> {
        let text = std::env::var_os("RUST_LOG").unwrap_or_default();
        let text = if text.is_empty() { "trace".into() } else { text.to_string_lossy() };
        text.parse().map(Self).map_err(|error| {
            LogFilterError(format!(
                "RUST_LOG is `{text}` ({error}): write levels by target, for example `info,windtunnel::net=trace`"
            ))
        })
    }

    /// Whether a line is shown.
    pub fn shows(&self, line: &TraceLine) -> bool {
        self.0.would_enable(line.target, &line.level)
    }
}
