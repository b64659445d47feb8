#!/usr/bin/env bash
# Plants faults in a copy of the workspace, one at a time: the test that the table names must catch each. Without an argument
# the first fault of every primitive; `all`, or a part of the name of a primitive, a fault or a catcher.
set -euo pipefail
WINDTUNNEL_PLANT=${1:-} cargo test --locked --package windtunnel-suite --test suite -- \
  --ignored --exact faults::every_planted_fault_is_caught --nocapture
