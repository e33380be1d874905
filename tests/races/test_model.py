# SPDX-License-Identifier: GPL-2.0-only
"""The model of the protocol: in Python and by Spin it is the same system, and what is planted in it is found."""

import functools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.cli import main
from emulator.errors import UsageError
from emulator.races.explore.case import read_case
from emulator.races.explore.machine import Machine, Setup
from emulator.races.explore.program import Program
from emulator.races.explore.shrink import alike
from emulator.races.model import accept, bridge, search, spin
from emulator.races.model.bounds import DEFECTS, DESIGNS, POLICIES, Bounds, Model, modelled
from emulator.races.model.search import Searched

SOUND = [(design, nmi) for design in ("per-vm", "per-vcpu") for nmi in POLICIES]
MOST = 5_000_000
#: Whose bounds have millions of states: Spin goes through them ten times as fast.
LARGE = {"late-nmi"}
needs_spin = pytest.mark.skipif(not shutil.which("spin"), reason="Spin is not installed")


@functools.cache
def by_python(model: Model) -> Searched:
    """Of some models more than one test asks that; it is always the same."""
    return search.search(model, most_states=MOST)


@functools.cache
def by_spin(model: Model) -> Searched:
    return spin.search(model, most_states=MOST)


@pytest.mark.parametrize(("design", "nmi"), SOUND)
def test_sound_designs_hold_in_all_states(design: str, nmi: str) -> None:
    found = by_python(Model(design, nmi))
    assert found.held
    assert found.states > 5000


@pytest.mark.parametrize("name", DEFECTS)
def test_what_is_planted_is_found(name: str) -> None:
    model = modelled("per-vm", "deferred", name, {})
    found = by_python(model)
    assert found.violates == DEFECTS[name].oracle
    assert 3 <= len(found.trail) <= 30
    sound = by_spin if name in LARGE and shutil.which("spin") else by_python
    assert sound(replace(model, defect="")).held


def test_scenario_2_is_found_without_references() -> None:
    """In the shortest trail it is another CLOSE that works on what CLOSE freed, and not ENABLE."""
    found = by_python(Model("no-refcount"))
    assert found.violates == "O1 memory"
    closer = next(step.partition(":")[0] for step in found.trail if "is done with event" in step)
    assert any(step.startswith(f"{closer}: CLOSE") for step in found.trail)
    assert found.trail[-1].startswith("vCPU ")
    assert not found.trail[-1].startswith(closer)


@needs_spin
@pytest.mark.parametrize(
    ("design", "nmi", "bounds"),
    [
        *((design, nmi, Bounds()) for design, nmi in SOUND),
        ("per-vm", "deferred", Bounds(vcpus=1, ids=1, ops=4, nmis=3)),
        ("per-vm", "deferred", Bounds(ids=3, nmis=1, limit=1, capacity=2)),
        ("per-vm", "lockless", Bounds(vcpus=3, ids=1, nmis=1)),
    ],
)
def test_both_reach_as_many_states(design: str, nmi: str, bounds: Bounds) -> None:
    model = Model(design, nmi, bounds=bounds)
    assert by_python(model).held
    assert by_python(model) == by_spin(model)


@needs_spin
@pytest.mark.parametrize("name", DEFECTS)
def test_both_find_what_is_planted(name: str) -> None:
    """Breadth first, no trail is shorter; which of the shortest is found depends on the order of a state's steps."""
    model = modelled("per-vm", "deferred", name, {})
    assert by_spin(model).violates == by_python(model).violates == DEFECTS[name].oracle
    assert len(by_spin(model).trail) == len(by_python(model).trail)


@needs_spin
@pytest.mark.soak  # as test_both_reach_as_many_states does, with millions of them
@pytest.mark.parametrize("design", ["per-vcpu", "per-vm"])
def test_three_calls_and_three_nmis(design: str) -> None:
    model = Model(design, bounds=Bounds(ops=3, nmis=3))
    assert by_python(model).held
    assert by_python(model) == by_spin(model)


@pytest.mark.parametrize("design", DESIGNS)
def test_model_says_what_it_searched(capsys: pytest.CaptureFixture[str], design: str) -> None:
    violated = design == "no-refcount"
    assert main(["model", "--design", design, "--json"]) == (1 if violated else 0)
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == ("violated" if violated else "held")
    assert document["complete"] is not violated
    assert bool(document["trail"]) is violated
    assert document["bounds"] == {"vcpus": 2, "ids": 2, "ops": 2, "nmis": 2, "limit": 2, "capacity": 1}


def test_model_shows_the_trail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--defect", "check-then-increment"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "verdict: violated: O3 limit"
    assert sum("OPEN" in line and "counted" in line for line in lines) == 2


@pytest.mark.parametrize("by", ["--python", pytest.param("--spin", marks=needs_spin)])
@pytest.mark.parametrize("name", [name for name in DEFECTS if name not in ("full-drops", "closed-leader")])
def test_a_trail_becomes_a_case_of_the_core(
    name: str, by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same calls and NMIs, on the core with the same defect: it replays, and is none where nothing is planted."""
    path = tmp_path / "trail.replay"
    assert main(["model", by, "--defect", name, "-o", str(path)]) == 1
    assert f"pvperf replay {path}" in capsys.readouterr().out
    assert main(["replay", str(path)]) == 1
    case = read_case(path)
    assert alike(case.oracle, DEFECTS[name].oracle)
    with Machine(replace(case.setup, design="per-vm", canary=""), case.program) as machine:
        totals, verdict = machine.run("dfs", bound=case.preemptions, count=10**6)
    assert verdict.held
    assert totals.complete


def test_scenario_2_of_the_model_is_that_of_the_core(tmp_path: Path) -> None:
    path = tmp_path / "trail.replay"
    assert main(["model", "--design", "no-refcount", "-o", str(path)]) == 1
    assert read_case(path).setup.design == "no-refcount"
    assert main(["replay", str(path)]) == 1


@pytest.mark.parametrize(("design", "nmi"), SOUND)
@pytest.mark.parametrize("sizes", [(), ("--vcpus", "3", "--ids", "3", "--ops", "3", "--nmis", "3", "--limit", "1")])
def test_what_the_core_does_is_what_the_model_can_do(
    design: str, nmi: str, sizes: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["model", "--design", design, "--nmi", nmi, *sizes, "--traces", "2000", "--seed", "1", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "accepted"
    assert document["schedules"] == 2000
    assert document["records"] > 10 * 2000
    assert document["places"] > 1000


@pytest.mark.parametrize(
    ("canary", "refused"),
    [
        ("closed_not_looked_at", "attach of vCPU"),  # ENABLE works on an event that is closed
        ("detached_stays_queued", "deliver of vCPU"),  # of an event that counts elsewhere, or nowhere
    ],
)
def test_a_core_that_is_broken_does_what_the_model_cannot(
    canary: str, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen in the trace, before an oracle sees the end."""
    model = Model(bounds=Bounds(ops=3, limit=1))
    monkeypatch.setattr(accept, "setup_of", lambda _: Setup(nmi=model.nmi, max_events=1, canary=canary))
    assert refused in accept.compare(model, seed=1, schedules=3000).refused
    monkeypatch.setattr(accept, "setup_of", lambda _: Setup(nmi=model.nmi, max_events=1))
    assert not accept.compare(model, seed=1, schedules=3000).refused


def test_a_trace_with_a_record_less_or_another_result_or_vcpu_is_refused() -> None:
    program = Program.parse(["open 0 clock 1; enable 0", "disable 0; close 0"], "clock; clock")
    acceptor = accept.Acceptor(program, Setup(nmi="deferred"))
    refused = 0
    with Machine(Setup(nmi="deferred"), program) as machine:
        for index in range(100):
            machine.run("mix", seed=1, first=index, count=1, trace=True)
            trace = machine.traces()
            assert not acceptor.refuses(trace)
            for at, record in enumerate(trace):
                if record.kind in ("attach", "detach", "nmi", "defer", "deliver", "finish"):
                    elsewhere = replace(record, vcpu=1 - record.vcpu)
                    assert acceptor.refuses([*trace[:at], elsewhere, *trace[at + 1 :]]), record
                    refused += 1
                if record.kind in ("hypercall", "attach", "detach"):
                    assert acceptor.refuses(trace[:at] + trace[at + 1 :]), record
                    refused += 1
                if record.kind == "result":
                    wrong = replace(record, value=record.value ^ 1)
                    assert acceptor.refuses([*trace[:at], wrong, *trace[at + 1 :]]), record
                    refused += 1
            last = max(at for at, record in enumerate(trace) if record.kind == "result")
            assert acceptor.refuses(trace[:last]).startswith("the end: ")
    assert refused > 500


def test_a_closed_leader_shows_on_the_core_to_a_later_call_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trail ends with the join, whose success may have come in front of the CLOSE."""
    assert main(["model", "--python", "--defect", "closed-leader", "-o", str(tmp_path / "case")]) == 7
    assert "the core was not seen to violate O8 linearizability with this trail's calls" in capsys.readouterr().err
    assert not (tmp_path / "case").exists()


def test_traces_of_a_defect_end_with_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--defect", "check-then-increment", "--traces", "1000", "--seed", "1"]) == 1
    said = capsys.readouterr().out
    assert "  vcpu 1: " in said
    assert re.search(r"verdict: refused: (the core violates O|record \d+: )", said)  # whichever ends it first
    assert main(["model", "--defect", "stranded-miss", "--traces", "1", "--seed", "1"]) == 7
    assert "verdict: inconclusive: what is planted was not seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        (["open 0; read 0"], "and nothing else"),
        (["open 0; close 0; open 0"], "an id is opened once"),
        (["open 0 period 10"], "what samples is a clock"),
        (["open 3"], "3 events at most"),
    ],
)
def test_a_program_that_the_model_has_no_words_for(program: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        accept.Acceptor(Program.parse(program), Setup(nmi="deferred"))


def test_too_many_states_prove_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--states", "1000"]) == 7
    assert "verdict: inconclusive" in capsys.readouterr().out


def test_without_spin_its_search_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["model", "--spin"]) == 126
    assert "spin is not there" in capsys.readouterr().err


def test_a_defect_that_the_core_cannot_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--defect", "full-drops", "-o", str(tmp_path / "case")]) == 126
    assert "the core has nothing like full-drops" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--design", "posted"], "there is no design 'posted'"),
        (["--defect", "typo"], "there is no defect 'typo'"),
        (["--nmi", "trylock"], "there is no NMI policy 'trylock'"),
        (["--vcpus", "4"], "4 vcpus cannot be modelled"),
        (["--ops", "0"], "0 ops cannot be modelled"),
        (["--spin", "--python"], "not allowed with"),
        (["-o", "/nonexistent/case"], "/nonexistent"),
        (["--traces", "10", "-o", "case"], "neither with -o"),
    ],
)
def test_model_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    assert main(["model", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def planted(path: Path, *more: str) -> list[str]:
    return ["model", "--defect", "check-then-increment", "-o", str(path), *more]


def test_another_violation_than_the_trails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case"
    assert main(planted(path)) == 1
    assert ", and not " not in capsys.readouterr().out
    found = bridge.exhausted
    monkeypatch.setattr(
        bridge, "exhausted", lambda *words: (case := found(*words)) and replace(case, oracle="O7 lock order")
    )
    assert main(planted(path)) == 1
    told = capsys.readouterr().out
    (line,) = [line for line in told.splitlines() if line.startswith("on the core, ")]
    assert "O7 lock order: " in line
    assert line.endswith(", and not O3 limit as the trail does: another violation")
    assert main(planted(path, "--json")) == 1
    core = json.loads(capsys.readouterr().out)["core"]
    assert (core["oracle"], core["as_the_trail"]) == ("O7 lock order", False)


@pytest.mark.parametrize(
    ("seconds", "why"), [(60.0, "with at most "), (0.0, "within 0 s of CPU time: not all schedules with 0 preemptions")]
)
def test_a_trail_that_the_core_does_not_follow_proves_nothing(
    seconds: float, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case"
    monkeypatch.setattr(bridge, "exhausted", lambda *words: None)
    monkeypatch.setattr(bridge, "_SECONDS", seconds)
    assert main(planted(path)) == 7
    told = capsys.readouterr()
    assert "verdict: violated: O3 limit" in told.out
    assert f"the core was not seen to violate O3 limit with this trail's calls, {why}" in told.err
    assert main(planted(path, "--json")) == 7
    assert json.loads(capsys.readouterr().out)["violates"] == "O3 limit"
    assert not path.exists()
