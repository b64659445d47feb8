//! Invariants of ARCHITECTURE.md that a test can hold.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace").to_owned()
}

/// Every Rust file below `directory`, with its text.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a folder of the workspace") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{directory} has sources");
    found
}

fn assert_absent(directory: &str, words: &[&str]) {
    for (path, text) in sources(directory) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in words {
                assert!(!line.contains(word), "{} names `{word}`: {line}", path.display());
            }
        }
    }
}

#[test]
fn no_pattern_names_a_runtime_or_depends_on_a_cfg() {
    assert_absent("patterns", &["tokio", "madsim", "loom", "cfg("]);
    let manifest = fs::read_to_string(root().join("patterns/Cargo.toml")).expect("a readable file");
    assert!(["tokio", "madsim", "loom"].iter().all(|runtime| !manifest.contains(runtime)));
}

#[test]
fn only_backends_and_engines_name_a_simulator_or_a_checker() {
    for (path, text) in sources("runtime/src") {
        let backend = path.components().any(|part| part.as_os_str() == "backend");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let names = line.contains("::madsim::") || line.contains("use madsim") || line.contains("use loom");
            assert!(backend || !names, "{}: {line}", path.display());
        }
    }
    assert_absent("sim/src", &["loom", "tokio::"]);
    assert_absent("model-checks", &["madsim", "tokio::"]);
}

#[test]
fn libraries_for_users_do_not_depend_on_the_patterns() {
    for package in ["runtime", "sim", "model-checks"] {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).expect("a readable file");
        assert!(!manifest.contains("windtunnel-patterns"), "{package}");
    }
}

#[test]
fn files_are_short() {
    for folder in ["runtime", "patterns", "sim", "model-checks", "tests", "cli"] {
        for (path, text) in sources(folder) {
            assert!(text.lines().count() <= 600, "{} has {} lines", path.display(), text.lines().count());
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    // A test that is ignored for a reason is run by a script of its own.
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ign", "ore]"), concat!("db", "g!(")];
    for folder in ["runtime", "patterns", "sim", "model-checks", "tests", "cli"] {
        assert_absent(folder, &marks);
    }
}
