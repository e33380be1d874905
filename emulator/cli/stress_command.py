# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf stress`: whole VMs play scenarios in parallel; what breaks is handed to the explorer."""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from statistics import median

from emulator.errors import Killed, UsageError
from emulator.files import Files
from emulator.races.explore.case import MOST_VCPUS
from emulator.races.explore.machine import Setup
from emulator.races.explore.replay_file import ReplayFiles
from emulator.races.explore.scenarios import Scenario
from emulator.races.stress.names import all_playable, find_playable
from emulator.races.stress.playing import ends_its_vm, parse_mix, play
from emulator.races.stress.scenario_run import PLANTED, VM_ORACLES, Amount, How, Stressed, chance_of, stress
from emulator.races.stress.window import find_case
from emulator.terminal.columns import columns
from emulator.terminal.counted import counted
from emulator.terminal.progress import Progress, Stand
from emulator.terminal.unread import to_the_end
from emulator.vm.machine import MachineConfig

HELD, VIOLATED, INCONCLUSIVE = 0, 1, 7

_DEFAULT_SECONDS = 10.0
_HISTORY_SECONDS = 60.0  # at most: it ends once one has shown what is judged, which takes a second
_NAMED = 3
_LONGEST_HISTORY = 10_000_000  # all of it is kept in memory, in 48 bytes an operation


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when all held, 1 for a violation, 7 when the run proves nothing."""
    scenarios = [find_playable(name) for name in arguments.scenarios] or _all(arguments)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    if arguments.matrix and (arguments.kill or arguments.ops):
        raise UsageError("--matrix has one table: it goes neither with --kill nor with --ops")
    mix, config = parse_mix(arguments.mix), _config(arguments)
    _check(arguments, scenarios)
    how = How(arguments.native, round(arguments.noise * 10), arguments.kill, arguments.history)
    for scenario in scenarios:  # what cannot be played is refused before anything is started
        play(scenario, _setup(config), vcpus=config.smp, seed=seed, boot=0, mix=mix, native=how.native)
    if arguments.matrix:
        from emulator.races.stress.matrix import DESIGNS, matrix

        lines = matrix(scenarios, config, seed=seed, mix=mix, how=how, seconds=arguments.duration)
        return _print_table(lines, 2 + len(DESIGNS) * len(scenarios))
    hands_over = not arguments.kill
    replays = ReplayFiles(Files(), scenarios if hands_over else (), design=config.design, name=arguments.output)
    default = _HISTORY_SECONDS if arguments.history else _DEFAULT_SECONDS
    seconds = None if arguments.ops else (arguments.duration or default) / len(scenarios)
    amount = Amount(seconds, arguments.ops, judged=bool(arguments.history and not arguments.duration))
    cores = len(os.sched_getaffinity(0))
    print(
        f"stress: design {config.design}, nmi {config.nmi}, sync {config.sync}, "
        f"{_players(config.smp, native=how.native)} on {counted(cores, 'core')}, seed {seed}",
        flush=True,
    )
    with Progress() as progress:
        return _stress(scenarios, config, amount, how, arguments, replays, progress, seed=seed, mix=mix)


def _print_table(lines: Iterator[str], number: int) -> int:
    """Each as it comes. Returns 0: that designs break is what the table is for."""
    with Progress() as progress:
        for at, line in enumerate(lines, 1):
            progress.clear()
            print(line, flush=True)
            progress.say("matrix", at / number)
    return HELD


def _stress(
    scenarios: list[Scenario],
    config: MachineConfig,
    amount: Amount,
    how: How,
    arguments: argparse.Namespace,
    replays: ReplayFiles,
    progress: Progress,
    *,
    seed: int,
    mix: dict[str, int],
) -> int:
    """One scenario after the other, until one is violated."""
    runs: list[Stressed] = []

    def told(stressed: Stressed) -> None:
        _progress(runs, stressed)
        progress.tick()

    scenario = scenarios[0]
    try:
        progress.say("looking for the canary" if how.native else scenario.name)
        chance = chance_of(config, how, seed=seed) if how.native and config.design != PLANTED else None
        for scenario in scenarios:
            progress.watch(_Watch(runs, scenario, scenarios, amount, killing=how.kill))
            stressed = stress(scenario, config, amount, seed=seed, mix=mix, how=how, progress=told, chance=chance)
            progress.clear()
            if stressed.outcome:
                break
            print(_line(stressed), flush=True)
    except (KeyboardInterrupt, Killed):
        progress.clear()
        left = len(scenarios) - 1 - scenarios.index(scenario)
        print(f"interrupted in {scenario.name}: its last VM is not judged, {_not_played(left)}", flush=True)
        if runs:
            _end(runs, arguments, replays, progress, what="verdict until then")
        raise
    if not runs[-1].outcome:
        return _end(runs, arguments, replays, progress)
    with to_the_end():  # its case is looked for and written, whoever has read enough
        print(_line(runs[-1]), flush=True)
        return _end(runs, arguments, replays, progress)


def _all(arguments: argparse.Namespace) -> list[Scenario]:
    """Those that can be played this way."""
    playable = all_playable(native=arguments.native)
    return [each for each in playable if not ends_its_vm(each)] if arguments.history else playable


def _check(arguments: argparse.Namespace, scenarios: list[Scenario]) -> None:
    """What does not go together."""
    if not 0 <= arguments.noise <= 100:
        raise UsageError(f"the noise is 0 to 100 percent, and {arguments.noise:g} is not")
    if arguments.native and arguments.kill:
        raise UsageError("--native has one process alone: there is none to kill")
    if arguments.native and arguments.smp > MOST_VCPUS:
        raise UsageError(f"--native plays 1 to {MOST_VCPUS} vCPUs, and {arguments.smp} were asked for")
    if arguments.history and not arguments.native:
        raise UsageError("--history records what the threads of --native do: whole VMs come to rest after each round")
    if arguments.history and (short := [each.name for each in scenarios if ends_its_vm(each)]):
        raise UsageError(f"{short[0]} ends its VM: it has no history")
    if arguments.history > _LONGEST_HISTORY:
        raise UsageError(f"a history has at most {_LONGEST_HISTORY:,} operations")
    if arguments.history and arguments.matrix:
        raise UsageError("--matrix compares short rounds: it does not go with --history")
    if arguments.native and arguments.hold_us:
        raise UsageError("--native delays who holds a lock by --fault delay, not by --hold-us")


def _not_played(scenarios: int) -> str:
    return f"{counted(scenarios, 'scenario')} {'is' if scenarios == 1 else 'are'} not played"


def _players(number: int, *, native: bool) -> str:
    return f"{counted(number, 'thread')} of the core alone" if native else counted(number, "vCPU")


def _config(arguments: argparse.Namespace) -> MachineConfig:
    names = ("smp", "design", "nmi", "sync", "fault", "hold_us")
    return MachineConfig(**{name: getattr(arguments, name) for name in names})


def _setup(config: MachineConfig) -> Setup:
    return Setup(design=config.design, nmi=config.nmi, sync=config.sync)


def _progress(runs: list[Stressed], stressed: Stressed) -> None:
    """After each boot: the last of the runs is the one that goes on."""
    if not runs or runs[-1] is not stressed:
        runs.append(stressed)


class _Watch:
    """The line on a terminal while a scenario is played."""

    def __init__(
        self, runs: list[Stressed], scenario: Scenario, scenarios: list[Scenario], amount: Amount, *, killing: bool
    ) -> None:
        self._runs, self._scenario, self._amount, self._killing = runs, scenario, amount, killing
        self._before, self._of = scenarios.index(scenario), len(scenarios)
        self._begin = time.monotonic()

    def __call__(self) -> Stand:
        played = [each for each in self._runs if each.scenario is self._scenario]
        if self._amount.ops:
            share = sum(each.boots if self._killing else each.guest["done"] for each in played) / self._amount.ops
        else:
            share = (time.monotonic() - self._begin) / (self._amount.seconds or 1)
        done = sum(each.guest["done"] for each in self._runs)
        vms = counted(sum(each.boots for each in self._runs), "VM")
        return Stand(self._scenario.name, done, "operation", (self._before + min(share, 1)) / self._of, vms)


def _line(stressed: Stressed) -> str:
    return f"  {stressed.scenario.name:<15} {_how_far(stressed)}"


def _how_far(stressed: Stressed) -> str:
    rate = stressed.guest["done"] / max(stressed.seconds, 1e-9)
    done = f"{counted(stressed.boots, 'VM')}, {counted(stressed.rounds, 'round')}"
    if stressed.no_memory:
        done += f", {stressed.no_memory} without memory"
    if stressed.killing:
        killed = ", ".join(f"{n} x {name}" for name, n in sorted(stressed.killed.items())) or "none"
        took = (
            f"; all over after {median(stressed.took):.2f} s, {max(stressed.took):.2f} at most" if stressed.took else ""
        )
        return f"{stressed.verdict:<12}  {done}; killed: {killed}{took}"
    if stressed.outcome:
        return f"VIOLATED      {done}, {stressed.seconds:.1f} s: {stressed.outcome.oracle}"
    told = f"{stressed.verdict:<12}  {done}, {counted(stressed.guest['done'], 'operation')}, {rate:,.0f} a second"
    if stressed.history:
        checked = stressed.guest["done"] / max(stressed.checked_seconds, 1e-9)
        told += (
            f"; no quiet point; checked in {stressed.checked_seconds:.2f} s, {checked:,.0f} a second, "
            f"at most {stressed.widest} states at once"
        )
    return told


def _end(
    runs: list[Stressed],
    arguments: argparse.Namespace,
    replays: ReplayFiles,
    progress: Progress,
    what: str = "verdict",
) -> int:
    """The ledger, a line for each oracle, and the verdict."""
    guest, host = Counter[str](), Counter[str]()
    for stressed in runs:
        guest.update(stressed.guest)
        host.update(stressed.host)
    if not arguments.kill:
        _print_ledger(guest, host)
    _print_oracles(runs)
    violation = next((stressed for stressed in runs if stressed.outcome), None)
    if violation:
        _hand_over(violation, arguments, replays, progress)
    verdicts = {stressed.verdict for stressed in runs}
    if chance := runs[0].chance:
        took = f"found within {counted(chance.rounds, 'round')}" if chance.rounds else "NOT FOUND"
        print(f"canary: design {PLANTED} was {took}")
    doubtful = "inconclusive" in verdicts or verdicts == {"not tried"}
    verdict = "violated" if violation else "inconclusive" if doubtful else "held"
    print(
        f"{what}: {verdict}: {counted(len(runs), 'scenario')}, {counted(sum(each.boots for each in runs), 'VM')}, "
        f"{counted(sum(each.rounds for each in runs), 'round')}, {counted(guest['done'], 'operation')}"
        f"{_limits(runs)}"
    )
    return {"violated": VIOLATED, "inconclusive": INCONCLUSIVE, "held": HELD}[verdict]


def _limits(runs: list[Stressed]) -> str:
    """Of which oracles the verdict says nothing."""
    tried = [o for o in VM_ORACLES if any(each.verdicts()[o][0] != "not tried" for each in runs)]
    untried = [o for o in VM_ORACLES if o not in tried]
    if len(tried) == 1:
        return f"; {tried[0]} alone was tried"
    return f"; not tried: {', '.join(untried)}" if untried else ""


def _print_ledger(guest: Counter[str], host: Counter[str]) -> None:
    print(
        f"ledger: {counted(host['overflows_raised'], 'overflow')} raised = {host['overflows_delivered']:,} delivered + "
        f"{host['overflows_in_shadow']:,} kept + {host['overflows_dropped']:,} dropped at a close; "
        f"the guest took {guest['overflows']:,}"
    )
    print(
        f"{counted(guest['refused'], 'call')} refused; {counted(host['nmi_raised'], 'NMI')}, "
        f"{host['nmi_misses']:,} found the lock taken; "
        f"{counted(host['failed_syncs'], 'write')} to the guest failed"
    )


def _print_oracles(runs: list[Stressed]) -> None:
    """A violation counts more than a doubt, and that more than that it held."""
    for oracle in VM_ORACLES:
        told = [(*stressed.verdicts()[oracle], stressed.scenario.name) for stressed in runs]
        for wanted in ("VIOLATED", "inconclusive", "held", "not tried"):
            found = [(why, name) for verdict, why, name in told if verdict == wanted]
            if found:
                where = (
                    "" if wanted in ("held", "not tried") else f"  {_named([name for _, name in found])}: {found[0][0]}"
                )
                print(f"  {oracle:<20} {wanted}{where}")
                break


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _hand_over(stressed: Stressed, arguments: argparse.Namespace, replays: ReplayFiles, progress: Progress) -> None:
    """Looks for the same with the explorer, and writes down what it finds."""
    from emulator.races.explore.interleaving import interleaving

    assert stressed.playing is not None
    assert stressed.outcome is not None
    if arguments.kill:
        return
    program = stressed.playing.window(max(0, stressed.outcome.rounds - 1))
    progress.say("looking for it with the explorer")
    case = find_case(stressed.playing, stressed.outcome, seconds=arguments.search)
    progress.clear()
    if not case:
        print("the explorer did not find it in the operations of that round, which were")
        print("\n".join(f"  {line}" for line in program.lines()))
        return
    command = replays.write(stressed.scenario, case)
    print(
        f"in the explorer, {case.oracle}: {case.text}\n"
        f"from {counted(program.length, 'operation')} to {case.program.length}, "
        f"with {counted(case.preemptions, 'preemption')}:"
    )
    for line in [*case.program.lines(), *interleaving(case, case.replay()[1], width=columns(1, 2) - 2)]:
        print(f"  {line}")
    print(f"replay it with: {command}")
