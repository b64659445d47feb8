#!/usr/bin/env bash
# No warning of rustc or clippy: the whole workspace, and the runtime in each of its feature sets.
set -euo pipefail
cargo clippy --locked --workspace --all-targets -- -D warnings
for features in "" sim model sim,model; do
  cargo clippy --locked --package windtunnel --features "$features" -- -D warnings
done
