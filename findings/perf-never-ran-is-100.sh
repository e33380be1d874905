#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# An event that never counted, since its task slept all the time, is said to have run 100 % of it by `perf stat -x` and `perf stat -j` of
# perf 6.1: the share is 100 if there is no time to divide by. So this field, which tells multiplexed counts from whole ones, does
# not tell counts from none; only the first field does, "<not counted>" in the place of a number. perf's status is 0.
set -euo pipefail
work="$(mktemp -d)"
trap 'kill "${sleeper:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'linux-perf=6.1*' >/dev/null || { echo "it needs Debian 12's package linux-perf, from its archive" >&2; exit 1; }
dpkg-deb -x linux-perf_*.deb .
perf="$(ls usr/bin/perf* | grep -E 'perf(_[0-9.]+)?$' | head -1)"
echo "Linux $(uname -r), $("$perf" --version)"
sleep 300 &
sleeper=$!
sleep 1 # until it does
"$perf" stat -x, -o fields -e task-clock,page-faults -p "$sleeper" sleep 0.1
"$perf" stat -j -o json -e task-clock,page-faults -p "$sleeper" sleep 0.1
grep -h counted fields json
[[ "$(grep -c '^<not counted>,[a-z]*,[a-z-]*,0,100.00,' fields)" == 2 ]]
[[ "$(grep -c '"counter-value" : "<not counted>",.*"event-runtime" : 0, "pcnt-running" : 100.00' json)" == 2 ]]
