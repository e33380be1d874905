# SPDX-License-Identifier: GPL-2.0-only
"""Counts against oracles that step one instruction at a time: one inside the engine, one in Python."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from stepper import step

from emulator import VirtualMachine
from emulator.events import parse_events
from emulator.guest.build import build_guests
from emulator.guest.bundled import find_guest

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "tests/guests"
EVENTS = "instructions:u,instructions:k,branches:u,branches:k,cycles"

#: Bundled guests, made short: the oracle is some 50 times slower than counting.
BUNDLED = {
    "branchy": ["iterations=20000"],
    "many": ["events=20", "kind=clock"],
    "clockwork": ["chunks=10", "period=100000", "traffic=own"],
    "hello": ["lines=3"],
    "hotspots": ["iterations=20"],
    "locks": ["iterations=2000"],
    "matmul": ["size=32", "rounds=2"],
    "memwalk": ["bytes=65536", "steps=50000"],
    "ops": ["calls=20"],
    "pingpong": ["rounds=20", "work=2000"],
    "readloop": ["count=300"],
    "sampler": ["period=1000", "iterations=100000"],
    "share": ["ticks=20000000"],
    "spin": ["iterations=100000"],
    "stress": ["rounds=2"],
    "user": ["rounds=10", "user=2000", "kernel=500"],
}
#: Those that neither trap nor make a hypercall on one vCPU, so that Python can step them.
STEPPED = ("branchy", "hello", "hotspots", "matmul", "memwalk", "spin")
STEPPED_ARGS = {
    **BUNDLED,
    "branchy": ["iterations=500"],
    "hotspots": ["iterations=2"],
    "matmul": ["size=8", "rounds=1"],
    "memwalk": ["bytes=4096", "steps=500"],
    "spin": ["iterations=5000"],
}
PROGRAMS = sorted(source.stem for source in GUESTS.rglob("oracle_*.[cS]"))
#: Guest tests that reach what no other guest does: errors, hostile arguments, locked operations, migration.
TESTS = {
    "errno": [],
    "hostile": ["count=500"],
    "lockforms": ["count=20"],
    "migrate": ["legs=6", "work=2000"],
    "nmi_landing": [],
    "nmi_migrate": ["rounds=5"],
    "retire": [],
    "rotate": ["work=300000"],
    "window": [],
}


#: Of events, and how many operations were locked.
Counts = tuple[list[int | None], int]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("oracle")
    build_guests({output / f"{name}.elf": list(GUESTS.rglob(f"{name}.[cS]")) for name in (*PROGRAMS, *TESTS)})
    return output


def compare(guest: str | Path, args: list[str], smp: int, events: str = EVENTS) -> Counts:
    """Runs with the engine's oracle, which is asked at every VM exit; a difference raises HostError."""
    with VirtualMachine(smp=smp, oracle=True) as vm:
        result = vm.run(guest, args, events=parse_events(events) if events else (), timeout=300)
    assert (result.ended, result.status) == ("exit", 0), result.console.decode()
    assert result.statistics["oracle_checks"] >= 3 * smp
    assert all(count.error is None for count in result.counts)
    return [count.value for count in result.counts], result.statistics["locked_ops"]


@functools.cache
def with_the_oracle(program: Path) -> Counts:
    """A program on one vCPU, with the oracle."""
    return compare(program, [], 1)


def test_there_are_enough_programs() -> None:
    assert len(PROGRAMS) >= 20
    assert set(BUNDLED) == {path.stem for path in find_guest("spin").parent.glob("*.elf")}


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("guest", BUNDLED)
def test_bundled_guest(guest: str, smp: int) -> None:
    compare(guest, BUNDLED[guest], smp)


# One of them takes its vCPU's translations alone to their limit: four do the same, four times as long.
@pytest.mark.parametrize(
    ("program", "smp"),
    [(program, smp) for program in PROGRAMS for smp in (1, 4) if (program, smp) != ("oracle_store_inside", 4)],
)
def test_program(program: str, smp: int, built: Path) -> None:
    guest = built / f"{program}.elf"
    if smp == 1:
        with_the_oracle(guest)
    else:
        compare(guest, [], smp)


MISSED_BY_UNICORN = {"oracle_alias_store", "oracle_alias_helper", "oracle_smep_user"}


def test_what_unicorn_misses(built: Path) -> None:
    """Else its stores need not be looked at: then fast_store.c can forget what it knows of pages with code."""
    for program in MISSED_BY_UNICORN:
        with VirtualMachine(stores="unicorn") as vm:
            assert vm.run(built / f"{program}.elf", timeout=300).status != 0


def test_stores_go_the_short_way(built: Path) -> None:
    """To memory without code translated code goes by itself, from the second store on; else as often as it stores."""
    with VirtualMachine() as vm:
        loop = vm.run("matmul", ["size=32", "rounds=4"], timeout=300).statistics
        mixed = vm.run(built / "oracle_alias_store.elf", timeout=300).statistics
    assert 0 < loop["stores_short"] < 1000
    assert mixed["stores_short"] > 300
    with VirtualMachine(stores="unicorn") as vm:
        assert vm.run("matmul", ["size=32", "rounds=4"], timeout=300).statistics["stores_short"] == 0


def counts_of(guest: Path, **config: Any) -> Counts:
    """On one vCPU, where they are the same each time."""
    with VirtualMachine(**config) as vm:
        result = vm.run(guest, events=parse_events(EVENTS), timeout=300)
    assert (result.ended, result.status) == ("exit", 0), result.console.decode()
    return [count.value for count in result.counts], result.statistics["locked_ops"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_without_the_oracle(program: str, built: Path) -> None:
    """With it, every instruction has a hook: what is trapped, and where, is another matter without."""
    guest = built / f"{program}.elf"
    counts = with_the_oracle(guest)
    assert counts_of(guest) == counts
    assert counts_of(guest, atomics="trap") == counts
    if program not in MISSED_BY_UNICORN:
        assert counts_of(guest, stores="unicorn") == counts


def trapped(guest: str | Path, *args: str, **config: Any) -> tuple[int, int]:
    """Locked operations of a guest that finds nothing wrong: all, and those for which the block was left."""
    with VirtualMachine(**config) as vm:
        result = vm.run(guest, list(args), timeout=300)
    assert (result.ended, result.status) == ("exit", 0), result.console.decode()
    return result.statistics["locked_ops"], result.statistics["locked_trapped"]


def test_locked_operations_stay_in_their_blocks(built: Path) -> None:
    """All that the bundled guest has, exchanges too; or none, where that is asked for, or an operand is not aligned."""
    locked, left = trapped("locks", "iterations=1000", smp=2)
    assert (locked > 8000, left) == (True, 0)
    assert trapped("locks", "iterations=1000", smp=1, atomics="trap") == (4006, 4006)
    locked, left = trapped(built / "oracle_lock_inside.elf")
    assert (locked > 60, left) == (True, 0)
    locked, left = trapped(built / "oracle_lock_misaligned.elf")
    assert 0 < left < locked
    # All forms at all widths: without those that Unicorn does otherwise than the processor, one in eight.
    locked, left = trapped(built / "lockforms.elf", "count=100", "place=aligned", smp=4)
    assert 0 < left < locked / 6


def test_more_blocks_than_are_kept(built: Path) -> None:
    """Or oracle_many_blocks does not say anything of what it is about."""
    kept = re.search(r"\bBLOCKS = 1 << (\d+)", (ROOT / "native/engine/unicorn/blocks.h").read_text())
    assert kept
    with VirtualMachine() as vm:
        result = vm.run(built / "oracle_many_blocks.elf", timeout=300)
    assert (result.status, result.statistics["blocks_decoded"] > 1 << int(kept[1])) == (0, True)


def test_code_of_both_levels_is_not_translated_in_turns(built: Path) -> None:
    """900 rounds, in which each translation would drop the other one, of the same LOCK at another CPL."""
    with VirtualMachine() as vm:
        result = vm.run(built / "oracle_both_levels.elf", timeout=300)
    assert (result.status, result.statistics["locked_ops"] >= 1800) == (0, True)
    assert result.statistics["blocks_decoded"] < 900


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("test", TESTS)
def test_guest_test(test: str, smp: int, built: Path) -> None:
    compare(built / f"{test}.elf", TESTS[test], smp, events="")  # they count the events that are open


@pytest.mark.parametrize("guest", STEPPED)
def test_against_the_python_stepper(guest: str) -> None:
    """The count of `stat` is what the guest retires from its entry to the write to the exit port."""
    args = STEPPED_ARGS[guest]
    with VirtualMachine(smp=1) as vm:
        result = vm.run(guest, args, events=parse_events("instructions,branches"), timeout=300)
    stepped = step(find_guest(guest), command_line=" ".join(args))
    assert result.console == bytes(stepped.console)
    assert [count.value for count in result.counts] == [stepped.instructions, stepped.branches]
