#!/usr/bin/env bash
# The documentation builds without a warning. The flag is added by --config: an environment RUSTDOCFLAGS would replace
# those of .cargo/config.toml.
set -euo pipefail
cargo doc --locked --workspace --no-deps --config 'build.rustdocflags=["-Dwarnings"]'
