#!/usr/bin/env bash
# Miri over what is unsafe: waiters in pinned futures, the locks, the slots; under stacked and under tree borrows. Needs a
# nightly with Miri (`rustup +nightly component add miri rust-src`); elsewhere it says that it did not run.
set -euo pipefail
if ! cargo +nightly miri --version >/dev/null 2>&1; then
  echo "ci/miri.sh: SKIPPED: there is no nightly with Miri here"
  exit 0
fi
for flags in "" -Zmiri-tree-borrows; do
  MIRIFLAGS=$flags cargo +nightly miri test --locked --package windtunnel --test miri
done
