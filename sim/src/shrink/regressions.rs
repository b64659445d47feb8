//! The file of seeds that have failed, beside the test: they are run first the next time.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

const HEAD: &str = "\
# Seeds that have failed, which the tests of this file run first: scenario, seed, and what went wrong then. Keep this file
# with the source; take a line away when its failure can no longer come back.
";

/// A source file's `.windtunnel-regressions`.
#[derive(Debug)]
pub(crate) struct Regressions(PathBuf);

impl Regressions {
    /// Those of the source file called `file` in a package at `manifest`: `file` counts from a folder above it.
    pub(crate) fn beside(file: &str, manifest: &str) -> Option<Self> {
        let found = Path::new(manifest).ancestors().map(|folder| folder.join(file)).find(|path| path.exists())?;
        Some(Self(found.with_extension("windtunnel-regressions")))
    }

    /// The seeds of `scenario`, in the order of the file; none without a file.
    ///
    /// # Errors
    /// If there is something in it that is not a regression: one line that says where.
    pub(crate) fn seeds(&self, scenario: &str) -> Result<Vec<u64>, String> {
        let name = self.0.display();
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("{name}: {error}: mend it or take it away")),
        };
        let mut seeds = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            match (&words[..], words.get(1).and_then(|seed| seed.parse().ok())) {
                ([own, _], Some(seed)) if *own == scenario => seeds.push(seed),
                ([], _) | ([_, _], Some(_)) => {}
                _ => {
                    let how = "write `scenario seed # comment`, or take the line away";
                    return Err(format!("{name}:{}: is not a regression: {how}", number + 1));
                }
            }
        }
        Ok(seeds)
    }

    /// Enters a seed that failed, unless it is known.
    pub(crate) fn enter(&self, scenario: &str, seed: u64, symptom: &str) -> Result<(), String> {
        if self.seeds(scenario)?.contains(&seed) {
            return Ok(());
        }
        let mut text = fs::read_to_string(&self.0).unwrap_or_else(|_| HEAD.into());
        writeln!(text, "{scenario} {seed} # {symptom}").expect("a string takes anything");
        fs::write(&self.0, text).map_err(|error| format!("{}: {error}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_failed_is_kept_once_and_garbage_is_refused() {
        let path = std::env::temp_dir().join(format!("windtunnel-{}.windtunnel-regressions", std::process::id()));
        let regressions = Regressions(path.clone());
        assert_eq!(regressions.seeds("a::b"), Ok(vec![]));
        for seed in [7, 9, 7] {
            regressions.enter("a::b", seed, "task 1 never ran").unwrap();
        }
        regressions.enter("a::c", 8, "").unwrap();
        assert_eq!(regressions.seeds("a::b"), Ok(vec![7, 9]));
        for garbage in ["a::b", "a::b x", "a::b 1 2", "\u{1}"] {
            fs::write(&path, format!("# fine\n{garbage}\n")).unwrap();
            let error = regressions.seeds("a::b").unwrap_err();
            assert!(error.contains(":2: is not a regression") && error.lines().count() == 1, "{error}");
        }
        fs::remove_file(path).unwrap();
    }
}
