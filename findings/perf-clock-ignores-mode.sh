#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Linux accepts :u and :k (exclude_kernel, exclude_user) for its clock events and ignores them: `task-clock:u`, `task-clock:k` and
# `task-clock` all count the same time, of a program that is in the kernel nearly all the time. They are reported with
# their modifiers, at 100 % running, and add up to twice what passed.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'linux-perf=6.1*' >/dev/null
dpkg-deb -x linux-perf_*.deb .
perf="$(ls usr/bin/perf* | grep -E 'perf(_[0-9.]+)?$' | head -1)"
echo "Linux $(uname -r), $("$perf" --version)"
"$perf" stat -x, -o counts -e task-clock,task-clock:u,task-clock:k dd if=/dev/zero of=/dev/null bs=1M count=2000 2>/dev/null
cat counts
awk -F, '$3 ~ /^task-clock/ { ms[$3] = $1 } END {
	whole = ms["task-clock"]; user = ms["task-clock:u"]; kernel = ms["task-clock:k"]
	printf "user / whole %.3f, kernel / whole %.3f\n", user / whole, kernel / whole
	exit !(user / whole > 0.95 && kernel / whole > 0.95 && user / whole < 1.05) }' counts
