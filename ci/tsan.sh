#!/usr/bin/env bash
# ThreadSanitizer over the stress test and the small tests that Miri runs. It needs a nightly with the sources of std
# (`rustup component add --toolchain nightly rust-src`), which are built with it; elsewhere it says that it did not run.
set -euo pipefail
if ! [ -d "$(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ]; then
  echo "ci/tsan.sh: SKIPPED: there is no nightly with rust-src here"
  exit 0
fi
# The runtime alone, without simulations: it needs no --cfg madsim.
export RUSTFLAGS=-Zsanitizer=thread WINDTUNNEL_STRESS_MESSAGES=${1:-50000}
cargo +nightly test --locked -Zbuild-std --target x86_64-unknown-linux-gnu --package windtunnel --test stress --test miri
