#!/usr/bin/env bash
# An environment RUSTFLAGS replaces the flags of .cargo/config.toml: that is one clear error and not a hundred.
set -euo pipefail
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
if output=$(RUSTFLAGS=-Cdebuginfo=0 CARGO_TARGET_DIR=$target cargo check --locked --package windtunnel-sim 2>&1); then
  echo "ci/flags.sh: a build without --cfg madsim went through" >&2
  exit 1
fi
# cargo adds a line of its own after a build script's error.
errors=$(grep -E '^error' <<<"$output" | grep -v 'build script logged errors' || true)
echo "$errors"
if [ "$(wc -l <<<"$errors")" -ne 1 ] || ! grep -q 'needs `--cfg madsim`' <<<"$errors"; then
  echo "ci/flags.sh: expected one error, which names the flag; the output was:" >&2
  echo "$output" >&2
  exit 1
fi
