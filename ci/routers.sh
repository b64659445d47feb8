#!/usr/bin/env bash
# 200,000 home routers here and in Go, in turn, three times each; a table of the medians. Needs Go: Debian's package `golang`. Not
# among what CI runs.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "ci/routers.sh: there is no go: install Debian's package golang" >&2; exit 1; }
routers=${1:-200000}
target=${CARGO_TARGET_DIR:-target}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo build --locked --release --package windtunnel-routers
go build -o "$out/go" tests/routers/main.go
for _ in 1 2 3; do
  "$target/release/windtunnel-routers" "$routers" >>"$out/windtunnel.txt"
  "$out/go" "$routers" >>"$out/go.txt"
done
medians() { for column in 1 2 3 4 5; do cut -d' ' -f"$column" "$1" | sort -g | sed -n 2p; done; }
printf '%-12s %14s %14s %12s %12s %12s\n' '' 'bytes/router' 'first event µs' 'event µs' 'query µs' 'stop µs'
# shellcheck disable=SC2046
for program in windtunnel go; do printf '%-12s %14s %14s %12s %12s %12s\n' "$program" $(medians "$out/$program.txt"); done
