//! The files that a failure leaves behind.

use std::path::{Path, PathBuf};

/// Writes `text` to `target/windtunnel/SCENARIO.SEED.EXTENSION`, below the folder of the workspace: the path from there, or why
/// there is none, in a line.
pub(crate) fn save(scenario: &str, seed: u64, extension: &str, text: &str) -> Result<String, String> {
    let name = scenario.replace("::", ".").replace(['/', '\\'], "_");
    let path = format!("target/windtunnel/{name}.{seed}.{extension}");
    let absolute = workspace().join(&path);
    let folder = absolute.parent().expect("it is in a folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&absolute, text))
        .map_err(|error| format!("{path} cannot be written: {error}"))?;
    Ok(path)
}

/// The nearest folder, from the current one upwards, that has a lock file: tests run in their package's. Else the current one.
pub(crate) fn workspace() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|folder| folder.join("Cargo.lock").exists()).map_or(here.clone(), Path::to_owned)
}
