# SPDX-License-Identifier: GPL-2.0-only
"""The defects that the page tells of: where each is looked for, and the small case that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from emulator.places import own_command, run_program
from emulator.races.explore.case import Case
from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Machine, Setup, Totals
from emulator.races.explore.scenarios import find
from emulator.races.explore.search import blocks_of, search
from emulator.races.explore.shrink import shrink

ROOT = Path(__file__).resolve().parents[3]
REPLAYS = Path("docs/findings")
SEED = 1
#: Of each scenario; `pvperf explore --seed 1 --schedules 60000` looks at the same ones in the same order.
SCHEDULES = 60_000
#: Within so many preemptions the program of a case is searched on `per-vm`.
PREEMPTIONS = 3
_SHRINK_SECONDS = 300.0  # never reached: what a case shrinks to is not a matter of time


@dataclass(frozen=True)
class Finding:
    """A defect, and what the other design does instead, each in a few words."""

    label: str
    scenario: str
    defect: str
    answer: str
    design: str = "posted"

    @property
    def path(self) -> Path:
        """Its replay file, from the project's root."""
        return REPLAYS / f"{self.scenario}-{self.design}.replay"

    def command(self) -> str:
        """What finds it; it leaves the file in the working directory."""
        return f"pvperf explore {self.scenario} --design {self.design} --seed {SEED} --schedules {SCHEDULES}"


FINDINGS = (
    Finding("1", "failing-write", "overflows vanish when guest memory fails", "the exchange is undone"),
    Finding("2", "dup-open", "OPEN of an id that is open leaks a slot", "checked and counted in one step"),
    Finding("3", "open-limit", "the limit is read, then counted", "counted by compare and exchange"),
    Finding("4", "no-memory", "the second allocation is not checked", "one allocation, checked"),
    Finding("5", "full-queue", "the overflow list has a slot a counter", "a list through the events themselves"),
    Finding("6", "errno", "the limit is reported as -ENOENT", "-ENOSPC; the host's failures are the host's"),
    Finding("7", "follow-task", "the event counts where it was opened", "ENABLE brings it to the vCPU that asks"),
    Finding("8", "breakpoint", "bp_addr reaches a breakpoint of the host", "a guest address, watched by the engine"),
    Finding("9", "handler-sync", "the guest's event is written back whole", "an atomic addition to the guest's word"),
    Finding("+", "slow-sync", "DISABLE strands what the NMI has just noted", "DISABLE delivers it"),
    Finding("S2", "close-enable", "CLOSE frees what ENABLE works on", "a reference for who works on it", "no-refcount"),
)


@dataclass(frozen=True)
class Found:
    """A finding, how many schedules it took, its small case, and the search of that case's program on `per-vm`."""

    finding: Finding
    schedules: int
    case: Case
    held: Totals


def exhausted(setup: Setup, case: Case) -> Totals:
    """Every schedule of the case's program on another machine; RuntimeError if one fails."""
    with Machine(setup, case.program) as machine:
        totals, verdict = machine.run("dfs", bound=PREEMPTIONS, count=10**9)
    if not verdict.held:
        raise RuntimeError(f"{setup.design} fails, too: {verdict.oracle}: {verdict.text}")
    return totals


def find_case(finding: Finding) -> Found:
    """Searches for it as the command does; RuntimeError if it is not there any more."""
    setup = Setup(design=finding.design)
    result = search(Crew(1), blocks_of(find(finding.scenario), setup, SEED, schedules=SCHEDULES, seconds=None))
    if not result.case:
        raise RuntimeError(f"{finding.scenario} finds nothing in {finding.design}")
    case = shrink(result.case, seconds=_SHRINK_SECONDS)
    sound = Setup(**{**vars(case.setup), "design": "per-vm"})
    return Found(finding, result.totals.schedules, case, exhausted(sound, case))


def shown_by_replay(path: Path) -> str:
    """What `pvperf replay` prints."""
    return run_program(own_command("replay", str(path)), capture_output=False, stdout=PIPE).stdout
