#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Linux takes any period for its clock events, and fires them every 10 us at most (perf_swevent_start_hrtimer): with `-c 1000` there are
# as many samples as with `-c 10000`, but each says that 1,000 ns passed. Nothing is reported as lost or throttled, and
# the sum of the periods, which is what tools take for time, is a tenth of what it should be.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'linux-perf=6.1*' >/dev/null
dpkg-deb -x linux-perf_*.deb .
perf="$(ls usr/bin/perf* | grep -E 'perf(_[0-9.]+)?$' | head -1)"
echo "Linux $(uname -r), $("$perf" --version)"
cat >spin.c <<'C'
#include <time.h>

int main(void)
{
	while (clock() < CLOCKS_PER_SEC / 10)
		;
}
C
cc -O1 -o spin spin.c
sampled() { # $1 period, ns: samples, and what their periods add up to, in us
	"$perf" record -q -e cpu-clock:u -c "$1" -o data ./spin 2>/dev/null
	"$perf" script -i data -F comm,period 2>/dev/null | awk '$1 == "spin" { n++; sum += $2 } END { print n, int(sum / 1000) }'
}
read -r fast fast_us < <(sampled 1000)
read -r floor floor_us < <(sampled 10000)
echo "period  1000 ns: $fast samples, which add up to $fast_us us"
echo "period 10000 ns: $floor samples, which add up to $floor_us us"
((fast < 3 * floor && floor < 3 * fast && floor_us > 4 * fast_us))
