# SPDX-License-Identifier: GPL-2.0-only
"""pvperf stress: what is planted is found and becomes a case that replays; sound designs hold; nothing stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from processes import children, segments

from emulator.cli import main
from emulator.errors import AllHalted, GuestError, GuestShutdown, HostDied, UsageError
from emulator.races.explore.case import read_case
from emulator.races.explore.machine import Setup
from emulator.races.explore.program import Program
from emulator.races.explore.scenarios import SCENARIOS, find
from emulator.races.explore.shrink import same
from emulator.races.stress.boot import Outcome, run
from emulator.races.stress.faults import draw_faults, fault_text, with_faults
from emulator.races.stress.names import all_playable
from emulator.races.stress.playing import MIX, Playing, parse_mix, play
from emulator.races.stress.scenario_run import Amount, Stressed, stress
from emulator.races.stress.window import find_case
from emulator.vm.machine import Machine, MachineConfig, parse_faults


def boot(playing: Playing, *, rounds: int = 50, hostile: int = 0, **config: object) -> Outcome:
    machine = MachineConfig(smp=len(playing.programs[0].vcpus), max_events=playing.setup.max_events, **config)  # type: ignore[arg-type]
    return run(machine, playing, rounds=rounds, seed=3, hostile=hostile, kill=False)


def alone(*vcpus: str, **setup: object) -> Playing:
    return Playing((Program.parse(vcpus),), Setup(**setup))  # type: ignore[arg-type]


def test_the_guest_plays_what_it_is_told() -> None:
    """One vCPU: every figure of both ledgers is known."""
    playing = alone("open 1 period 10; enable 1; run 500; read 1; open 1; close 2; kick 0")
    outcome = boot(playing, rounds=7)
    assert outcome.oracle == "", outcome.text
    assert outcome.rounds == 7
    assert outcome.ledger["done"] == 7 * 5
    assert outcome.ledger["refused"] == 7 * 2
    assert outcome.ledger["compared"] == 7
    assert outcome.host["hypercalls_read"] == 7
    assert outcome.host["quiet_points"] == 7
    assert outcome.host["events_opened"] == 7
    assert outcome.host["overflows_delivered"] == outcome.ledger["overflows"] >= 7 * 50


def test_the_guest_knows_what_was_counted() -> None:
    """One vCPU knows it to the instruction at each DISABLE, and at each READ but for those that wrote it down."""
    playing = alone("open 1; enable 1; run 100; disable 1; enable 1; run 7; read 1; disable 1")
    ledger = boot(playing, rounds=10).ledger
    assert ledger["bounded"] == 10 * 5  # with what is disabled behind the last operation, and with what stays
    assert ledger["exact"] == 10 * 4
    drawn = boot(Playing(playing.programs, playing.setup, sources=True), rounds=40)
    assert drawn.oracle == "", drawn.text
    assert drawn.ledger["exact"] >= 40 * 4


def test_the_guest_looks_at_groups_and_times() -> None:
    program = "lead 1 period 10; join 2 1 period 7; join 3 1; enable 1; run 50; read 1; run 50; close 3; read 1; read 2"
    outcome = boot(alone(program, "peek 1; read 1; peek 2"), rounds=30)
    assert outcome.oracle == "", outcome.text
    assert min(outcome.ledger[figure] for figure in ("looked", "timed", "exact")) >= 30
    assert outcome.host["hypercalls_open2"] == 30 * 3
    assert outcome.ledger["overflows"] > 30 * 20


def test_hostile_calls_are_refused() -> None:
    outcome = boot(alone("read 1; read 1; read 1; read 1"), rounds=50, hostile=1000)
    assert outcome.oracle == "", outcome.text
    assert outcome.ledger["done"] == 400
    assert outcome.ledger["refused"] == 400
    assert outcome.host["events_opened"] == 0


def test_lost_overflows_are_found_and_replay(tmp_path: Path) -> None:
    """Defect 1 of the posted design: the write to the guest fails, and what was taken is gone."""
    playing = alone("open 1 period 10; enable 1; run 500", "read 2", design="posted", write_permille=400)
    outcome = boot(playing, design="posted", fault="guest-write=40%")
    assert outcome.oracle == "O5 conservation"
    assert outcome.text == "the host's ledger does not add up: overflows are lost"
    assert outcome.rounds == outcome.host["quiet_points"] < 50  # in the round that lost them
    case = find_case(playing, outcome, seconds=20, shrink_seconds=0.3)
    assert case is not None
    assert case.oracle == "O5 conservation"
    case.write(tmp_path / "case.replay")
    again = read_case(tmp_path / "case.replay")
    assert all(same(again, again.replay()[0]) for _ in range(10))


def test_an_errno_that_is_none_is_found() -> None:
    """Defect 6: at the limit OPEN says -ENOENT."""
    playing = alone("open 1; open 2", "read 3", design="posted", max_events=1, strict_errno=1)
    outcome = boot(playing, design="posted")
    assert outcome.oracle == "O8 linearizability"
    assert "o gave -2" in outcome.text
    assert find_case(playing, outcome, seconds=20, shrink_seconds=0.3) is not None


@pytest.mark.parametrize(
    ("scenario", "oracle"),
    [
        ("dup-open", "O3 limit"),
        ("full-queue", "O1 memory"),
        ("no-memory", "O1 memory"),
        ("follow-task", "O5 conservation"),
        ("breakpoint", "O1 memory"),
        ("errno", "O8 linearizability"),
    ],
)
def test_defects_of_the_posted_design(
    scenario: str, oracle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every seed finds something, and no defect hides this one from all of them."""
    arguments = ["stress", scenario, "--design", "posted", "--ops", "100000", "--search", "0.1"]
    arguments += ["-o", str(tmp_path / "case.replay")]
    told = ""
    for seed in range(40):
        assert main([*arguments, "--seed", str(seed)]) == 1
        told += capsys.readouterr().out
        if f"  {oracle:<20} VIOLATED" in told:
            break
    assert f"  {oracle:<20} VIOLATED" in told, told


def test_an_allocation_that_fails_ends_the_vm_in_good_order() -> None:
    outcome = boot(alone("open 1 period 10; enable 1; run 500", "read 1"), fault="alloc=20%")
    assert outcome.oracle == "", outcome.text
    assert outcome.no_memory == 1
    assert 0 < outcome.rounds < 50
    assert outcome.host["overflows_lost"] == 0


def test_threads_that_are_delayed_with_a_lock_lose_nothing() -> None:
    playing = alone("open 1 period 10; enable 1; run 500; disable 1", "read 1; close 1")
    outcome = boot(playing, fault="delay=5%,trylock=10%,guest-write=10%")
    assert outcome.oracle == "", outcome.text
    assert outcome.rounds == outcome.host["quiet_points"] == 50


def test_the_seed_draws_faults() -> None:
    drawn = [draw_faults("per-vm", 1, boot) for boot in range(40)]
    assert drawn == [draw_faults("per-vm", 1, boot) for boot in range(40)]
    assert {name for text in drawn for name in parse_faults(text)} == {"trylock", "delay", "alloc"}
    assert not any("alloc" in draw_faults("posted", 1, boot) for boot in range(40))


def test_faults_in_the_terms_of_each_machine() -> None:
    assert fault_text("trylock=10%", Setup(write_permille=400, fail_alloc=2)) == (
        "trylock=10%,guest-write=40%,alloc=20%"
    )
    assert fault_text("guest-write=1.5%", Setup(write_permille=400)) == "guest-write=1.5%"
    assert with_faults(Setup(), "alloc=0.2%,delay=1%") == Setup(alloc_permille=2, delay_permille=10)


def test_scenario_2_of_the_mail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However the VM comes to its end, a case of a handful of operations is left, and replays."""
    path = tmp_path / "case.replay"
    arguments = ["stress", "close-enable", "--design", "no-refcount", "--seed", "5", "--ops", "100000", "-o", str(path)]
    assert main(arguments) == 1
    told = capsys.readouterr().out
    assert f"replay it with: pvperf replay {path}" in told
    assert told.splitlines()[-1].startswith("verdict: violated: 1 scenario,")
    case = read_case(path)
    assert case.program.length <= 5
    assert same(case, case.replay()[0])
    assert main(["replay", str(path)]) == 1


@pytest.mark.parametrize("design", ["per-vm", "per-vcpu"])
@pytest.mark.parametrize("scenario", ["close-enable", "close-nmi", "churn", "hostile"])
def test_sound_designs_hold(scenario: str, design: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["stress", scenario, "--design", design, "--ops", "2000", "--fault", "trylock=10%", "--seed", "7"])
    told = capsys.readouterr().out
    assert status == 0, told
    assert "  O8 linearizability   held" in told


def test_a_killed_process_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = children(os.getpid())
    status = main(["stress", "churn", "--kill", "--ops", "3", "--smp", "2"])
    told = capsys.readouterr().out
    assert status == 0, told
    assert "O10 progress         held" in told
    assert told.splitlines()[-1].startswith("verdict: held: ")
    assert told.splitlines()[-1].endswith("; O10 progress alone was tried")
    assert "O1 memory            not tried" in told
    assert children(os.getpid()) == before
    assert segments(os.getpid()) == []


def test_what_was_not_seen_is_not_said_to_hold() -> None:
    """A scenario that samples, in which no NMI met a taken lock, proves nothing of misses."""
    stressed = Stressed(find("close-nmi"), "per-vm", "trylock", samples=True, exact=True)
    stressed.add(Outcome(ledger={"refused": 0}), alone("open 1 period 10"), MachineConfig())
    assert stressed.verdict == "inconclusive"
    assert set(stressed.doubts()) == {"O5 conservation", "O6 nothing stranded", "O8 linearizability"}
    stressed.guest.update(refused=1, compared=1)
    stressed.host.update(overflows_raised=1)
    assert set(stressed.doubts()) == {"O5 conservation"}
    stressed.host.update(nmi_misses=1)
    assert stressed.verdict == "held"
    assert stressed.verdicts()["O3 limit"][0] == "not tried"


def test_what_was_never_compared_is_not_said_to_hold() -> None:
    stressed = Stressed(find("close-nmi"), "per-vm", "trylock")
    stressed.add(Outcome(oracle="O7 lock order", text="a panic"), alone("open 1 period 10"), MachineConfig())
    verdicts = stressed.verdicts()
    assert verdicts.pop("O7 lock order") == ("VIOLATED", "a panic")
    assert {verdict for verdict, _ in verdicts.values()} == {"not tried"}


def test_the_same_seed_plays_the_same() -> None:
    def programs(seed: int, number: int) -> list[str]:
        return play(SCENARIOS["churn"], Setup(), vcpus=4, seed=seed, boot=number, mix=MIX).arguments()

    assert programs(1, 2) == programs(1, 2)
    assert len({tuple(programs(seed, number)) for seed in range(5) for number in range(5)}) == 25


def test_more_vcpus_play_the_same_again() -> None:
    playing = play(find("close-enable"), Setup(), vcpus=5, seed=0, boot=0, mix=MIX)
    assert playing.arguments()[4] == "p4=c1//e1,c1/"
    assert playing.arguments()[2] == "p2=c1/o3,c3/e1,c1/o3,e3,c3"
    assert len(playing.window(3).vcpus) == 5
    assert [str(op) for op in playing.window(3).vcpus[1]] == ["enable 1", "disable 1"]


def test_a_mix_is_what_is_played() -> None:
    mix = parse_mix(",".join(f"{name}={int(name == 'read')}" for name in MIX))
    stressed = stress(find("churn"), MachineConfig(smp=1), Amount(ops=1), seed=1, mix=mix)
    assert stressed.outcome is None
    assert stressed.guest["done"] == stressed.guest["refused"] == stressed.host["hypercalls_read"] > 0


def test_a_host_that_is_killed_from_outside_is_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_and_die(*_: object, **__: object) -> None:
        raise HostDied("the host process was killed by " + next(signals))

    monkeypatch.setattr(Machine, "run", run_and_die)
    playing = play(find("close-enable"), Setup(), vcpus=2, seed=0, boot=0, mix=MIX)
    signals = iter(("SIGSEGV", "SIGKILL", "SIGBUS", "SIGXCPU"))
    assert run(MachineConfig(smp=2), playing, rounds=1, seed=0, hostile=0, kill=False).oracle == "O1 memory"
    for ending in ("SIGKILL", "SIGBUS", "SIGXCPU"):
        with pytest.raises(HostDied, match=ending):
            run(MachineConfig(smp=2), playing, rounds=1, seed=0, hostile=0, kill=False)


@pytest.mark.parametrize("kind", [AllHalted, GuestShutdown])
def test_a_guest_that_cannot_go_on_is_a_violation(monkeypatch: pytest.MonkeyPatch, kind: type[GuestError]) -> None:
    """It is ours, and does what it does by what the host did to it."""

    def run_and_die(*_: object, **__: object) -> None:
        raise kind("why")

    monkeypatch.setattr(Machine, "run", run_and_die)
    playing = play(find("close-enable"), Setup(), vcpus=2, seed=0, boot=0, mix=MIX)
    outcome = run(MachineConfig(smp=2), playing, rounds=1, seed=0, hostile=0, kill=False)
    assert (outcome.oracle, outcome.text) == ("O10 progress", "why")


def test_all_scenarios_but_those_that_a_vm_cannot_play() -> None:
    names = {scenario.name for scenario in all_playable()}
    assert set(SCENARIOS) - names == {"halt-kick", "halt-nmi", "handler-sync"}
    native = {scenario.name for scenario in all_playable(native=True)}
    assert native - names == {"handler-sync"}
    assert names - native == {"hostile"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a" * 300], "there is no scenario or file 'aaa"),
        (["close-enabel"], "there is no scenario or file 'close-enabel'; did you mean close-enable"),
        (["halt-kick"], "halt-kick halts vCPUs for good"),
        (["churn", "--mix", "walk=1"], "there is no operation 'walk' to mix"),
        (["churn", "--mix", "open=x"], "the weight of open is a whole number, and 'x' is not"),
        (["churn", "--design", "best"], "design 'best' is not known"),
        (["churn", "--fault", "sun=1%"], "there is no fault 'sun'"),
        (["churn", "--smp", "65"], "number of vCPUs (smp) must be 1 to 64"),
        (["churn", "--ops", "0"], "--ops"),
    ],
)
def test_usage(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stress", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_no_mix_at_all_is_none() -> None:
    with pytest.raises(UsageError, match="nothing has a weight"):
        parse_mix(",".join(f"{name}=0" for name in MIX))
