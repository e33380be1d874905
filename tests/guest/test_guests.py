# SPDX-License-Identifier: GPL-2.0-only
"""Guest tests: C programs on the emulator that report line by line. A new case is a new row of CASES."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emulator import VirtualMachine
from emulator.events import parse_events
from emulator.guest.build import build_guests
from emulator.guest.bundled import find_guest
from emulator.native import load_engine
from emulator.vm.cpus import missing

GUESTS = Path(__file__).resolve().parents[1] / "guests"
SUMMARY = re.compile(r"SUMMARY: (\d+) tests, (\d+) failures(?:, (\d+) skipped)?")


@dataclass(frozen=True)
class Case:
    """One guest, with the machine and the command line that it is run with."""

    guest: str
    smp: int = 1
    args: tuple[str, ...] = ()
    machine: dict[str, object] = field(default_factory=dict)
    slow: bool = False
    soak: bool = False

    def __str__(self) -> str:
        words = (self.guest, f"smp{self.smp}", *self.args, *(f"{key}={value}" for key, value in self.machine.items()))
        return "-".join(words)


CASES = [
    Case("discover", 1, ("vcpus=1", "ram=67108864", "feature=1", "max_events=1024", "counters=8")),
    Case("discover", 4, ("vcpus=4", "max_events=7", "counters=3"), {"max_events": 7, "counters": 3}),
    Case("discover", 2, ("feature=0",), {"pv_perf": False}),
    Case("avx", 1, (), {"cpu": "x86-64-v3"}),
    Case("avx", 2, (), {"cpu": "x86-64-v3"}),
    Case("errno"),
    Case("errno", 4),
    Case("window"),
    Case("window", 4),
    Case("retire"),
    Case("cycles"),
    Case("cycles", 1, ("watched=1",)),
    Case("cycles", 1, (), {"atomics": "trap"}),
    Case("migrate"),
    Case("migrate", 4),
    Case("groups"),
    Case("groups", 4),
    Case("limit", 4, (), {"max_events": 100}),
    Case("limit", 4, (), {"max_events": 1}),
    Case("halt", 1),
    Case("halt", 4),
    Case("closed", 4),
    Case("x87"),
    Case("x87", 1, (), {"oracle": True}),
    Case("debug"),
    Case("debug", 1, (), {"oracle": True}),
    Case("cpuid", 3),
    Case("cpuid", 1, (), {"oracle": True}),
    Case("cpuid", 1, ("level=1",), {"cpu": "x86-64"}),
    Case("cpuid", 2, ("level=2",), {"cpu": "x86-64-v2"}),
    Case("system"),
    Case("system", 1, (), {"cpu": "x86-64"}),
    Case("system", 1, (), {"oracle": True}),
    Case("fence", 2),
    Case("fence", 2, ("rounds=20000",), soak=True),  # on a busy machine a round takes milliseconds
    Case("rotate", 1, (), {"rotate_us": 1000}),
    Case("rotate", 2, (), {"counters": 1}),
    Case("groups_whole", 1, (), {"counters": 4, "rotate_us": 1000}),
    Case("groups_whole", 4),
    Case("groups_whole", 4, (), {"counters": 3}),
    Case("hostile", 4, ("count=2500",)),
    Case("hostile", 4, ("count=25000", "seed=2"), slow=True),
    Case("lockforms", 4, ("count=100",)),
    Case("lockforms", 4, ("count=10000", "place=aligned")),  # the others leave the block for good, once not aligned
    Case("lockforms", 4, ("count=200000", "place=aligned", "width=64"), slow=True),
    Case("lockforms", 4, ("count=1000000", "place=aligned"), soak=True),
    Case("lockforms", 4, ("count=20000",), soak=True),  # some hosts take 50 us for an operation across two lines
]

# Overflows and NMIs. What is exact has no rate limit: an event that is throttled misses overflows.
UNTHROTTLED: dict[str, object] = {"max_sample_rate": 0}
HALF = "trylock=50%"
FAULTS = ("trylock=10%", HALF, "trylock=99%", "guest-write=10%", f"{HALF},guest-write=99%")
SAMPLING_CASES = [
    Case("nmi_errno"),
    Case("nmi_exact", 1, (), UNTHROTTLED),
    Case("nmi_exact", 4, (), UNTHROTTLED),
    Case("nmi_sample", 1, (), UNTHROTTLED),
    Case("nmi_sample", 4, (), UNTHROTTLED),
    Case("nmi_after", 1, (), UNTHROTTLED),
    Case("nmi_after", 2, (), UNTHROTTLED),
    Case("nmi_after", 2, ("rounds=2000",), UNTHROTTLED, slow=True),
    Case("nmi_landing", 1, (), UNTHROTTLED),
    Case("nmi_fpu", 1, (), UNTHROTTLED),
    Case("nmi_migrate", 1, (), UNTHROTTLED),
    Case("nmi_migrate", 4, (), UNTHROTTLED),
    Case("nmi_migrate", 4, ("rounds=20000",), UNTHROTTLED, slow=True),
    *(
        Case("nmi_conserve", 4, ("overflows=40000",), UNTHROTTLED | {"nmi": nmi, "fault": fault})
        for nmi in ("trylock", "deferred", "lockless")
        for fault in ("", *FAULTS)
    ),
    *(  # a million for each policy; with other faults it is the same as above, for longer
        Case("nmi_conserve", 4, ("overflows=1000000",), UNTHROTTLED | {"nmi": nmi, "fault": fault}, True, fault != HALF)
        for nmi in ("trylock", "deferred", "lockless")
        for fault in FAULTS
    ),
    Case("breakpoint", 1, (), UNTHROTTLED),
    Case("breakpoint", 2, (), UNTHROTTLED),
]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every guest test, compiled once."""
    output = tmp_path_factory.mktemp("guests")
    build_guests({output / f"{source.stem}.elf": [source] for source in GUESTS.rglob("*.[cS]")}, extra=("-Werror",))
    return output


def check_report(console: str) -> None:
    """Fails unless every line is a PASS or a SKIP, and a final summary agrees with them."""
    lines = [line for line in console.splitlines() if re.match(r"(PASS|FAIL|SKIP|SUMMARY): ", line)]
    assert lines, f"the guest reported nothing:\n{console}"
    summary = SUMMARY.fullmatch(lines[-1])
    assert summary, f"no summary at the end:\n{console}"
    failed = [line for line in lines if line.startswith("FAIL")]
    assert not failed, "\n".join(failed)
    verdicts = len(lines) - 1
    assert (int(summary[1]), int(summary[2])) == (verdicts, 0)
    assert verdicts > int(summary[3] or 0), "every test was skipped"


def marks(case: Case) -> list[pytest.MarkDecorator]:
    long = [pytest.mark.slow] * case.slow + [pytest.mark.soak] * case.soak
    return [*long, pytest.mark.timeout(600)] if long else []


ALL_CASES = [*CASES, *SAMPLING_CASES]


def check_conserved(case: Case, host: Mapping[str, int]) -> None:
    """The host's own ledger, and that what was to fail did."""
    kept = host["overflows_in_shadow"] + host["overflows_dropped"]
    assert host["overflows_raised"] == host["overflows_delivered"] + kept > 0
    for fault in filter(None, str(case.machine["fault"]).split(",")):
        name, share = fault.rstrip("%").split("=")
        failed = host["nmi_misses"] / host["nmi_raised"]
        if name == "trylock":
            assert failed == pytest.approx(0 if case.machine["nmi"] == "lockless" else int(share) / 100, abs=0.03)
        else:
            assert host["failed_syncs"] > 0


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case), marks=marks(case)) for case in ALL_CASES])
def test_guest(case: Case, built: Path) -> None:
    if lacking := missing(str(case.machine.get("cpu", "default")), load_engine().lib.engine_host_features()):
        pytest.skip(lacking)
    with VirtualMachine(smp=case.smp, **case.machine) as vm:
        result = vm.run(built / f"{case.guest}.elf", case.args, timeout=500)
    check_report(result.console.decode())
    assert (result.status, result.ended) == (0, "exit")
    if case.guest == "nmi_conserve":
        check_conserved(case, result.statistics)


@pytest.mark.parametrize("guest", sorted(path.stem for path in find_guest("spin").parent.glob("*.elf")))
@pytest.mark.parametrize("word", ["nosuch=1", "rounds", "p=o1", "px=o1"])
def test_a_bundled_guest_refuses_what_it_does_not_know(guest: str, word: str) -> None:
    with VirtualMachine(smp=1) as vm:
        result = vm.run(guest, [word], timeout=300)
    assert (result.status, result.console.decode()) == (2, f"guest: no such option: {word}\n")


def test_every_guest_test_has_a_case() -> None:
    programs = {source.stem for source in GUESTS.rglob("*.[cS]") if not source.stem.startswith("oracle_")}
    assert programs == {case.guest for case in ALL_CASES} | {"lockresults", "store_parts"}  # compared with themselves


def test_stores_in_parts(built: Path) -> None:
    """Each store counts, behind one that is not aligned and rewrites its own block, too."""
    stores = {}
    for rewrites in (0, 1):
        for n in (1000, 3000):
            with VirtualMachine() as vm:
                events = parse_events("L1-dcache-stores")
                result = vm.run(
                    built / "store_parts.elf", [f"n={n}", f"rewrites={rewrites}"], events=events, timeout=300
                )
            assert (result.ended, result.status) == ("exit", 0)
            stores[rewrites, n] = result.counts[0].value or 0
    assert stores[0, 3000] - stores[0, 1000] == stores[1, 3000] - stores[1, 1000] == 4000
    assert stores[1, 1000] - stores[0, 1000] == 3


def test_locked_results(built: Path) -> None:
    """What each LOCK form leaves behind: within translated code as by the processor's own instruction out of it."""
    consoles = []
    left = []
    for atomics in ("host", "trap"):
        with VirtualMachine(atomics=atomics) as vm:
            result = vm.run(built / "lockresults.elf", timeout=300)
        assert (result.ended, result.status) == ("exit", 0), result.console.decode()
        consoles.append(result.console.decode().splitlines())
        left.append(result.statistics["locked_trapped"] / result.statistics["locked_ops"])
    assert len(consoles[0]) > 400
    assert [pair for pair in zip(*consoles, strict=True) if len(set(pair)) > 1] == []
    assert (0 < left[0] < 0.06, left[1]) == (True, 1)  # neg, and cmpxchg of 32 bits
