#!/usr/bin/env bash
# An environment RUSTFLAGS replaces the flags of .cargo/config.toml: that is one clear error and not a hundred.
set -euo pipefail
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
if output=$(RUSTFLAGS=-Cdebuginfo=0 CARGO_TARGET_DIR=$target cargo check --locked --package windtunnel-sim 2>&1); then
  echo "ci/flags.sh: a build without --cfg madsim went through" >&2
  exit 1
fi
errors=$(grep -E '^error' <<<"$output" || true)
echo "$errors"
[ "$(grep -c 'needs `--cfg madsim`' <<<"$errors")" -eq 1 ] && [ "$(wc -l <<<"$errors")" -eq 1 ] || {
  echo "ci/flags.sh: expected one error, which names the flag; the output was:" >&2
  echo "$output" >&2
  exit 1
}
