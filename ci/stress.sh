#!/usr/bin/env bash
# Ten million messages through channels and selects on several threads, with operations cancelled at random. A failure prints
# the seed of the choices, to be set as WINDTUNNEL_STRESS_SEED.
set -euo pipefail
WINDTUNNEL_STRESS_MESSAGES=${1:-10000000} cargo test --locked --release --package windtunnel --test stress
