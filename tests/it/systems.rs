//! `docs/systems.md`: which row of the census is in which module, and what checks it. Generated, and held to be current.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// A system of the talks.
struct System {
    /// Its rows in the census.
    rows: &'static str,
    name: &'static str,
    /// In `patterns/src`, a file or a folder each.
    modules: &'static [&'static str],
    /// Beginnings of the names of its scenarios and models.
    checks: &'static str,
}

const SYSTEMS: [System; 23] = [
    System { rows: "A1.3", name: "tee", modules: &["tee"], checks: "tee::" },
    System { rows: "A1.4", name: "connection", modules: &["conn", "pipe"], checks: "conn::" },
    System { rows: "A1.5", name: "finger", modules: &["finger"], checks: "finger::" },
    System { rows: "A1.5", name: "finger as a service", modules: &["finger", "service"], checks: "service::finger" },
    System { rows: "A1.6", name: "chat loop", modules: &["chat"], checks: "chat::" },
    System { rows: "A2.1–A2.3, A2.5, A2.6", name: "address lookup", modules: &["lookup"], checks: "lookup::" },
    System { rows: "A2.4, A2.7", name: "ParallelDo", modules: &["par"], checks: "par::" },
    System { rows: "A3", name: "quorum storage", modules: &["quorum"], checks: "quorum::" },
    System { rows: "A4.1", name: "fork-join", modules: &["fork_join"], checks: "fork_join::" },
    System { rows: "A4.2", name: "TCP service", modules: &["service"], checks: "service::" },
    System { rows: "A4.3", name: "mail", modules: &["smtp"], checks: "smtp::" },
    System { rows: "A4.4", name: "an end by a signal", modules: &["shutdown"], checks: "smtp::" },
    System { rows: "A4.5", name: "first response", modules: &["first"], checks: "first::" },
    System { rows: "A5.1, A5.3–A5.6", name: "quoted string", modules: &["quoted"], checks: "quoted::" },
    System { rows: "A5.7–A5.9", name: "live tasks", modules: &["debug", "http"], checks: "debug::" },
    System { rows: "A6", name: "publish/subscribe", modules: &["pubsub"], checks: "pubsub" },
    System { rows: "A7", name: "work scheduler", modules: &["scheduler"], checks: "scheduler" },
    System { rows: "A8", name: "replicated client", modules: &["replicated"], checks: "replicated::" },
    System { rows: "A9", name: "protocol multiplexer", modules: &["mux", "frame", "pipe"], checks: "mux::" },
    System { rows: "A10.1", name: "vending machine", modules: &["vending"], checks: "vending::" },
    System { rows: "A10.4, A10.5", name: "square pipeline", modules: &["pipeline"], checks: "pipeline::" },
    System { rows: "A10.6, A10.7", name: "repository, safe map", modules: &["repository"], checks: "repository::" },
    System { rows: "A10.2, A10.3", name: "home routers", modules: &["routers"], checks: "routers::" },
];

/// A hint of the talk 002, all of which it repeats at 002:2754-2781.
struct Hint {
    text: &'static str,
    /// Where it stands before.
    lines: &'static str,
    /// Scenarios, models and bugs that show it.
    shown_by: &'static [&'static str],
}

const HINTS: [Hint; 18] = [
    Hint {
        text: "Use the race detector, for development and even production",
        lines: "1231",
        shown_by: &["racy-counter", "first-loop-var"],
    },
    Hint {
        text: "Convert data state into code state when it makes programs clearer",
        lines: "151",
        shown_by: &["quote-no-final-status", "quoted::bad_input_is_told_at_once"],
    },
    Hint {
        text: "Convert mutexes into goroutines when it makes programs clearer",
        lines: "803",
        shown_by: &["pubsub_mutex::everybody_sees_one_order", "pubsub_loop::everybody_sees_one_order"],
    },
    Hint {
        text: "Use additional goroutines to hold additional code state",
        lines: "217",
        shown_by: &["quoted::each_character_has_its_status"],
    },
    Hint {
        text: "Use goroutines to let independent concerns run independently",
        lines: "1080, 1165, 1759, 2014, 2449",
        shown_by: &["pubsub::a_helper_takes_the_delay_of_a_slow_subscriber", "scheduler_steps::sending_task_1_for_2"],
    },
    Hint {
        text: "Consider the effect of slow goroutines",
        lines: "501",
        shown_by: &[
            "pubsub::a_slow_subscriber_that_nobody_waits_for_delays_nobody",
            "pipeline::workers_run_ahead_of_the_reader_by_the_buffer",
            "scheduler::a_slow_server_delays_the_end_by_no_more_than_the_deadline",
        ],
    },
    Hint {
        text: "Know why and when each communication will proceed",
        lines: "1861, 2183, 2494",
        shown_by: &["sched-work-done-deadlock", "scheduler_steps::requeue_1_for_2", "client-done-capacity-1-leak"],
    },
    Hint {
        text: "Know why and when each goroutine will exit",
        lines: "251, 2353, 2490",
        shown_by: &["sched-accept-leak", "scheduler_steps::exit_1_for_2", "quote-early-stop-leak"],
    },
    Hint {
        text: "Type Ctrl-\\ to kill a program and dump all its goroutine stacks",
        lines: "287",
        shown_by: &["smtp::every_accepted_mail_is_whole_while_the_server_drains"],
    },
    Hint {
        text: "Use the HTTP server's /debug/pprof/goroutine to inspect live goroutine stacks",
        lines: "322",
        shown_by: &[],
    },
    Hint {
        text: "Use a buffered channel as a concurrent blocking queue",
        lines: "1129",
        shown_by: &["scheduler_steps::idle_servers_1_for_2", "scheduler_steps::buffered_work_1_for_2"],
    },
    Hint {
        text: "Think carefully before introducing unbounded queuing",
        lines: "515, 1523, 1689, 2083",
        shown_by: &[
            "pubsub_helpers::coalesced_events_add_up",
            "scheduler_steps::every_program_finishes_the_same_tasks",
        ],
    },
    Hint {
        text: "Close a channel to signal that no more values will be sent",
        lines: "375, 1692, 2250",
        shown_by: &["sched-close-before-requeue", "scheduler_steps::workers_1_for_2"],
    },
    Hint { text: "Stop timers you don't need", lines: "2487", shown_by: &["client-timeout-beats-reply"] },
    Hint {
        text: "Prefer defer for unlocking mutexes",
        lines: "458",
        shown_by: &["reentrant-lock-move-deadlock", "lookup-done-not-deferred"],
    },
    Hint {
        text: "Use a mutex if that is the clearest way to write the code",
        lines: "2413",
        shown_by: &["replicated::two_callers_do_not_disturb_each_other", "client-stale-preference"],
    },
    Hint {
        text: "Use a goto if that is the clearest way to write the code",
        lines: "2562",
        shown_by: &["replicated::a_server_that_fails_is_overtaken"],
    },
    Hint {
        text: "Use goroutines, channels, and mutexes together if that is the clearest way to write the code",
        lines: "2747",
        shown_by: &["mux::each_of_two_calls_has_its_own_reply", "mux-unlock-between-lookup-and-delete"],
    },
];

/// The names of every scenario, model and bug.
fn registered() -> Vec<String> {
    let scenarios = windtunnel_sim::scenarios().into_iter().map(windtunnel_sim::Scenario::name);
    let models = windtunnel_model::models().into_iter().map(windtunnel_model::Model::name);
    let bugs = windtunnel_suite::bugs::BUGS.iter().map(|bug| bug.id.to_owned());
    scenarios.chain(models).chain(bugs).collect()
}

fn hints() -> String {
    let mut hints = String::from(
        "\n## The hints\n\n| # | hint | lines of 002 | shown by the scenario, model or known bug |\n| --- | --- | --- | --- |\n",
    );
    for (number, Hint { text, lines, shown_by }) in (1..).zip(&HINTS) {
        let shown_by: Vec<_> = shown_by.iter().map(|name| format!("`{name}`")).collect();
        let shown_by = shown_by.join("<br>");
        writeln!(hints, "| {number} | {text} | {lines} | {shown_by} |").expect("a string takes anything");
    }
    hints
}

#[test]
fn what_shows_a_hint_exists() {
    let registered = registered();
    for name in HINTS.iter().flat_map(|hint| hint.shown_by) {
        assert!(registered.iter().any(|it| it == name), "there is no scenario, model or bug `{name}`");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace").to_owned()
}

/// The names that begin so.
fn names(all: impl Iterator<Item = String>, beginning: &str) -> String {
    let names: Vec<_> = all.filter(|name| name.starts_with(beginning)).map(|name| format!("`{name}`")).collect();
    names.join("<br>")
}

fn table() -> String {
    let mut table = String::from(
        "# The systems of the talks\n\n\
         Each row of the census that is a pattern here, with the module and what checks it. `WINDTUNNEL_WRITE_DOCS=1 cargo test -p \
         windtunnel-suite --test suite systems::` writes this file; without the variable that test holds it to be current.\n\n\
         | census | system | module of `windtunnel_patterns` | scenarios | models |\n| --- | --- | --- | --- | --- |\n",
    );
    for System { rows, name, modules, checks } in SYSTEMS {
        let modules: Vec<_> = modules.iter().map(|module| format!("`{module}`")).collect();
        let scenarios = names(windtunnel_sim::scenarios().into_iter().map(windtunnel_sim::Scenario::name), checks);
        let models = names(windtunnel_model::models().into_iter().map(windtunnel_model::Model::name), checks);
        writeln!(table, "| {rows} | {name} | {} | {scenarios} | {models} |", modules.join(", "))
            .expect("a string takes anything");
    }
    table + &hints()
}

#[test]
fn the_table_of_systems_is_current() {
    let (path, table) = (root().join("docs/systems.md"), table());
    if std::env::var_os("WINDTUNNEL_WRITE_DOCS").is_some() {
        fs::write(&path, &table).expect("a writable file");
    }
    assert_eq!(fs::read_to_string(path).expect("a readable file"), table, "write it again, as its first lines say");
}

#[test]
fn every_module_of_the_patterns_is_in_the_table() {
    // What several patterns share and no row is about.
    const SHARED: [&str; 5] = ["lib", "ask", "call", "owned", "race"];
    for entry in fs::read_dir(root().join("patterns/src")).expect("a folder of the workspace") {
        let path = entry.expect("a readable folder").path();
        let module = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8");
        let listed = SYSTEMS.iter().any(|system| system.modules.contains(&module));
        assert!(listed || SHARED.contains(&module), "`{module}` is of no system");
    }
    for module in SYSTEMS.iter().flat_map(|system| system.modules) {
        let path = root().join("patterns/src").join(module);
        assert!(path.is_dir() || path.with_extension("rs").is_file(), "there is no module `{module}`");
    }
}
