//! The command line as a user meets it: the binary itself, its output and its exit status.

use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn windtunnel(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windtunnel")).args(arguments).output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn whoever_reads_the_output_may_stop() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windtunnel"));
    let mut child = command
        .args(["list", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stderr(&output), "");
}

#[test]
fn bad_input_is_one_line_and_exit_status_2() {
    let cases: [(&[&str], &str); 36] = [
        (&["swep"], "similar subcommand exists: 'sweep'"),
        (
            &["sweep", "scheduler::every_task_runs_despite_fault"],
            "did you mean `scheduler::every_task_runs_despite_faults`?",
        ),
        (&["model", "one_server_two_task"], "did you mean `scheduler::one_server_two_tasks`?"),
        (&["bugs", "sched-acept-leak"], "did you mean `sched-accept-leak`?"),
        (&["bugs", "zzz"], "windtunnel list"),
        (&["replay", "nothing", "1"], "there is no scenario `nothing`"),
        (&["sweep", "--seeds", "x"], "write N or A..B"),
        (&["sweep", "--seeds", "9..3"], "write the smaller number first"),
        (&["sweep", "--seeds", "0"], "no seed lies in it"),
        (&["sweep", "--seeds", "99999999999999999999999"], "from 0 to 18446744073709551615"),
        (&["replay", "a_dead_server_is_done_without", "18446744073709551616"], "from 0 to 18446744073709551615"),
        (&["replay", "a_dead_server_is_done_without", "-1"], "--help"),
        (
            &["replay", "a_dead_server_is_done_without", "1", "--html", "/nowhere/x.html"],
            "/nowhere/x.html cannot be written",
        ),
        (&["replay", "a_dead_server_is_done_without", "1", "--trace", "."], ". cannot be written"),
        (&["replay", "a_dead_server_is_done_without", "1", "--html", "x", "--trace", "x"], "give each one of its own"),
        (&["sweep", "--shard", "5/3"], "k from 1 to n"),
        (&["sweep", "--jobs", "0"], "from 1 to 1024"),
        (&["sweep", "--patience", "soon"], "'--patience <SECS>': write a number of seconds"),
        (&["replay", "a_dead_server_is_done_without", "1", "--patience", "1e99"], "or 0 for no limit"),
        (&["model", "one_server_two_tasks", "--schedule", "0,1,2"], "is not a schedule"),
        (&["model", "one_server_two_tasks", "--schedule", "w1-da4e0fb5--"], "belongs to another model"),
        (&["model", "--schedule", "w1-da4e0fb5--"], "name just that model"),
        (&["model", "--resume", "search"], "name just that model"),
        (&["model", "one_server_two_tasks", "--resume", "Cargo.toml"], "is not a search that this version has saved"),
        (
            &["model", "one_server_two_tasks", "--resume", "search", "--engine", "loom"],
            "check it with --engine explore",
        ),
        (&["model", "--threads", "0"], "--threads"),
        (&["model", "--threads", "2", "--engine", "loom"], "--threads is of the engine explore"),
        (&["model", "one_server_two_tasks", "--schedule", "x1-da4e0fb5-1"], "run the model again with this version"),
        (&["model", "--bound", "switches=2"], "write preemptions=N or delays=N"),
        (&["model", "--bound", "delays=-1"], "write preemptions=N or delays=N"),
        (&["model", "--sample", "pct"], "write pct:depth=D with D from 1 to 100, pos or random"),
        (&["model", "--sample", "pct:depth=0"], "for example pct:depth=3"),
        (&["model", "--executions", "0"], "write a number from 1 on"),
        (&["model", "--seed", "1"], "--sample"),
        (&["model", "--sample", "pos", "--bound", "delays=1"], "cannot be used with"),
        (&["model", "--sample", "pos", "--engine", "loom"], "--sample is of the engine explore"),
    ];
    for (arguments, expected) in cases {
        let output = windtunnel(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
}

/// A file with `text`, which goes with the process that asks for it.
fn plan_file(name: &str, text: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder of cargo's tests can be written to");
    path.to_str().expect("text").to_owned()
}

const TROUBLED: &str = "every_task_runs_despite_faults";

#[test]
fn a_bad_fault_plan_is_one_line_that_names_the_file_and_exit_status_2() {
    let fault = |fault: &str| format!("{{\"version\": 1, \"faults\": [\n{fault}\n]}}");
    let cases = [
        (
            "unknown",
            fault(r#"{"at": "1s", "kind": "restart", "node": "servr1"}"#),
            ":2: `1.000 s restart servr1` there is no node `servr1`: did you mean `server1`?",
        ),
        ("negative", fault(r#"{"at": "-1s", "kind": "restart", "node": "server1"}"#), ":2: `at`: `-1s` is negative"),
        (
            "overlap",
            fault("{\"at\": \"1s\", \"kind\": \"clog\"},\n{\"at\": \"2s\", \"kind\": \"clog\"}"),
            ":3: `2.000 s clog on every link` overlaps with line 2",
        ),
        ("version", "{\"version\": 9}".into(), ": is of version 9 and not 1"),
        ("truncated", "{\"version\": 1,\n\"faults\": [".into(), ":2: EOF"),
        ("garbage", "\u{1}\u{2}".into(), ":1: expected value"),
        (
            "foreign",
            "{\"version\": 1, \"scenario\": \"a::b\"}".into(),
            "is for the scenario `a::b` and not for `scheduler::",
        ),
        ("seed", "{\"version\": 1, \"seed\": 8}".into(), "is for the seed 8 and not for 7"),
    ];
    for (name, text, expected) in cases {
        let file = plan_file(name, &text);
        let sweep: &[&str] = &["sweep", TROUBLED, "--seeds", "2", "--faults", &file];
        for arguments in [sweep, &["replay", TROUBLED, "7", "--faults", &file]] {
            // A sweep is over many seeds: a plan that is for one is taken for each.
            if name == "seed" && arguments[0] == "sweep" {
                continue;
            }
            let output = windtunnel(arguments);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains(&file) && said.contains(expected) && said.lines().count() == 1, "{said}");
            assert_eq!(stdout(&output), "", "{arguments:?}");
        }
    }
    let output = windtunnel(&["replay", TROUBLED, "7", "--faults", "no/such/file"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no/such/file: "), "{}", stderr(&output));
    let calm = plan_file("calm", &fault(r#"{"at": "1s", "kind": "clog"}"#));
    let output = windtunnel(&["sweep", "a_dead_server_is_done_without", "--faults", &calm]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("ended without `sim.faults(…)`"), "{}", stderr(&output));
}

#[test]
fn a_plan_that_is_given_takes_the_place_of_what_the_seed_draws() {
    let text = r#"{"version": 1, "faults": [{"at": "1ms", "until": "900ms", "kind": "kill", "node": "server2"}]}"#;
    let file = plan_file("given", text);
    let output = windtunnel(&["replay", TROUBLED, "7", "--faults", &file]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let faults: Vec<String> =
        stdout(&output).lines().filter(|line| line.contains("fault: ")).map(str::to_owned).collect();
    assert!(faults.len() == 1 && faults[0].contains("fault: kill server2 until 0.900 s"), "{faults:?}");
    let output = windtunnel(&["sweep", TROUBLED, "--seeds", "20", "--verify", "--faults", &file]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_run_that_takes_too_long_is_given_up_and_reported() {
    // Long by its faults, which are the same again and again.
    let fault = |n| format!(r#"{{"at": "{n}ms", "until": "{}ms", "kind": "clog"}}"#, n + 1);
    let faults: Vec<String> = (0..20_000).map(fault).collect();
    let file = plan_file("long", &format!("{{\"version\": 1, \"faults\": [{}]}}", faults.join(",")));
    let [sweep, replay]: [&[&str]; 2] = [&["sweep", TROUBLED, "--seeds", "1"], &["replay", TROUBLED, "0"]];
    for arguments in [sweep, replay] {
        let output = windtunnel(&[arguments, &["--faults", &file, "--patience", "0.01"]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let said = stdout(&output);
        assert!(said.contains("no end within 10ms of real time"), "{said}");
        assert!(said.contains("not tried: it would not end either"), "{said}");
    }
}

#[test]
fn a_bad_patience_of_the_environment_is_one_line_and_exit_status_2() {
    for arguments in [&["check"][..], &["sweep", TROUBLED], &["replay", TROUBLED, "1"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windtunnel"));
        let output = command.args(arguments).env("WINDTUNNEL_PATIENCE", "-5").output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(
            said.starts_with("windtunnel: WINDTUNNEL_PATIENCE is `-5`: write") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn a_replay_shows_the_lines_that_rust_log_asks_for_and_is_the_same_run() {
    let replay = |log: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windtunnel"));
        command.args(["replay", TROUBLED, "1"]).env("RUST_LOG", log).output().expect("the binary starts")
    };
    let (all, net, none) = (replay(""), replay("info,windtunnel::net=trace"), replay("off"));
    let (all, net, none) = (stdout(&all), stdout(&net), stdout(&none));
    let (lines, end) = all.rsplit_once("\n\n").expect("the lines, then what came of it");
    assert_eq!(none.trim_start(), end);
    let (shown, its_end) = net.rsplit_once("\n\n").expect("the lines, then what came of it");
    let by_net = [": packet ", ": tcp ", ": lookup "];
    let expected: Vec<&str> = lines
        .lines()
        .filter(|line| by_net.iter().any(|said| line.contains(said)) && !line.contains(": blocks"))
        .collect();
    assert_eq!((shown.lines().collect::<Vec<_>>(), its_end), (expected, end));

    let refused = replay("windtunnel=loud=er");
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.starts_with("windtunnel: RUST_LOG is `windtunnel=loud=er`") && said.lines().count() == 1, "{said}");
}

#[test]
fn list_shows_every_scenario_model_and_bug() {
    insta::assert_snapshot!(stdout(&windtunnel(&["list"])));
}

#[test]
fn bugs_are_found_and_their_rows_are_json() {
    let output = windtunnel(&["bugs", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let listed = windtunnel(&["list", "--json"]);
    assert_eq!(rows.len(), stdout(&listed).matches(r#""kind":"bug""#).count());
    assert!(rows.len() > 5);
    for row in rows {
        let verdict = row["verdict"].as_str().expect("text");
        assert_eq!((&row["kind"], &row["complete"]), (&"bug".into(), &true.into()), "{row}");
        for key in ["name", "symptom", "checker"] {
            assert!(row[key].is_string(), "{key} in {row}");
        }
        for key in ["runs", "elapsed_ms"] {
            assert!(row[key].is_u64(), "{key} in {row}");
        }
        if verdict == "excluded" || row["checker"] == "compiler" {
            continue;
        }
        assert_eq!(verdict, "found", "{row}");
        // What the row says replays it does: the same failure, exit status 1.
        let replay = row["replay"].as_str().expect("text");
        let arguments: Vec<&str> = replay.strip_prefix("cargo windtunnel ").expect("ours").split(' ').collect();
        let replayed = windtunnel(&arguments);
        assert_eq!(replayed.status.code(), Some(1), "{replay}");
        // A model's is a word that its report has in capitals.
        let symptom = row["symptom"].as_str().expect("text");
        let shown = stdout(&replayed);
        assert!(shown.contains(symptom) || shown.contains(&symptom.to_uppercase()), "{shown}");
    }
}

#[test]
fn a_sweep_does_the_same_in_another_process_and_on_any_number_of_threads() {
    let traces = |jobs: &str| {
        let output = windtunnel(&["sweep", "--seeds", "50", "--verify", "--json", "--jobs", jobs]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let trace = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("json")["trace"].clone();
        stdout(&output).lines().map(trace).collect::<Vec<_>>()
    };
    let first = traces("1");
    assert!(first.len() >= 5 && first.iter().all(serde_json::Value::is_string));
    assert_eq!(first, traces("2"));
}

#[test]
fn a_replay_writes_a_page_and_a_trace_for_perfetto() {
    let folder = tempfile::tempdir().expect("a folder");
    let [page, trace] = ["run.html", "run.json"].map(|name| folder.path().join(name).display().to_string());
    let output = windtunnel(&["replay", "a_dead_server_is_done_without", "1", "--html", &page, "--trace", &trace]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(
        page.starts_with("<!doctype html>") && page.contains(r#""name":"scheduler::a_dead_server_is_done_without""#)
    );
    let trace: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(trace).expect("a trace")).expect("one object");
    assert!(trace["traceEvents"].as_array().is_some_and(|events| events.len() > 100));
}

#[test]
fn a_seed_replays_to_the_same_trace() {
    let replay = || stdout(&windtunnel(&["replay", "every_task_runs_despite_faults", "7"]));
    let first = replay();
    assert_eq!(first, replay());
    assert!(first.lines().count() > 100 && first.contains("fault: "), "{first}");
    assert!(first.contains("seed 7  ok after"), "{first}");
}

#[test]
fn ctrl_c_stops_cleanly_and_reports_what_was_done() {
    let mut sweep = Command::new(env!("CARGO_BIN_EXE_windtunnel"))
        .args(["sweep", "a_dead_server_is_done_without", "--seeds", "100000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    std::thread::sleep(Duration::from_millis(500));
    let interrupted = Instant::now();
    let kill = Command::new("kill").args(["-INT", &sweep.id().to_string()]).status().expect("kill is there");
    assert!(kill.success());
    let status = sweep.wait().expect("it ends");
    assert!(interrupted.elapsed() < Duration::from_secs(10), "it ended late");
    assert_eq!(status.code(), Some(1));
    let mut text = String::new();
    sweep.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
    assert!(text.contains("interrupted") && text.contains("0 of 1 as they should be"), "{text}");
}

#[test]
fn executions_of_a_model_are_drawn_or_bounded_on_demand_and_the_verdict_says_so() {
    let model = |options: &[&str]| {
        let arguments: Vec<&str> = ["model", "one_server_two_tasks", "--json"].iter().chain(options).copied().collect();
        let output = windtunnel(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        let row: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one object");
        assert_eq!(row["complete"], false, "{row}");
        (row["runs"].as_u64().expect("a number"), row["symptom"].as_str().expect("a bound").to_owned())
    };
    let (runs, symptom) = model(&["--sample", "pct:depth=3", "--executions", "200", "--seed", "5"]);
    assert_eq!(runs, 200);
    assert!(
        symptom.starts_with("bounded: PCT of depth 3, 200 executions, seed 5; a bug of depth 3 is missed with"),
        "{symptom}"
    );
    let (_, symptom) = model(&["--engine", "explore", "--bound", "preemptions=1"]);
    assert_eq!(symptom, "bounded: at most 1 preemptions");
    let (_, symptom) = model(&["--bound", "delays=1"]);
    assert_eq!(symptom, "bounded: at most 1 delays");
}

#[test]
fn a_search_of_a_model_is_kept_in_a_file_and_goes_on_from_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("search").display().to_string();
    let search = |options: &[&str]| {
        let arguments: Vec<&str> = ["model", "two_servers_one_task"].iter().chain(options).copied().collect();
        let output = windtunnel(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    let whole = search(&["--engine", "explore", "--json"]).0;
    let whole: serde_json::Value = serde_json::from_str(&whole).expect("one object");
    let (stopped, kept) = search(&["--resume", &file, "--executions", "10"]);
    assert!(stopped.contains("bounded (stopped after 10 executions)  10 executions"), "{stopped}");
    assert!(kept.contains("the same command goes on from there"), "{kept}");
    let (done, _) = search(&["--resume", &file, "--threads", "2"]);
    assert!(done.contains(&format!("complete  {} executions", whole["runs"])), "{done}");
    assert!(!std::path::Path::new(&file).exists(), "there is nothing to go on from");
}
