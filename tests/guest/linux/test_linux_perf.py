# SPDX-License-Identifier: GPL-2.0-only
"""perf in Debian's kernel, through the guest driver and the paravirtual interface: what it counts and samples.

Skipped where Debian's kernel was not fetched. A boot takes some seconds of CPU, which is why there is one for each test
of many things.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import PVPERF

from emulator.debian import places
from emulator.guest.build import find_compiler
from emulator.guest.linux.driver import NAME, build_driver

NATIVE = Path(__file__).resolve().parents[2] / "native"
TIMEOUT_SECONDS = 800
#: Figures of the host's, and of the driver's in /sys, that have to be the same.
OVERFLOWS = "overflows_delivered"


@dataclass
class Ran:
    """What a command in the guest wrote, its status, and what the host says of the run."""

    output: str
    status: int
    host: dict[str, int]

    def driver(self) -> dict[str, int]:
        """The driver's figures, which the command printed last."""
        return {name: int(value) for name, value in re.findall(r"^figure (\w+) (\d+)$", self.output, re.MULTILINE)}


FIGURES = "for f in /sys/bus/event_source/devices/cpu/pvperf/*; do echo figure ${f##*/} $(cat $f); done"


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The driver as it is now, and the test programs, for the guest."""
    missing = [
        name for name in (places.KERNEL, places.SMALL, places.HEADERS) if not (places.directory() / name).exists()
    ]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in {places.directory()}: {places.FETCH}")
    folder = tmp_path_factory.mktemp("linux")
    driver, check, fuzz = folder / NAME, folder / "perf_check", folder / "perf_fuzz"
    driver.write_bytes(build_driver(places.fetched(places.HEADERS)))
    for program, sources in ((check, ["linux/perf_check.c", "checks.c"]), (fuzz, ["linux/perf_fuzz.c"])):
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static"]
        subprocess.run([*find_compiler(), *flags, *(NATIVE / name for name in sources), "-o", program], check=True)
    return [driver, check, fuzz]


def run_linux(added: list[Path], script: str, *options: str, full: bool = False) -> Ran:
    """Boots, takes the driver that was built now, and runs the shell's commands; their status is that of the run."""
    if full and not (places.directory() / places.FULL).exists():
        pytest.skip(f"no {places.FULL} in {places.directory()}: {places.FETCH}")
    command = [*PVPERF, "linux", "-v", *([] if full else ["--small"]), *options]
    command += [word for path in added for word in ("--add", str(path))]
    command += ["--", "sh", "-c", f"rmmod pvperf_pmu; insmod ./{NAME} && {{ {script}; }}"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    host = {
        name: int(value.replace(",", "")) for name, value in re.findall(r"^pvperf: (\w+) +([\d,]+)$", done.stderr, re.M)
    }
    assert host, f"{shlex.join(command)}: {done.stderr[-2000:]}"
    return Ran(done.stdout, done.returncode, host)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("smp", ["1", "2"])
def test_events_count_and_sample_what_was_executed(smp: str, added: list[Path]) -> None:
    """The checks of perf_check.c, each with code of known length: as often as the host delivers, perf gets a sample."""
    script = f"./perf_check; status=$?; {FIGURES}; dmesg | grep -E '[U]hhuh|[B]UG:'; exit $status"
    ran = run_linux(added, script, "--smp", smp)
    passed = re.findall(r"^PASS: (\w+)$", ran.output, re.MULTILINE)
    assert (ran.status, re.findall(r"^SUMMARY: .*", ran.output, re.M)) == (0, ["SUMMARY: 18 tests, 0 failures"]), (
        ran.output
    )
    assert len(set(passed)) == 18
    assert not re.search("Uhhuh|BUG:", ran.output)
    figures = ran.driver()
    assert figures["overflows"] + figures["never_sampled"] == ran.host[OVERFLOWS] > 1000
    assert figures["nmis"] + figures["empty_nmis"] == ran.host["nmi_injected"]
    assert figures["refused"] == 0


#: Of a fixed period: late samples mislead those who adapt one.
SAMPLING = "fixed_period follows_its_task throttled by_many"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--fault", "trylock=30%"], id="trylock"),
        pytest.param(["--fault", "trylock=30%", "--nmi", "deferred"], id="deferred", marks=pytest.mark.soak),
        pytest.param(["--fault", "guest-write=20%"], id="guest-write", marks=pytest.mark.soak),
        pytest.param(["--sync", "every-exit", "--hold-us", "50"], id="every-exit", marks=pytest.mark.soak),
        pytest.param(["--design", "per-vcpu"], id="per-vcpu", marks=pytest.mark.soak),
    ],
)
def test_what_the_host_fails_at_comes_later_and_is_not_lost(options: list[str], added: list[Path]) -> None:
    """NMIs that find the lock taken leave their overflows for the next one, or for the event's stop."""
    ran = run_linux(added, f"./perf_check {SAMPLING}; status=$?; {FIGURES}; exit $status", *options)
    assert ran.status == 0, ran.output
    figures = ran.driver()
    assert figures["overflows"] + figures["never_sampled"] == ran.host[OVERFLOWS] == ran.host["overflows_raised"] > 1000
    if "--fault" in options and "deferred" not in options:
        assert figures["at_stop"] > 0


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("smp", ["1", "2"])
@pytest.mark.parametrize("seed", range(100, 200, 10))
def test_what_is_done_at_random_leaves_nothing_behind(seed: int, smp: str, added: list[Path]) -> None:
    """Four tasks that open, control and close events: the host fails at nothing, and has no event left in the end."""
    script = f"./perf_fuzz {seed} 4 1500; {FIGURES}; dmesg | grep -E '[U]hhuh|[B]UG:'; rmmod pvperf_pmu"
    ran = run_linux(added, script, "--smp", smp)
    assert ran.status == 0, ran.output
    assert ran.output.count("operations") == 4
    assert not re.search("Uhhuh|BUG:", ran.output)
    figures = ran.driver()
    assert figures["refused"] == 0
    assert figures["overflows"] + figures["never_sampled"] == ran.host[OVERFLOWS]
    assert ran.host["hypercalls_open"] > ran.host["events_opened"] > 100
    assert "events_open" not in ran.host


@pytest.mark.timeout(300)
@pytest.mark.soak  # what stands in docs/linux-driver.md of it
def test_the_posted_design_loses_overflows(added: list[Path]) -> None:
    ran = run_linux(added, f"./perf_check {SAMPLING}; {FIGURES}", "--design", "posted", "--fault", "guest-write=20%")
    figures = ran.driver()
    assert 0 < figures["overflows"] < ran.host["overflows_raised"]


@pytest.mark.slow  # perf is 36 MB of RAM to unpack, and reads all symbols of the kernel's
@pytest.mark.timeout(300)
def test_debians_perf(added: list[Path]) -> None:
    commands = [
        "perf stat -x, -e instructions,cycles,branches,L1-dcache-load-misses ls / 2>&1 >/dev/null",
        "perf record -q -e instructions -c 10007 -o c.data find / -xdev >/dev/null",
        "perf report -i c.data --stats 2>/dev/null | grep 'SAMPLE events' | tail -n 1",
        FIGURES,
        "perf record -q -F 4000 -o f.data sh -c 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done'",
        "perf script -i f.data -F period,comm 2>/dev/null | grep -c sh",
    ]
    ran = run_linux(added, "; ".join(commands), full=True)
    assert ran.status == 0, ran.output
    counts = {name: int(count) for count, name in re.findall(r"^(\d+),,([\w-]+),", ran.output, re.MULTILINE)}
    assert counts.keys() == {"instructions", "cycles", "branches", "L1-dcache-load-misses"}
    assert 0 < counts["L1-dcache-load-misses"] < counts["branches"] < counts["instructions"] < counts["cycles"]
    samples = re.findall(r"SAMPLE events: +(\d+)", ran.output)
    assert [int(number) for number in samples] == [ran.driver()["overflows"]] != [0]
    assert 100 < int(ran.output.split()[-1]) < 400


#: Of `perf test`, each with its reason in docs/linux-driver.md.
FAILING = {
    "PERF_RECORD_* events & perf_sample fields",
    "Number of exit events of a simple workload",
    "Object code reading",
    "Test dwarf unwind",
}
#: Tests of perf's tables and of what it is linked with, some of which take minutes.
NOT_OF_EVENTS = "1,10,19,40,58,63,68"


@pytest.mark.soak  # two minutes
@pytest.mark.timeout(900)
def test_perfs_own_tests(added: list[Path]) -> None:
    ran = run_linux(added, f"perf test -s {NOT_OF_EVENTS} 2>&1", "-m", "1G", full=True)
    plain = re.sub(r"\x1b\[[\d;]*m|\r", "", ran.output)
    results = re.findall(r"^ *[\d.]+: (.*?) *: *(Ok|FAILED!|Skip.*)$", plain, re.MULTILINE)
    assert len(results) > 70, ran.output
    failed = {name for name, result in results if result == "FAILED!"}
    assert failed <= FAILING
    passed = {name for name, result in results if result == "Ok"}
    assert {
        *("Read samples using the mmap interface", "Breakpoint overflow sampling", "Breakpoint accounting"),
        *(
            "Write Only Watchpoint",
            "Event times",
            "Sigtrap",
            "Perf time to TSC",
            "x86 bp modify",
            "Track with sched_switch",
        ),
    } <= passed
