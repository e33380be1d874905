# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf record` from a real guest to the file and to the real perf: exact, whole whatever ends it, honest on loss."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import PVPERF
from processes import children, wait_gone

from emulator.recording.perfdata.reader import PerfData, read
from emulator.recording.profile.symbolize import Symbolizer

needs_perf = pytest.mark.skipif(not shutil.which("perf"), reason="needs perf: install linux-perf")
SHARES = {"hot": 70, "warm": 20, "cool": 10}
#: As fast as samples come: exact numbers of them are wanted.
ANY_RATE = ("--max-sample-rate", "0")
HANG_SECONDS = 60


def command(path: Path, *arguments: object) -> list[str]:
    return [*PVPERF, "record", "-o", str(path), *map(str, arguments)]


def record(path: Path, *arguments: object) -> tuple[PerfData, str]:
    """The recording, and what was said of it."""
    done = subprocess.run(command(path, *arguments), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return read(str(path)), done.stderr


def periods(data: PerfData, event: int = 0, vcpu: int | None = None) -> list[int]:
    return [s.period for s in data.samples if s.event == event and vcpu in (None, s.vcpu)]


@pytest.mark.parametrize("period", [999_983, 100_000, 12_345])
def test_a_sample_for_every_period(tmp_path: Path, period: int) -> None:
    """floor(N / P) of them; what they say that was counted adds up to the last of them, at most a block behind."""
    data, said = record(tmp_path / "x", *ANY_RATE, "-c", period, "hotspots")
    counted = subprocess.run(
        [sys.executable, "-m", "emulator", "stat", "-x,", "-e", "instructions", "hotspots"],
        capture_output=True,
        text=True,
        check=True,
    )
    total = int(counted.stderr.split(",")[0])
    assert len(data.samples) == total // period
    assert f"({total // period} samples)" in said
    assert "lost" not in said
    assert 0 <= sum(periods(data)) - total // period * period < 4096
    assert all(abs(each - period) < 4096 for each in periods(data))


def test_events_are_independent(tmp_path: Path) -> None:
    data, _ = record(tmp_path / "x", *ANY_RATE, "-e", "instructions,branches,cycles:k", "-c", 30_011, "hotspots")
    alone = {}
    for index, event in enumerate(("instructions", "branches", "cycles:k")):
        only, _ = record(tmp_path / "y", *ANY_RATE, "-e", event, "-c", 30_011, "hotspots")
        alone[event] = len(only.samples)
        assert len(periods(data, index)) == alone[event]
    assert [event.name for event in data.events] == list(alone)


def test_each_vcpu_has_its_own(tmp_path: Path) -> None:
    data, _ = record(tmp_path / "x", *ANY_RATE, "-c", 100_000, "--smp", 3, "hotspots")
    assert {s.vcpu for s in data.samples} == {0, 1, 2}
    assert all(len(periods(data, vcpu=vcpu)) >= 1000 for vcpu in range(3))
    times = [s.time_ns for s in data.samples]
    assert times == sorted(times)


def test_hot_spots_are_where_they_are(tmp_path: Path) -> None:
    data, _ = record(tmp_path / "x", *ANY_RATE, "-c", 10_000, "hotspots")
    symbolizer = Symbolizer(data)
    found = Counter(symbolizer.place(s.ip).name for s in data.samples)
    assert len(data.samples) >= 10_000
    for name, share in SHARES.items():
        assert abs(100 * found[name] / len(data.samples) - share) < 1


def test_call_chains(tmp_path: Path) -> None:
    data, _ = record(tmp_path / "x", "-g", "-c", 1_000_000, "hotspots")
    symbolizer = Symbolizer(data)
    for s in data.samples:
        if symbolizer.place(s.ip).name in SHARES:
            names = [place.name for place in symbolizer.chain(s)]
            assert names[0] in ("hotspots", *SHARES), names
            assert names[-3:] == ["guest_main", "cpu_start", "_start"]


def test_a_frequency_is_met(tmp_path: Path) -> None:
    """Of the clock, which needs no adapting: a millisecond at least for every sample, and none is held back."""
    data, _ = record(tmp_path / "x", "-e", "cpu-clock", "-F", 1000, "hotspots", "--", "iterations=30000")
    assert len(data.samples) >= 10
    assert sum(periods(data)) >= len(data.samples) * 1_000_000


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    """Forced misses: fewer samples, and every overflow accounted for."""
    path = tmp_path / "x"
    data, said = record(path, *ANY_RATE, "--fault", "trylock=50%", "--seed", 3, "-c", 100_000, "-q", "hotspots")
    match = re.search(r"lost: ([\d,]+) of ([\d,]+) overflows .* came together with another \(([\d,]+) of", said)
    assert match, said
    without, raised, missed = (int(group.replace(",", "")) for group in match.groups())
    assert raised == 1002
    assert len(data.samples) == raised - without
    assert 400 < missed < 600
    assert sum(periods(data)) < raised * 100_000 + 4096


def test_throttling_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    _, said = record(path, "--max-sample-rate", 1000, "-c", 1000, "hotspots")
    assert "throttled" in said


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--max-events", 1), r"event branches was not sampled: the VM's limit of open events .* \(--max-events\)"),
        (("--no-pv-perf",), r"event instructions was not sampled: the VM does not offer the interface"),
    ],
)
def test_what_was_not_sampled_is_said(tmp_path: Path, option: tuple[object, ...], why: str) -> None:
    done = subprocess.run(
        command(tmp_path / "x", *option, "-e", "instructions,branches", "hello"), capture_output=True, text=True
    )
    assert done.returncode == 126
    assert re.search(f"^pvperf: {why}", done.stderr, re.MULTILINE), done.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_whole_file(tmp_path: Path, signum: signal.Signals) -> None:
    path = tmp_path / "x"
    process = start(path, "-c", 100_000, "spin", "--", "iterations=100000000000")
    process.send_signal(signum)
    _, said = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == -signum
    assert "Captured and wrote" in said
    assert read(str(path)).samples
    assert read(str(path)).complete


@pytest.mark.parametrize("victim", ["front end", "host", "vCPU"])
def test_a_kill_leaves_a_file_that_can_be_read(tmp_path: Path, victim: str) -> None:
    path = tmp_path / "x"
    process = start(path, "-c", 100_000, "--smp", 2, "spin", "--", "iterations=100000000000")
    host = children(process.pid)[-1]
    vcpus = children(host)
    everyone = [process.pid, host, *vcpus]
    os.kill({"front end": process.pid, "host": host, "vCPU": vcpus[0]}[victim], signal.SIGKILL)
    process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == (-signal.SIGKILL if victim == "front end" else 125)
    assert wait_gone(everyone, HANG_SECONDS)
    assert len(read(str(path)).samples) > 10
    assert not read(str(path)).complete


def start(path: Path, *arguments: object) -> subprocess.Popen[str]:
    """A recording in progress that has some samples in its file."""
    process = subprocess.Popen(
        command(path, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=listen
    )
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and path.stat().st_size > 20_000:
            break
        time.sleep(0.02)
    return process


def listen() -> None:
    """A test runner in the background may have been started deaf to this."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("-e", "cache-misses", "-c", 100, "memwalk", "--", "bytes=4M", "steps=100000"), 100),
        (("-e", "L1-dcache-loads", "-c", 1000, "memwalk", "--", "bytes=64K", "steps=100000"), 100),
        (("-e", "branch-misses", "-c", 1000, "branchy", "--", "iterations=100000"), 20),
    ],
)
def test_events_of_the_models(tmp_path: Path, arguments: tuple[object, ...], count: int) -> None:
    data, _ = record(tmp_path / "x", *ANY_RATE, *arguments)
    assert len(data.samples) > count
    assert sum(periods(data)) >= len(data.samples) * int(str(arguments[3]))


@needs_perf
def test_perf_agrees(tmp_path: Path) -> None:
    path = tmp_path / "x"
    data, _ = record(path, *ANY_RATE, "-g", "-e", "instructions,branches", "-c", 100_000, "--smp", 2, "hotspots")

    def perf(*words: str, check: Callable[[str], bool] = lambda err: err == "") -> str:
        done = subprocess.run(
            ["perf", *words, "-i", str(path)], capture_output=True, text=True, timeout=300, check=True
        )
        assert check(done.stderr), done.stderr
        return done.stdout

    assert perf("evlist") == "instructions\nbranches\n"
    stats = perf("report", "--stats")
    assert re.search(rf"SAMPLE events: +{len(data.samples)}\b", stats)
    lines = perf("script", "-F", "event,ip,sym", "-G").split("\n")
    theirs = Counter(line.split()[-1] for line in lines if "instructions" in line)
    symbolizer = Symbolizer(data)
    ours = Counter(symbolizer.place(s.ip).name for s in data.samples if s.event == 0)
    assert {name: theirs[name] for name in SHARES} == {name: ours[name] for name in SHARES}
    report = perf("report", "--stdio", "--no-children", "-g", "none")
    assert re.search(r"hotspots.elf +\[\.\] hot\b", report)
    if shutil.which("objdump"):
        annotated = perf("annotate", "--stdio", "-s", "hot", check=lambda _: True)
        assert "hotspots.c" in annotated or "hot():" in annotated
