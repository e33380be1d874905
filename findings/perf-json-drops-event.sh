#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# `perf data convert --to-json` of perf 6.1 writes the samples of all events into one list, in which each has a time, a thread and a call
# chain, but neither its event nor its period; of the headers, the command line alone names events. A sample that stands for 1
# and one of another event that stands for 100 look the same. `perf script` shows both for the same file.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'linux-perf=6.1*' >/dev/null || { echo "it needs Debian 12's package linux-perf, from its archive" >&2; exit 1; }
dpkg-deb -x linux-perf_*.deb .
perf="$(ls usr/bin/perf* | grep -E 'perf(_[0-9.]+)?$' | head -1)"
echo "Linux $(uname -r), $("$perf" --version)"
cat >touch.c <<'C'
#include <sys/mman.h>

enum { PAGES = 1000, PAGE = 4096 };

int main(void)
{
	char *pages = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(pages, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++)
		pages[i * PAGE] = 1;
}
C
cc -O1 -o touch touch.c
"$perf" record -q -e page-faults/period=1/u,minor-faults/period=100/u -o data ./touch
echo "perf script: samples, period, event"
"$perf" script -i data -F event,period 2>/dev/null | sort | uniq -c | tee events
"$perf" data convert -i data --to-json data.json 2>/dev/null
python3 - <<'PY'
import collections
import json

with open("data.json") as file:
    data = json.load(file)
kinds = collections.Counter(", ".join(sorted(sample)) for sample in data["samples"])
print("JSON:", dict(kinds))
with open("events") as file:
    events = [line.split() for line in file]
assert len(events) == 2 and sum(int(samples) for samples, *_ in events) == len(data["samples"])
assert len(kinds) == 1 and not {"event", "period", "id", "weight"} & set(data["samples"][0]), "it behaves differently now"
assert "faults" not in json.dumps({key: value for key, value in data["headers"].items() if key != "cmdline"})
PY
