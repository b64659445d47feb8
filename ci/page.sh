#!/usr/bin/env bash
# The picture of a run in a real browser: pages of 10 and of 20,000 packets try themselves (#selftest: hover, click, search,
# zoom, the time of a frame), without an error on the console, and are drawn, light and dark, into target/windtunnel/*.png.
# Needs Debian's package `chromium`; CI does not run it.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v chromium > /dev/null; then
  echo "skipped: there is no chromium here (apt-get install chromium)"
  exit 0
fi
cargo test --locked --quiet --package windtunnel-suite --test suite timeline::

pages=$PWD/target/windtunnel
profile=$(mktemp --directory)
trap 'rm -rf "$profile"' EXIT
browse() {
  timeout 120 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" \
    --window-size=1500,900 --enable-logging=stderr "$@" 2> "$profile/log"
}

for size in small:10 large:20000; do
  page=$pages/timeline.${size%:*}.1.html
  browse --dump-dom "file://$page#selftest" > "$profile/dom"
  result=$(grep --only-matching '{"packets":.*}</pre>' "$profile/dom" | sed 's,</pre>,,' || true)
  echo "${page##*/}: ${result:-no result}"
  if grep 'CONSOLE.*\(rror\|Refused\)' "$profile/log"; then exit 1; fi
  [[ $result == '{"packets":'${size#*:}',"lines":'*'"failed":[]}' ]] || exit 1
  for scheme in 0:dark 1:light; do
    browse --blink-settings=preferredColorScheme="${scheme%:*}" --screenshot="${page%.html}.${scheme#*:}.png" "file://$page"
  done
done
