#!/usr/bin/env bash
# A short verified sweep: every seed twice, in different positions, every trace equal. Wide ones are the command line's.
set -euo pipefail
cargo run --locked --release --quiet -- sweep --verify --seeds "${SEEDS:-200}"
