#!/usr/bin/env bash
# A production binary, built with -p, has no symbol of a simulator, a model checker or a coroutine library. The command
# line, which has them, is the proof that the search finds them.
set -euo pipefail
foreign='madsim|loom|generator|corosensei'
# As the first part of a path: tokio has a module `tokio::loom` of its own.
count() { nm --demangle "$1" | grep -cP "(?<!::)\b($foreign)::" || true; }
cargo build --locked --release --package windtunnel --example tally
cargo build --locked --release --package windtunnel-cli
target=${CARGO_TARGET_DIR:-target}
in_production=$(count "$target/release/examples/tally")
in_command_line=$(count "$target/release/windtunnel")
echo "symbols of $foreign: $in_production in the production binary, $in_command_line in the command line"
[ "$in_production" -eq 0 ] || { echo "ci/purity.sh: the production binary is not pure" >&2; exit 1; }
[ "$in_command_line" -gt 0 ] || { echo "ci/purity.sh: the search finds nothing even where there is something" >&2; exit 1; }
