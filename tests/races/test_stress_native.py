# SPDX-License-Identifier: GPL-2.0-only
"""pvperf stress --native: the core alone, on threads with noise. What is planted is found, and what is sound holds."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from processes import children

from emulator.cli import main, stress_command
from emulator.errors import Killed, UsageError
from emulator.races.explore.case import read_case
from emulator.races.explore.machine import Setup
from emulator.races.explore.program import Program
from emulator.races.explore.scenarios import find
from emulator.races.explore.shrink import same
from emulator.races.stress.boot import Outcome
from emulator.races.stress.native import NativeRunner
from emulator.races.stress.playing import Playing
from emulator.races.stress.scenario_run import Chance, Stressed
from emulator.vm.machine import MachineConfig

#: The nine defects of the posted design: where each of them is looked for, and which oracle it violates.
DEFECTS = {
    "failing-write": "O5 conservation",
    "dup-open": "O3 limit",
    "open-limit": "O3 limit",
    "no-memory": "O1 memory",
    "full-queue": "O1 memory",
    "errno": "O8 linearizability",
    "follow-task": "O5 conservation",
    "breakpoint": "O1 memory",
    "handler-sync": "O5 conservation",
}


@pytest.fixture
def runner() -> Iterator[NativeRunner]:
    before = children(os.getpid())
    with NativeRunner() as each:
        yield each
    assert children(os.getpid()) == before


def play(runner: NativeRunner, *vcpus: str, noise: int = 20, enough: int = 0, **setup: object) -> Outcome:
    """A boot, for as long as `enough` rounds take."""
    playing, seconds = Playing((Program.parse(vcpus),), Setup(**setup)), 0.05  # type: ignore[arg-type]
    while True:
        outcome = runner.play(playing, seed=3, noise_permille=noise, seconds=seconds)[0]
        if outcome.oracle or outcome.rounds >= enough:
            return outcome
        seconds *= 2


@pytest.mark.parametrize("noise", [0, 20, 500])
def test_the_threads_play_what_they_are_told(runner: NativeRunner, noise: int) -> None:
    """One vCPU: every figure is known."""
    program = "open 1 period 10; enable 1; run 500; read 1; open 1; close 2; kick 0"
    outcome = play(runner, program, noise=noise)
    assert outcome.oracle == "", outcome.text
    assert outcome.rounds > 0
    assert outcome.ledger["done"] == 5 * outcome.rounds
    assert outcome.ledger["refused"] == 2 * outcome.rounds
    assert outcome.host["overflows_raised"] == 50 * outcome.rounds
    assert outcome.host["overflows_delivered"] == 50 * outcome.rounds
    assert outcome.host["overflows_dropped"] == 0


def test_many_boots_of_one_process(runner: NativeRunner) -> None:
    for vcpus in (1, 8, 2):
        outcome = play(runner, *["open 1; enable 1; close 1"] * vcpus)
        assert outcome.oracle == "", outcome.text
        assert outcome.ledger["done"] == 3 * vcpus * outcome.rounds > 0


@pytest.mark.parametrize(("scenario", "oracle"), DEFECTS.items())
def test_each_defect_of_the_posted_design(
    scenario: str, oracle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every seed finds something, and no defect hides this one from all of them."""
    path = tmp_path / "case.replay"
    arguments = ["stress", scenario, "--native", "--design", "posted", "--search", "0.2", "-o", str(path)]
    told = ""
    for seed in range(12):
        assert main([*arguments, "--seed", str(seed), "--duration", "60"]) == 1
        told += capsys.readouterr().out
        if f"  {oracle:<20} VIOLATED" in told:
            break
    assert f"  {oracle:<20} VIOLATED" in told, told


@pytest.mark.parametrize("scenario", ["close-enable", "close-nmi", "churn"])
def test_scenario_2_of_the_mail(scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A panic on a thread names both sides, costs one process, and leaves a small case that replays."""
    path = tmp_path / "case.replay"
    arguments = ["stress", scenario, "--native", "--design", "no-refcount", "--seed", "5", "--duration", "60"]
    assert main([*arguments, "-o", str(path)]) == 1
    told = capsys.readouterr().out
    assert f"replay it with: pvperf replay {path}" in told
    assert told.splitlines()[-1].startswith("verdict: violated: 1 scenario,")
    case = read_case(path)
    assert case.program.length <= 6
    assert same(case, case.replay()[0])


@pytest.mark.parametrize("nmi", ["trylock", "deferred", "lockless"])
@pytest.mark.parametrize("design", ["per-vm", "per-vcpu"])
def test_sound_designs_hold(design: str, nmi: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["stress", "churn", "close-nmi", "--native", "--ops", "60000", "--seed", "7"]
    status = main([*arguments, "--design", design, "--nmi", nmi, "--fault", "trylock=10%,guest-write=5%,delay=0.5%"])
    told = capsys.readouterr().out
    assert status == 0, told
    assert told.count("  held\n") + told.count(" held\n") >= 7


def test_an_allocation_that_fails_ends_the_vm_in_good_order(runner: NativeRunner) -> None:
    outcome = play(runner, "open 1 period 10; enable 1; run 25", "read 1; close 1", enough=100, alloc_permille=300)
    assert outcome.oracle == "", outcome.text
    assert 0 < outcome.no_memory < outcome.rounds


def test_guest_memory_that_fails_loses_nothing(runner: NativeRunner) -> None:
    program = "open 1 period 10; enable 1; run 25; run 25; disable 1"
    outcome = play(runner, program, "read 1", enough=100, write_permille=400, trylock_permille=100)
    assert outcome.oracle == "", outcome.text
    assert outcome.host["failed_syncs"] > 0
    assert outcome.host["nmi_misses"] > 0
    assert outcome.host["overflows_raised"] >= outcome.host["overflows_delivered"] > 0


def test_a_round_that_hangs_is_found() -> None:
    """A vCPU halts, and nobody kicks it; the process is killed, and another one goes on."""
    before = children(os.getpid())
    with NativeRunner(hang_seconds=2) as runner:
        outcome = play(runner, "halt", "read 1")
        assert outcome.oracle == "O10 progress"
        assert outcome.text.startswith("the round does not end: vCPU 0 is in ")
        assert play(runner, "open 1", "read 1").oracle == ""
    assert children(os.getpid()) == before


def test_a_vm_that_ends_by_itself_is_found(runner: NativeRunner) -> None:
    outcome = play(runner, "halt")
    assert outcome.oracle == "O10 progress"
    assert outcome.text.startswith("the VM came to its end")


def test_a_process_that_dies_is_told_of(runner: NativeRunner) -> None:
    played = runner.ask(partial(os.kill, 0, signal.SIGCONT), 60.0)  # type: ignore[arg-type]
    assert played is None  # it does what it is asked for
    played = runner.ask(partial(signal.raise_signal, signal.SIGKILL), 60.0)  # type: ignore[arg-type]
    assert played.oracle == "O1 memory"
    assert "SIGKILL" in played.text
    assert play(runner, "open 1", "read 1").oracle == ""


def test_a_machine_that_is_none(runner: NativeRunner) -> None:
    with pytest.raises(UsageError, match="no such machine"):
        play(runner, "open 1", design="best")
    assert play(runner, "open 1").oracle == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["halt-kick"], "halt-kick halts vCPUs for good"),
        (["churn", "--smp", "9"], "--native plays 1 to 8 vCPUs, and 9 were asked for"),
        (["churn", "--kill"], "there is none to kill"),
        (["churn", "--noise", "101"], "the noise is 0 to 100 percent, and 101 is not"),
        (["churn", "--hold-us", "5"], "not by --hold-us"),
        (["hostile"], "hostile takes a guest"),
    ],
)
def test_usage(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stress", "--native", *arguments]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("interrupt", "signum"), [(KeyboardInterrupt(), signal.SIGINT), (Killed(signal.SIGTERM), signal.SIGTERM)]
)
def test_what_held_until_an_interrupt_is_told(
    interrupt: BaseException, signum: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell = stress_command._progress

    def progress(runs: list[Stressed], stressed: Stressed) -> None:
        tell(runs, stressed)
        if stressed.rounds >= 5000:  # so many had a chance, however busy the machine is
            raise interrupt

    died: list[int] = []
    monkeypatch.setattr(stress_command, "_progress", progress)
    monkeypatch.setattr("emulator.cli._die_by", died.append)
    main(["stress", "--native", "close-enable", "close-sync", "--duration", "400", "--seed", "3"])
    told = capsys.readouterr().out.splitlines()
    assert told[1] == "interrupted in close-enable: its last VM is not judged, 1 scenario is not played"
    assert told[-1].startswith("verdict until then: held: 1 scenario, ")
    assert died == [signum]


def test_a_run_that_had_no_chance_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """By what really happened, and not by time: where a planted defect takes more rounds, nothing has held."""
    arguments = ["stress", "churn", "--native", "--seed", "7", "--fault", "trylock=10%"]
    assert main([*arguments, "--ops", "60000"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"\ncanary: design no-refcount was found within [\d,]+ rounds\nverdict: held", told)
    stressed = Stressed(find("churn"), "per-vm", "trylock", chance=Chance(rounds=500, operations=3000))
    stressed.add(outcome := whole(rounds=499), played, MachineConfig())
    assert stressed.verdict == "inconclusive"
    assert stressed.verdicts()["O1 memory"] == (
        "inconclusive",
        "499 rounds are too few: it took up to 500 to find no-refcount, which is planted",
    )
    assert "held" not in {verdict for verdict, _ in stressed.verdicts().values()}
    stressed.add(replace(outcome, rounds=1), played, MachineConfig())
    assert stressed.verdicts()["O1 memory"] == ("held", "")


def test_where_the_planted_defect_is_not_found_nothing_has_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine on which threads do not meet."""
    monkeypatch.setattr("emulator.races.stress.scenario_run.PLANTED", "per-vm")
    monkeypatch.setattr("emulator.races.stress.scenario_run._CHANCE_OPS", 500)
    assert main(["stress", "churn", "--native", "--seed", "7", "--ops", "2000", "--fault", "trylock=10%"]) == 7
    told = capsys.readouterr().out
    assert "was not found in 500 operations" in told
    assert "NOT FOUND\nverdict: inconclusive: " in told
    assert "  held" not in told


played = Playing((Program.parse(["open 1"]),), Setup())


def whole(rounds: int) -> Outcome:
    return Outcome(rounds=rounds, ledger={"done": 4 * rounds, "refused": 1}, host={"nmi_misses": 1})
