# SPDX-License-Identifier: GPL-2.0-only
"""What a process of a campaign does at a time: a pure function of the job and of the code, wherever it runs."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from emulator import __version__
from emulator.errors import HostError, PvperfError
from emulator.races.campaign.signature import operations
from emulator.races.explore import canaries, machine, program, scenarios, search, specification
from emulator.races.explore.case import Case
from emulator.races.explore.machine import Setup, Totals
from emulator.races.explore.scenarios import Scenario
from emulator.races.explore.search import Found, run_block
from emulator.races.explore.shrink import same, shrink

Result = TypeVar("Result", covariant=True)

_CANARY_SECONDS = 10.0
#: Shrinking ends by itself; a case for which this is too short is still a case.
_SHRINK_SECONDS = 10.0
_one_machine = threading.Lock()  # a Dask worker may have several threads


class CodeDiffers(PvperfError):
    """A worker has another version of pvperf: its results do not belong to this campaign."""

    exit_status = 2


class Job(Protocol[Result]):
    """Something that a worker can do."""

    def run(self) -> Result: ...


@cache
def code() -> str:
    """The version, a digest of the C sources of the explorer, and one of the Python that decides what is run."""
    digest = hashlib.sha256()
    for module in (machine, program, scenarios, search, specification):
        digest.update(Path(str(module.__file__)).read_bytes())
    return f"{__version__} {machine.build()} {digest.hexdigest()[:16]}"


def run_job(job: Job[Result], wanted: str) -> Result:
    """Runs a job in this process. CodeDiffers unless the code is the one that is wanted."""
    if code() != wanted:
        raise CodeDiffers(f"a worker runs the code '{code()}', and this campaign is of '{wanted}'")
    with _one_machine:
        return job.run()


@dataclass(frozen=True)
class Place:
    """A seed on a machine in a scenario; `number` counts from the campaign's seed."""

    setup: Setup
    scenario: Scenario
    seed: int
    number: int
    schedules: int

    def search(self) -> Found:
        """Its schedules, until one violates an oracle."""
        seed, name = self.seed + self.number, self.scenario.name
        return run_block(search.Block(name, self.setup, seed, self.number, self.schedules), self.scenario)


@dataclass(frozen=True)
class Failure:
    """The first violation of a seed."""

    number: int
    oracle: str
    text: str


@dataclass(frozen=True)
class BlockDone:
    """What a block came to; all but `totals.ns` is the same each time."""

    block: Block
    totals: Totals
    digest: str  # of all traces and end states
    failures: tuple[Failure, ...]
    disagreed: int  # seeds that went another way when they were run again


@dataclass(frozen=True)
class Block:
    """Seeds `first` to `first + count - 1` on one machine in one scenario."""

    setup: Setup
    scenario: Scenario
    seed: int
    first: int
    count: int
    schedules: int
    twice: bool = False

    def run(self) -> BlockDone:
        totals, digest, disagreed = Totals(), hashlib.sha256(), 0
        failures: list[Failure] = []
        for number in range(self.first, self.first + self.count):
            place = Place(self.setup, self.scenario, self.seed, number, self.schedules)
            found = place.search()
            agreed = found.agreed and (not self.twice or _outcome(place.search()) == _outcome(found))
            disagreed += not agreed
            totals.add(found.totals)
            digest.update(_outcome(found).encode())
            if found.case:
                failures.append(Failure(number, found.case.oracle, found.case.text))
        return BlockDone(self, totals, digest.hexdigest()[:16], tuple(failures), disagreed)


def _outcome(found: Found) -> str:
    """All that must be the same when it is run again."""
    case = "\n".join(found.case.lines()) if found.case else "held"
    return f"{replace(found.totals, ns=0)} {case}"


@dataclass(frozen=True)
class CanaryDone:
    """A canary, and after how many schedules it was found."""

    canary: Canary
    schedules: int
    found: bool


@dataclass(frozen=True)
class Canary:
    """A search for a planted defect."""

    setup: Setup
    name: str
    seed: int

    def run(self) -> CanaryDone:
        caught = canaries.catch(self.name, self.setup, seed=self.seed, seconds=_CANARY_SECONDS)
        return CanaryDone(self, caught.schedules, caught.case is not None)


@dataclass(frozen=True)
class Small:
    """A small case, as the text of a replay file, and what its signature is made of."""

    oracle: str
    text: str
    operations: str  # that meet
    length: int
    preemptions: int
    replays: bool
    replay: str

    @classmethod
    def of(cls, case: Case) -> Small:
        return cls(
            oracle=case.oracle,
            text=case.text,
            operations=operations(case),
            length=case.program.length,
            preemptions=case.preemptions,
            replays=same(case, case.replay()[0]),
            replay="\n".join(case.lines()) + "\n",
        )


@dataclass(frozen=True)
class ShrinkDone:
    """A failure and its small case."""

    place: Place
    case: Small


@dataclass(frozen=True)
class Shrink:
    """A failure to be found again, and made small."""

    place: Place

    def run(self) -> ShrinkDone:
        found = self.place.search()
        if not found.case:
            raise HostError(f"{self.place.scenario.name}, seed {self.place.number}: what was violated is not again")
        return ShrinkDone(self.place, Small.of(shrink(found.case, seconds=_SHRINK_SECONDS)))
