# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf explore`: searches the schedules of the host core, and says how far it got and whether it can be trusted."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from emulator.errors import HostError, Killed
from emulator.files import Files
from emulator.races.explore import canaries
from emulator.races.explore.case import Case
from emulator.races.explore.coverage import Coverage
from emulator.races.explore.crew import Crew
from emulator.races.explore.interleaving import interleaving
from emulator.races.explore.machine import Machine, Setup, Totals
from emulator.races.explore.program import Program
from emulator.races.explore.replay_file import ReplayFiles
from emulator.races.explore.scenarios import SCENARIOS, Scenario, find
from emulator.races.explore.search import Block, Found, blocks_of, exhaustive_blocks, search
from emulator.races.explore.shrink import shrink
from emulator.terminal.columns import columns
from emulator.terminal.counted import counted
from emulator.terminal.progress import Progress, Stand
from emulator.terminal.unread import to_the_end

HELD, VIOLATED, INCONCLUSIVE = 0, 1, 7

_DEFAULT_SECONDS = 10.0
_DEFAULT_PREEMPTIONS = 2
_CANARY_SECONDS = 60.0


@dataclass
class Searched:
    """What was done for one scenario."""

    scenario: Scenario
    exhausted: Totals | None = None
    sampled: Totals | None = None
    case: Case | None = None
    agreed: bool = True
    coverage: Coverage = field(default_factory=Coverage)

    def exhaust(self, crew: Crew, blocks: Iterator[Block]) -> None:
        found = Found()
        self.exhausted = found.totals
        self._search(crew, blocks, found)

    def sample(self, crew: Crew, blocks: Iterator[Block]) -> None:
        found = Found()
        self.sampled = found.totals
        self._search(crew, blocks, found)

    def _search(self, crew: Crew, blocks: Iterator[Block], found: Found) -> None:
        """What was found until an interruption counts, too."""
        try:
            search(crew, blocks, cover=True, so_far=found)
        finally:
            self.case = found.case
            self.agreed = self.agreed and found.agreed
            self.coverage.add(found.coverage)

    def totals(self) -> Totals:
        totals = Totals()
        for part in (self.exhausted, self.sampled):
            if part:
                totals.add(part)
        return totals


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when all held, 1 for a violation, 7 when the search proves nothing."""
    every = [each for each in SCENARIOS.values() if each.programs or arguments.exhaustive is None]
    scenarios = [find(name) for name in arguments.scenarios] or every
    setup = Setup(design=arguments.design, nmi=arguments.nmi, sync=arguments.sync)
    setup = replace(setup, memory=arguments.memory, races=int(arguments.races))
    with Machine(setup, Program.parse(["open 1"])):
        pass  # an unknown name is refused here, before anything is started
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    if arguments.canaries:
        from emulator.cli.canary_table import print_canaries

        return print_canaries(setup, seed, arguments)
    replays = ReplayFiles(Files(), scenarios, design=setup.design, name=arguments.output)
    with Progress() as progress:
        return _explore(scenarios, Report(setup, seed, arguments, replays, progress))


def _explore(scenarios: list[Scenario], report: Report) -> int:
    setup, seed, progress = report.setup, report.seed, report.progress
    try:
        report.head()
        with Crew(tick=progress.tick) as crew:
            for scenario in scenarios:
                searched = report.begin(scenario)
                _search(crew, searched, report, len(scenarios))
                if report.violation:
                    break
                report.tell(searched)
            else:
                progress.say("looking for the canaries")
                caught = canaries.catch_all(crew, setup, seed=seed, seconds=_CANARY_SECONDS)
    except (KeyboardInterrupt, Killed):
        if not report.violation:
            report.end_interrupted()
            raise
    if not report.violation:
        return report.end(caught)
    with to_the_end():  # its file is written, whoever has read enough
        report.tell(report.violation)
        return report.end_violated()


def _search(crew: Crew, searched: Searched, report: Report, of: int) -> None:
    """Everything within the bound for what is small, then samples."""
    scenario, setup, seed, arguments = searched.scenario, report.setup, report.seed, report.arguments
    report.watch(of, lambda: 0)
    if arguments.exhaustive is not None and not scenario.programs:
        return
    if scenario.programs and arguments.schedules is None:
        bound = _DEFAULT_PREEMPTIONS if arguments.exhaustive is None else arguments.exhaustive
        searched.exhaust(crew, exhaustive_blocks(scenario, setup, bound))
    if searched.case or arguments.exhaustive is not None:
        return
    seconds = None if arguments.schedules else (arguments.duration or _DEFAULT_SECONDS) / of
    begin = time.monotonic()

    def share() -> float:
        done = searched.sampled.schedules if searched.sampled else 0
        return (time.monotonic() - begin) / seconds if seconds else done / arguments.schedules

    report.watch(of, share)
    searched.sample(crew, blocks_of(scenario, setup, seed, schedules=arguments.schedules, seconds=seconds))


class Report:
    """Says it line by line as it comes, or as one JSON document at the end."""

    def __init__(
        self, setup: Setup, seed: int, arguments: argparse.Namespace, replays: ReplayFiles, progress: Progress
    ) -> None:
        self.setup, self.seed, self.arguments, self.progress = setup, seed, arguments, progress
        self._replays = replays
        self.searched: list[Searched] = []
        self._doing: Searched | None = None
        self._interrupted = False

    def _say(self, line: str) -> None:
        self.progress.clear()
        if not self.arguments.json:
            print(line, flush=True)

    @property
    def violation(self) -> Searched | None:
        return next((each for each in self.searched if each.case), None)

    def head(self) -> None:
        setup = self.setup
        memory = "" if setup.memory == "sc" else f"memory {setup.memory}, "
        self._say(f"explore: design {setup.design}, nmi {setup.nmi}, sync {setup.sync}, {memory}seed {self.seed}")

    def begin(self, scenario: Scenario) -> Searched:
        """This one is searched next, and counts as far as that gets."""
        self._doing = Searched(scenario)
        self.searched.append(self._doing)
        return self._doing

    def watch(self, of: int, share: Callable[[], float]) -> None:
        """The line on a terminal, while the last that was begun is searched, one of so many: `share` of it is done."""
        name, before = self.searched[-1].scenario.name, len(self.searched) - 1
        self.progress.watch(lambda: Stand(name, self.totals().schedules, "schedule", (before + min(share(), 1)) / of))

    def tell(self, searched: Searched) -> None:
        self._say(f"  {searched.scenario.name:<15} {self._how_far(searched)}")
        self._doing = None

    def _bound(self) -> int:
        return _DEFAULT_PREEMPTIONS if self.arguments.exhaustive is None else int(self.arguments.exhaustive)

    def _how_far(self, searched: Searched) -> str:
        if searched.case:
            return f"VIOLATED after {counted(searched.totals().schedules, 'schedule')}: {searched.case.oracle}"
        parts = []
        if searched.exhausted:
            how = "complete" if searched.exhausted.complete else "begun"
            parts.append(f"{how}: {searched.exhausted.schedules:,} with at most {counted(self._bound(), 'preemption')}")
        if searched.sampled:
            parts.append(f"sampled: {searched.sampled.schedules:,}")
        if not searched.totals().schedules:
            return "not searched" if parts else "not searched: random programs cannot be searched completely"
        return f"{'held until then' if self._interrupted else 'held'}  {'; '.join(parts)}"

    def end_violated(self) -> int:
        """Shrinks the case, writes it, shows it."""
        found = self.violation
        assert found is not None
        assert found.case is not None
        self.progress.say("making the case smaller")
        case = shrink(found.case, seconds=self.arguments.shrink)
        _, log = case.replay()
        self._say(f"{case.oracle}: {case.text}")
        self._say(
            f"shrunk from {counted(found.case.program.length, 'operation')} and "
            f"{counted(found.case.preemptions, 'preemption')} to "
            f"{case.program.length} and {case.preemptions}:"
        )
        for line in [*case.program.lines(), *interleaving(case, log, width=columns(1, 2) - 2)]:
            self._say(f"  {line}")
        try:
            self._say(f"replay it with: {self._replays.write(found.scenario, case)}")
        except HostError as error:  # it was found all the same
            print(f"pvperf: {error}", file=sys.stderr)
        self._json("violated", case=case, path=self._replays.name(found.scenario))
        return VIOLATED

    def end(self, caught: list[canaries.Caught]) -> int:
        """The canaries, the figures and the verdict."""
        for each in caught:
            if self.arguments.verbose or not each.case:
                after = f"found after {counted(each.schedules, 'schedule')}, {each.seconds:.2f} s"
                took = after if each.case else "NOT FOUND"
                self._say(f"  canary {each.name:<32} {took}")
        tries = [each.schedules for each in caught]
        self._say(
            f"canaries: {sum(each.case is not None for each in caught)} of {len(caught)} found, in "
            f"{counted(round(statistics.median(tries)), 'schedule')} at the median, {max(tries):,} at most"
        )
        doubts = self._doubts(caught)
        self._figures()
        self._say("verdict: held" if not doubts else f"verdict: inconclusive: {'; '.join(doubts)}")
        self._json("held" if not doubts else "inconclusive", caught=caught, doubts=doubts)
        return INCONCLUSIVE if doubts else HELD

    def end_interrupted(self) -> None:
        """What there is until then."""
        if self._doing:
            self._interrupted = True
            self._say(f"interrupted in {self._doing.scenario.name}")
            self.tell(self._doing)
        doubt = "it was interrupted before all canaries were searched for"
        self._figures()
        self._say(f"verdict: inconclusive: {doubt}")
        self._json("inconclusive", doubts=[doubt])

    def _figures(self) -> None:
        totals, coverage = self.totals(), self.coverage()
        pairs, both = coverage.pairs()
        self._say(
            f"{counted(totals.schedules, 'schedule')} of {counted(totals.steps // max(1, totals.schedules), 'step')}, "
            f"{self.rate():,.0f} a second and core; {counted(totals.nmis, 'NMI')}, "
            f"{totals.trylock_failures:,} found the lock taken"
        )
        self._say(
            f"{counted(len(pairs), 'pair')} of places met, {len(both)} of them in both orders; {len(coverage.orders)} "
            f"of {counted(len(coverage.wanted), 'order')} of calls that have to do with each other"
        )
        if self.arguments.verbose:
            for first, second in sorted(pairs - both):
                self._say(f"  only in one order: {first}, then {second}")

    def totals(self) -> Totals:
        totals = Totals()
        for searched in self.searched:
            totals.add(searched.totals())
        return totals

    def coverage(self) -> Coverage:
        coverage = Coverage()
        for searched in self.searched:
            coverage.add(searched.coverage)
        return coverage

    def rate(self) -> float:
        """Schedules a second, of the time that processes spent in them."""
        totals = self.totals()
        return totals.schedules / max(1, totals.ns) * 1e9

    def _doubts(self, caught: list[canaries.Caught]) -> list[str]:
        """Why "held" would say more than is known."""
        doubts = [f"canary {each.name} was not found" for each in caught if not each.case]
        doubts += [f"{each.scenario.name} was not searched" for each in self.searched if not each.totals().schedules]
        if not all(searched.agreed for searched in self.searched):
            doubts.append("a schedule that was run twice did not end the same")
        totals = self.totals()
        coverage = self.coverage()
        missing = sorted(coverage.wanted - coverage.orders)
        doubts += [f"never seen: {order}" for order in missing[:1]]
        if missing[1:]:
            doubts.append(f"nor {counted(len(missing) - 1, 'other order')} of calls")
        if not totals.contended:
            doubts.append("no lock was ever taken when somebody wanted it")
        return doubts

    def _json(
        self,
        verdict: str,
        *,
        case: Case | None = None,
        path: str = "",
        caught: list[canaries.Caught] | None = None,
        doubts: list[str] | None = None,
    ) -> None:
        if not self.arguments.json:
            return
        totals = self.totals()
        coverage = self.coverage()
        pairs, both = coverage.pairs()
        document: dict[str, object] = {
            "schema_version": 1,
            "verdict": verdict,
            "design": self.setup.design,
            "nmi": self.setup.nmi,
            "sync": self.setup.sync,
            "memory": self.setup.memory,
            "seed": self.seed,
            "schedules": totals.schedules,
            "schedules_per_second": self.rate(),
            "trylock_failures": totals.trylock_failures,
            "places_met": {"pairs": len(pairs), "in_both_orders": len(both)},
            "orders_of_calls": {"seen": len(coverage.orders), "wanted": len(coverage.wanted)},
            "scenarios": [self._scenario_json(each) for each in self.searched],
        }
        if case:
            document |= {"oracle": case.oracle, "text": case.text, "replay": path}
            document |= {"program": case.program.lines(), "preemptions": case.preemptions}
        if caught is not None:
            document["canaries"] = [
                {
                    "name": each.name,
                    "found": each.case is not None,
                    "schedules": each.schedules,
                    "seconds": each.seconds,
                }
                for each in caught
            ]
        if doubts is not None:
            document["doubts"] = doubts
        json.dump(document, sys.stdout)
        print()

    def _scenario_json(self, searched: Searched) -> dict[str, object]:
        return {
            "name": searched.scenario.name,
            "held": searched.case is None and searched.totals().schedules > 0,
            "complete_to_preemptions": self._bound() if searched.exhausted and searched.exhausted.complete else None,
            "exhausted": searched.exhausted.schedules if searched.exhausted else 0,
            "sampled": searched.sampled.schedules if searched.sampled else 0,
        }
