#!/usr/bin/env bash
# The README's own test command, and a look at its output: a suite that ran no test fails.
set -euo pipefail
command=$(grep -o '^cargo test --workspace$' README.md | head -n 1)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
$command 2>&1 | tee "$log"
# Suite and number of tests, one a line.
counts=$(awk '
  /^ *Running / { suite = $2 == "unittests" ? $4 : $2 " " $3 }
  /^ *Doc-tests / { suite = "doc " $2 }
  /^running [0-9]+ tests?$/ { print suite, $2 }
' "$log" | sed -E 's/\(target\/debug\/deps\/([a-z_]+)-[0-9a-f]+\)/\1/')
for suite in windtunnel_suite 'it/main.rs suite' 'tests/cli.rs cli' 'tests/counts.rs counts' 'tests/brute_force.rs brute_force' 'tests/explore.rs explore' 'tests/schedules.rs schedules' 'tests/resume.rs resume' 'tests/limits.rs limits' 'clients.rs clients' 'tests/miri.rs miri' 'tests/stress.rs stress' 'tests/refused.rs refused' 'doc windtunnel' 'doc windtunnel_sim' 'doc windtunnel_model'; do
  if ! grep -qE "^$suite [1-9][0-9]*$" <<<"$counts"; then
    echo "ci/test.sh: suite '$suite' ran no test; the suites that ran:" >&2
    echo "$counts" >&2
    exit 1
  fi
done
