//! The tests are tested: each planted fault must be caught by the model or test that its row names.
//!
//! In every run the table is only checked against the sources. `ci/faults.sh` plants the faults, one at a time, in a copy of
//! the workspace, and runs the catcher of each: it must fail, and a fault that does not compile proves nothing.

mod explore;
mod patterns;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// One edit that breaks a primitive, and who must notice.
#[derive(Debug)]
struct Fault {
    primitive: &'static str,
    /// What is wrong then, in one phrase.
    wrong: &'static str,
    file: &'static str,
    /// Occurs once in `file`.
    original: &'static str,
    replacement: &'static str,
    /// The full name of the test, model or scenario that must fail. (A model's test is named `check` below it, a scenario's
    /// `sweep`.)
    catcher: &'static str,
}

const PRIMITIVES: [&str; 51] = [
    "channel",
    "go channel",
    "select",
    "mutex",
    "raw mutex",
    "rwlock",
    "semaphore",
    "wait group",
    "once",
    "condvar",
    "barrier",
    "join handle",
    "abort",
    "join set",
    "context",
    "checked cell",
    "stream and sink",
    "timed channel operation",
    "timeout, timer and interval",
    "simulated network",
    "fault plan",
    "shrinking",
    "determinism",
    "signals",
    "trace",
    "watchdog",
    "metric bounds",
    "known bugs",
    "quorum store",
    "par",
    "address lookup",
    "fork-join",
    "first response",
    "replicated client",
    "quoted string",
    "service",
    "finger",
    "mail",
    "http and /debug/tasks",
    "multiplexer",
    "publish/subscribe",
    "remote publish/subscribe",
    "work scheduler",
    "repository",
    "pipeline",
    "vending machine",
    "home routers",
    "connection",
    "tee",
    "chat loop",
    "explore",
];

fn faults() -> impl Iterator<Item = &'static Fault> {
    table::FAULTS.iter().chain(patterns::FAULTS).chain(explore::FAULTS)
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

impl Fault {
    /// `text` with the fault in it.
    fn plant(&self, text: &str) -> String {
        assert_eq!(text.matches(self.original).count(), 1, "in {} this is to occur once: {}", self.file, self.original);
        text.replace(self.original, self.replacement)
    }

    /// The file that the catcher is in.
    fn catcher_file(&self) -> PathBuf {
        let path: Vec<&str> = self.catcher.split("::").collect();
        let file = match path[..] {
            [catalogue @ ("models" | "scenarios"), module, ..] => format!("tests/src/{catalogue}/{module}.rs"),
            ["net", module, ..] => format!("tests/it/net/{module}.rs"),
            [module, ..] => format!("tests/it/{module}.rs"),
            [] => unreachable!("a split gives at least one part"),
        };
        workspace().join(file)
    }

    /// The cargo target that the catcher is in.
    fn target(&self) -> Target {
        let in_catalogue = ["models::", "scenarios::"].iter().any(|catalogue| self.catcher.starts_with(catalogue));
        if in_catalogue { Target::Catalogue } else { Target::Suite }
    }
}

#[test]
fn every_planted_fault_still_applies() {
    for fault in faults() {
        let text = fs::read_to_string(workspace().join(fault.file)).expect("a readable file");
        assert_ne!(fault.plant(&text), text, "{} changes nothing", fault.wrong);
        let catchers = fs::read_to_string(fault.catcher_file()).expect("the catcher's file is there");
        let function = fault.catcher.rsplit("::").next().expect("a path has a last part");
        assert!(catchers.contains(&format!("fn {function}(")), "{} is not there", fault.catcher);
    }
}

#[test]
fn every_primitive_has_planted_faults() {
    for primitive in PRIMITIVES {
        let count = faults().filter(|fault| fault.primitive == primitive).count();
        assert!(count >= 3, "{primitive} has {count} planted faults, and needs three");
    }
    assert!(faults().all(|fault| PRIMITIVES.contains(&fault.primitive)));
    let rows = faults().map(|it| format!("| {} | {} | {} |\n", it.primitive, it.wrong, it.catcher));
    insta::assert_snapshot!(format!(
        "| primitive | fault | caught by |\n| --- | --- | --- |\n{}",
        rows.collect::<String>()
    ));
}

/// `WINDTUNNEL_PLANT` chooses: part of a primitive's, a fault's or a catcher's name; `all`; nothing for the first fault of
/// each primitive.
fn chosen() -> Vec<&'static Fault> {
    match std::env::var("WINDTUNNEL_PLANT").as_deref() {
        Ok("all") => faults().collect(),
        Ok("") | Err(_) => PRIMITIVES.iter().filter_map(|it| faults().find(|f| f.primitive == *it)).collect(),
        Ok(part) => {
            faults().filter(|it| [it.primitive, it.wrong, it.catcher].iter().any(|name| name.contains(part))).collect()
        }
    }
}

#[test]
#[ignore = "it builds a copy of the workspace for each fault: run by ci/faults.sh"]
fn every_planted_fault_is_caught() {
    let (chosen, copy) = (chosen(), Copy::new());
    assert!(!chosen.is_empty(), "WINDTUNNEL_PLANT chooses no fault");
    for target in [Target::Catalogue, Target::Suite] {
        let catchers: Vec<_> = chosen.iter().filter(|it| it.target() == target).map(|it| it.catcher).collect();
        let Some(program) = (!catchers.is_empty()).then(|| copy.build(target).expect("the copy builds")) else {
            continue;
        };
        for catcher in catchers {
            assert_eq!(copy.run(&program, catcher), Verdict::Passed, "{catcher}, without a fault");
        }
    }
    let mut escaped = Vec::new();
    for fault in &chosen {
        let verdict = copy.with(fault, || match copy.build(fault.target()) {
            Ok(program) => copy.run(&program, fault.catcher),
            Err(error) => Verdict::NotBuilt(error),
        });
        println!("| {} | {} | {} | {verdict:?} |", fault.primitive, fault.wrong, fault.catcher);
        if verdict != Verdict::Failed {
            escaped.push(fault.wrong);
        }
    }
    println!("{} of {} planted faults caught", chosen.len() - escaped.len(), chosen.len());
    assert!(escaped.is_empty(), "not caught: {escaped:#?}");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The models, in the library of this package.
    Catalogue,
    /// The tests beside this file.
    Suite,
}

/// What became of a catcher.
#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    Passed,
    Failed,
    /// It did not end in time, or the process died: what failed is not known.
    Lost(String),
    NotBuilt(String),
}

/// A copy of the workspace, with a target directory of its own that is kept.
struct Copy {
    root: PathBuf,
}

impl Copy {
    /// A catcher takes seconds at most.
    const LIMIT: Duration = Duration::from_mins(1);

    fn new() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted-faults");
        let copy = root.join("workspace");
        if copy.exists() {
            fs::remove_dir_all(&copy).expect("an old copy can be removed");
        }
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(workspace())
            .output();
        let listed = String::from_utf8(listed.expect("git is there").stdout).expect("paths in UTF-8");
        for file in listed.split_terminator('\0').filter(|file| workspace().join(file).is_file()) {
            let to = copy.join(file);
            fs::create_dir_all(to.parent().expect("a file is in a folder")).expect("a writable folder");
            fs::copy(workspace().join(file), to).expect("a readable file");
        }
        Self { root }
    }

    /// Calls `body` while `fault` is in the copy.
    fn with<R>(&self, fault: &Fault, body: impl FnOnce() -> R) -> R {
        let path = self.root.join("workspace").join(fault.file);
        let text = fs::read_to_string(&path).expect("a readable file");
        fs::write(&path, fault.plant(&text)).expect("a writable file");
        let result = body();
        fs::write(&path, text).expect("a writable file");
        result
    }

    /// Builds `target` and gives the program, or what the compiler said.
    fn build(&self, target: Target) -> Result<PathBuf, String> {
        let output = Command::new(env!("CARGO"))
            .args(["test", "--locked", "--no-run", "--package", env!("CARGO_PKG_NAME")])
            .args(match target {
                Target::Catalogue => ["--lib"].as_slice(),
                Target::Suite => &["--test", "suite"],
            })
            .current_dir(self.root.join("workspace"))
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_DEV_OPT_LEVEL", "0")])
            .output()
            .expect("cargo starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // cargo ends with a line `Executable unittests src/lib.rs (…)`.
        let program = said.lines().rev().find(|line| line.trim_start().starts_with("Executable"));
        match program.and_then(|line| line.rsplit_once('(')) {
            Some((_, path)) if output.status.success() => Ok(path.trim_end_matches(')').into()),
            _ => Err(said),
        }
    }

    /// Runs one test of `program`.
    fn run(&self, program: &Path, test: &str) -> Verdict {
        let (log, started) = (self.root.join("log"), Instant::now());
        let mut child = Command::new(program)
            .args(["--exact", test, &format!("{test}::check"), &format!("{test}::sweep")])
            .current_dir(self.root.join("workspace/tests"))
            .stdout(fs::File::create(&log).expect("a writable file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let status = loop {
            match child.try_wait().expect("the child is ours") {
                Some(status) => break status,
                None if started.elapsed() < Self::LIMIT => thread::sleep(Duration::from_millis(10)),
                None => {
                    child.kill().expect("the child is ours");
                    child.wait().expect("the child is ours");
                    return Verdict::Lost(format!("no end after {:?}", Self::LIMIT));
                }
            }
        };
        let said = fs::read_to_string(log).expect("a readable file");
        if said.contains("test result: ok. 1 passed") {
            Verdict::Passed
        } else if said.contains("test result: FAILED. 0 passed; 1 failed") {
            Verdict::Failed
        } else {
            Verdict::Lost(format!("{status}: {said}"))
        }
    }
}
