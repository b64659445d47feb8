//! Where the picture of a failure goes.

use std::path::{Path, PathBuf};

use super::Timeline;
use crate::Outcome;

/// Writes the page of a failed run, below the folder of the workspace: its path from there, or why there is none, in a line.
pub(crate) fn save(name: &str, outcome: &Outcome) -> Result<String, String> {
    let path = format!("target/windtunnel/{}.{}.html", name.replace("::", ".").replace(['/', '\\'], "_"), outcome.seed);
    let absolute = workspace().join(&path);
    let folder = absolute.parent().expect("it is in a folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&absolute, Timeline::new(name, outcome).to_html()))
        .map_err(|error| format!("not written: {path}: {error}"))?;
    Ok(path)
}

/// The nearest folder, from the current one upwards, that has a lock file: tests run in their package's. Else the current one.
fn workspace() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|folder| folder.join("Cargo.lock").exists()).map_or(here.clone(), Path::to_owned)
}
