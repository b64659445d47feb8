//! `docs/systems.md`: which row of the census is in which module, and what checks it. Generated, and held to be current.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::assert_current;

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
    table
}

#[test]
fn the_table_of_systems_is_current() {
    assert_current("docs/systems.md", &table());
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
