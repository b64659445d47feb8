#!/usr/bin/env bash
# The main job: every scenario, every model, every known bug.
set -euo pipefail
cargo run --locked --release --quiet
