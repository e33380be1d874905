# SPDX-License-Identifier: GPL-2.0-only
"""A scenario under stress: boots until the time or the operations are used up, or something breaks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from emulator.races.explore.machine import ORACLES, Setup
from emulator.races.explore.scenarios import Scenario, find
from emulator.races.stress.boot import Outcome, run
from emulator.races.stress.faults import draw_faults, fault_text, with_faults
from emulator.races.stress.native import NativeRunner
from emulator.races.stress.playing import Playing, ends_its_vm, play
from emulator.terminal.counted import agreed, counted
from emulator.vm.machine import MachineConfig

#: Those that a run of a whole VM says something about; data races are the explorer's.
VM_ORACLES = tuple(oracle for oracle in ORACLES[1:-1] if not oracle.startswith("O9"))
_ROUNDS = 400
_KILL_ROUNDS = 1_000_000
_HOSTILE_PERMILLE = 300
#: How long the core alone plays one boot's programs.
_LEAST_SECONDS, _MOST_SECONDS = 0.05, 0.5
_OPS_SECONDS = 0.1  # where operations are counted
#: What a native run has to find first, where, in how many operations at most, and how often.
PLANTED = "no-refcount"
_CHANCE_SCENARIO, _CHANCE_OPS, _CHANCE_TRIES = "close-enable", 20_000, 3
_HELD, _VIOLATED, _INCONCLUSIVE, _NOT_TRIED = "held", "VIOLATED", "inconclusive", "not tried"


@dataclass(frozen=True)
class Amount:
    """When to stop: after so many seconds, or so many operations (boots, where processes are killed); with `judged`
    also before, as soon as the run proves something."""

    seconds: float | None = None
    ops: int | None = None
    judged: bool = False


@dataclass(frozen=True)
class Chance:
    """Within how many rounds, and operations, the defect that is planted was found each time; None: once it was not."""

    rounds: int | None
    operations: int


@dataclass
class Stressed:
    """What the boots of one scenario came to."""

    scenario: Scenario
    design: str
    nmi: str
    boots: int = 0
    rounds: int = 0
    seconds: float = 0.0
    guest: Counter[str] = field(default_factory=Counter)
    host: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)  # seconds from each kill to the end of all
    killing: bool = False
    samples: bool = False
    exact: bool = False
    records: bool = False  # of version 2
    full: bool = False  # as many events were open as may be
    no_memory: int = 0  # VMs that an allocation which was made to fail has ended
    specified: bool = True  # results were compared with the specification
    history: int = 0  # so many operations at least are one history, without a quiet point, in each boot
    shortest: int | None = None  # operations of the shortest, if that is too short
    checked_seconds: float = 0.0  # what that took
    widest: int = 0
    unknown: int = 0  # histories of which nothing can be said
    chance: Chance | None = None  # native: how much it takes here to find what is planted
    outcome: Outcome | None = None  # the one that violated
    playing: Playing | None = None  # what it played

    def add(self, outcome: Outcome, playing: Playing, config: MachineConfig) -> None:
        if outcome.oracle:  # first: an interrupt may come at any moment
            self.outcome, self.playing = outcome, playing
        self.boots += 1
        self.rounds += outcome.rounds
        self.guest.update(outcome.ledger)
        if outcome.ledger or not outcome.no_memory:  # a guest that ran out of memory has told nothing to compare with
            self.host.update(outcome.host)
        self.samples = self.samples or playing.samples
        self.exact = self.exact or playing.exact
        self.records = self.records or (playing.records and self.design != "posted")  # which has no OPEN2
        self.full = self.full or outcome.host.get("events_open_peak", 0) >= config.max_events
        self.no_memory += outcome.no_memory
        self.specified = self.specified and outcome.specified
        self.checked_seconds += outcome.checked_seconds
        self.widest = max(self.widest, outcome.widest)
        self.unknown += outcome.unknown
        if (done := outcome.ledger.get("done", 0)) < self.history:
            self.shortest = done if self.shortest is None else min(self.shortest, done)
        if outcome.killed:
            self.killed[outcome.killed.rstrip("0123456789")] += 1
            self.took.append(outcome.took)

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """Of each oracle: held, VIOLATED or inconclusive, and why that."""
        found = dict.fromkeys(VM_ORACLES, (_HELD, ""))
        for oracle in self._not_tried():
            found[oracle] = (_NOT_TRIED, "")
        for oracle, doubt in self.doubts().items():
            found[oracle] = (_INCONCLUSIVE, doubt)
        if starved := self._starved():
            found = {o: (_INCONCLUSIVE, starved) if told == (_HELD, "") else told for o, told in found.items()}
        if self.outcome and not self.guest:  # no VM came to the end at which ledgers are compared
            found = dict.fromkeys(VM_ORACLES, (_NOT_TRIED, ""))
        if self.outcome:
            found[self.outcome.oracle] = (_VIOLATED, self.outcome.text)
        return found

    def _not_tried(self) -> list[str]:
        """What this scenario does not do says nothing of these."""
        if self.killing:
            return [oracle for oracle in VM_ORACLES if not oracle.startswith("O10")]
        untried = [] if self.full else ["O3 limit"]
        untried += [] if self.specified and not self._too_short_for_o8() else ["O8 linearizability"]
        untried += [] if self.samples or self.guest["bounded"] else ["O5 conservation"]
        untried += [] if self.exact else ["O6 nothing stranded"]
        if self.history:  # nobody keeps books of an event whose words are soon another one's
            return [*untried, "O11 NMIs", "O12 periods", "O13 times", "O14 records"]
        untried += [] if self.samples else ["O11 NMIs"]
        untried += [] if self.exact else ["O12 periods"]
        return untried + ([] if self.records else ["O13 times", "O14 records"])

    def doubts(self) -> dict[str, str]:
        """The oracles that cannot be trusted: what they look for had no chance to happen."""
        if self.killing:
            return {} if self.killed else {"O10 progress": "no process was killed before its VM had ended"}
        doubts = {}
        if self.specified and not self.guest["refused"] and not self._too_short_for_o8():
            doubts["O8 linearizability"] = "no call ever came too late for another one: too few operations"
        if self.history:
            doubts |= self._doubts_of_history()
        if self.samples and not self.host["overflows_raised"]:
            doubts["O5 conservation"] = "nothing overflowed"
        elif self.samples and self.nmi != "lockless" and not self.host["nmi_misses"]:
            doubts["O5 conservation"] = "no NMI found the lock taken: run longer, or with --fault trylock=10%"
        if self.exact and not self.guest["compared"]:
            doubts["O6 nothing stranded"] = "no event was still open at the end of its round"
        return doubts | self._doubts_of_records()

    def _doubts_of_records(self) -> dict[str, str]:
        """Of a guest that has looked for any: the native stress looks at each that is written."""
        doubts = {}
        if self.records and "looked" in self.guest and not self.guest["looked"]:
            doubts["O14 records"] = "no record was whole when a vCPU looked at it"
        if self.records and "timed" in self.guest and not self.guest["timed"]:
            doubts["O13 times"] = "no time could be compared with the time-stamp counter"
        return doubts

    def _starved(self) -> str:
        """Why nothing of this had a chance: threads that hardly ran have hardly met."""
        if not self.chance:
            return ""
        if self.chance.rounds is None:
            return f"{PLANTED}, which is planted to be found, was not found in {_CHANCE_OPS:,} operations"
        done, needed, what = self.rounds, self.chance.rounds, "round"
        if self.history:  # each is one round, of many
            done, needed, what = self.guest["done"], self.chance.operations, "operation"
        if done < needed:
            are = agreed(done, "is", "are")
            return f"{counted(done, what)} {are} too few: it took up to {needed:,} to find {PLANTED}, which is planted"
        return ""

    def _too_short_for_o8(self) -> bool:
        """Does the scenario end each VM before a call could come too late?"""
        return ends_its_vm(self.scenario) and not self.guest["refused"]

    def _doubts_of_history(self) -> dict[str, str]:
        why = ""
        if not self.specified:
            why = "there are too many states to judge a history by"
        elif self.unknown:
            histories = counted(self.unknown, "history")
            why = f"in {histories} too much ran at once to follow it, or there was no memory for it"
        elif self.shortest is not None:
            why = f"a VM ended after {counted(self.shortest, 'operation')} of {self.history:,}"
        return {"O8 linearizability": why} if why else {}

    @property
    def judged(self) -> bool:
        """Would further boots say nothing that these do not?"""
        return self.verdict != _INCONCLUSIVE or bool(self._doubts_of_history())

    @property
    def verdict(self) -> str:
        verdicts = {verdict for verdict, _ in self.verdicts().values()}
        return next(verdict for verdict in (_VIOLATED, _INCONCLUSIVE, _HELD, _NOT_TRIED) if verdict in verdicts)


@dataclass(frozen=True)
class How:
    """What a scenario's boots are like. `native`: the core alone, on threads; `noise`: permille of its points of
    synchronisation that are disturbed, and 0 for a run, native or not, in which nothing is."""

    native: bool = False
    noise: int = 20
    kill: bool = False
    history: int = 0  # native: each boot is so many operations of one program, without a quiet point


_USUAL = How()


def stress(
    scenario: Scenario,
    config: MachineConfig,
    amount: Amount,
    *,
    seed: int,
    mix: dict[str, int],
    how: How = _USUAL,
    progress: Callable[[Stressed], None] | None = None,
    chance: Chance | None = None,
) -> Stressed:
    """Boots VM after VM. `config` says all but what the scenario does: its limits are small, to be reached. Faults
    are those of `config`, or, if that has none, drawn by seed."""
    stressed = Stressed(scenario, config.design, config.nmi, killing=how.kill, history=how.history, chance=chance)
    begin = time.monotonic()
    with NativeRunner() as runner:
        while not stressed.outcome and (not stressed.boots or not _enough(stressed, amount, begin)):
            boot = _Boot(scenario, config, seed, stressed.boots, mix, how)
            if how.native:
                left = _OPS_SECONDS if amount.seconds is None else amount.seconds - (time.monotonic() - begin)
                stressed.add(*boot.native(runner, min(_MOST_SECONDS, max(_LEAST_SECONDS, left))))
            else:
                stressed.add(*boot.vm())
            stressed.seconds = time.monotonic() - begin
            if progress:
                progress(stressed)
    return stressed


def chance_of(config: MachineConfig, how: How, *, seed: int) -> Chance:
    """Looks for a design that is known to break, some times, the way that others are played: on this machine, with
    what else it does now, and so with the races that really happen on it."""
    planted = MachineConfig(smp=config.smp, design=PLANTED, nmi=config.nmi, sync=config.sync)
    rounds = operations = 0
    for number in range(_CHANCE_TRIES):
        amount, found = Amount(ops=_CHANCE_OPS), find(_CHANCE_SCENARIO)
        stressed = stress(found, planted, amount, seed=seed + number, mix={}, how=replace(how, history=0))
        if not stressed.outcome:
            return Chance(None, 0)
        rounds, operations = max(rounds, stressed.rounds), max(operations, stressed.guest["done"])
    return Chance(rounds, operations)


@dataclass(frozen=True)
class _Boot:
    """One boot: a function of its number and of all that the run was told."""

    scenario: Scenario
    config: MachineConfig
    seed: int
    number: int
    mix: dict[str, int]
    how: How

    def _faulty(self) -> MachineConfig:
        config = self.config
        if self.how.noise and not config.fault and not self.how.kill:
            fault = draw_faults(config.design, self.seed, self.number, ends=not self.how.history)
            return replace(config, fault=fault)
        return config

    def _play(self) -> Playing:
        config = self._faulty()
        base = with_faults(Setup(design=config.design, nmi=config.nmi, sync=config.sync), config.fault)
        return play(
            self.scenario,
            base,
            vcpus=config.smp,
            seed=self.seed,
            boot=self.number,
            mix=self.mix,
            native=self.how.native,
        )

    def vm(self) -> tuple[Outcome, Playing, MachineConfig]:
        playing = self._play()
        machine = _machine(self._faulty(), playing.setup, self.seed + self.number)
        outcome = run(
            machine,
            playing,
            rounds=_KILL_ROUNDS if self.how.kill else _ROUNDS,
            seed=self.seed + 1000 * self.number,
            hostile=_HOSTILE_PERMILLE if self.scenario.name == "hostile" else 0,
            kill=self.how.kill,
            noise=bool(self.how.noise),
        )
        return outcome, playing, machine

    def native(self, runner: NativeRunner, seconds: float) -> tuple[Outcome, Playing, MachineConfig]:
        playing = self._play()
        machine = _machine(self._faulty(), playing.setup, self.seed + self.number)
        seed = (self.seed + 1000 * self.number) & ((1 << 64) - 1)
        if self.how.history:  # each boot another program
            first = self.number % len(playing.programs)
            playing = replace(playing, programs=(playing.programs[first],))
        played = runner.play(
            playing, seed=seed, noise_permille=self.how.noise, seconds=seconds, history=self.how.history
        )
        return *played, machine


def _enough(stressed: Stressed, amount: Amount, begin: float) -> bool:
    if amount.ops is not None:
        return (stressed.boots if stressed.killing else stressed.guest["done"]) >= amount.ops
    if amount.judged and stressed.judged:
        return True
    return time.monotonic() - begin >= (amount.seconds or 0)


def _machine(config: MachineConfig, setup: Setup, seed: int) -> MachineConfig:
    return replace(
        config,
        max_events=setup.max_events,
        counters=setup.counters,
        max_sample_rate=setup.max_sample_rate or config.max_sample_rate,
        fault=fault_text(config.fault, setup),
        seed=seed & ((1 << 64) - 1),
    )
