# SPDX-License-Identifier: GPL-2.0-only
"""`bench compare` finds a regression of 5 %, and none between two runs of the same build: 20 of 20 tries of each.

The noise is made up, after what shared machines do: it drifts, it disturbs single rounds, and it differs from one run
to the next; the random numbers are always the same.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.bench.compare import compare_documents, compare_rounds
from emulator.bench.measuring.case import Case
from emulator.bench.measuring.machine import Conditions
from emulator.bench.measuring.result import CaseResult, Document, GroupResult

TRIES = 20
MIN_EFFECT = 0.02
CASES = {"READ, one core": 5.0, "READ, two cores": 0.7, "OPEN": 6.0, "boot": 300.0}


def machine_states(draw: random.Random, rounds: int) -> list[float]:
    """How much slower the machine is in each round: a level of its own each run, drift, and neighbours."""
    level, state, found = draw.lognormvariate(0, 0.10), 0.0, []
    for _ in range(rounds):
        state = 0.8 * state + draw.gauss(0, 0.02)
        found.append(level * (1 + abs(state)))
    return found


def noise(draw: random.Random) -> float:
    """Of one value: mostly small, and now and then a round that was disturbed."""
    return draw.lognormvariate(0, 0.012) * (1 + (draw.random() < 0.05) * draw.uniform(0.05, 0.6))


def made_up_run(seed: int, *, slower: float = 1.0, rounds: int = 30) -> Document:
    """One run whose "READ, one core" takes `slower` times what it should."""
    draw = random.Random(seed)
    states = machine_states(draw, rounds)
    groups = []
    for name, seconds in CASES.items():
        factor = slower if name == "READ, one core" else 1.0
        ours = [seconds * factor * state * noise(draw) for state in states]
        limit = [seconds / 1.1 * state * noise(draw) for state in states]
        cases = [
            CaseResult(Case(name=name, unit="us", reference="limit"), ours),
            CaseResult(Case(name="limit", unit="us", peer=True), limit),
        ]
        groups.append(GroupResult(name, "made up", cases, [], [], Conditions(1.0, 0.0, 0.0)))
    return Document(["made up"], "2010-06-21T00:00:00+00:00", rounds, False, 1, {"cores": 2}, groups)


def worse(old: Document, new: Document) -> list[str]:
    changes = compare_documents(old, new, min_effect=MIN_EFFECT, seed=1)
    return [change.case.name for change in changes if change.verdict == "worse"]


def test_a_regression_is_found_in_every_try() -> None:
    found = [worse(made_up_run(2 * k), made_up_run(2 * k + 1, slower=1.05)) for k in range(TRIES)]
    assert found == [["READ, one core"]] * TRIES


def test_nothing_is_found_between_runs_of_the_same_build() -> None:
    for k in range(TRIES):
        changes = compare_documents(made_up_run(1000 + 2 * k), made_up_run(1001 + 2 * k), min_effect=MIN_EFFECT, seed=1)
        assert {change.verdict for change in changes} == {"same"}, k


def interleaved(seed: int, slower: float) -> list[tuple[GroupResult, GroupResult]]:
    """Both builds in every round, the better of two values each: here a case has no reference."""
    draw = random.Random(seed)
    states = machine_states(draw, 20)
    pairs = []
    for name, seconds in CASES.items():
        sides = []
        for factor in (1.0, slower if name == "READ, one core" else 1.0):
            here = [seconds * factor * state * draw.lognormvariate(0, 0.01) for state in states]
            values = [value * min(noise(draw), noise(draw)) for value in here]
            case = CaseResult(Case(name=name, unit="us"), values)
            sides.append(GroupResult(name, "made up", [case], [], [], Conditions(1.0, 0.0, 0.0)))
        pairs.append((sides[0], sides[1]))
    return pairs


@pytest.mark.parametrize(("slower", "expected"), [(1.05, ["READ, one core"]), (1.0, [])])
def test_interleaved_builds(slower: float, expected: list[str]) -> None:
    for seed in range(TRIES):
        changes = compare_rounds(interleaved(seed, slower), min_effect=MIN_EFFECT, seed=1)
        assert [change.case.name for change in changes if change.verdict != "same"] == expected, seed


def test_a_slower_machine_is_no_regression() -> None:
    old = made_up_run(1)
    new = made_up_run(2)
    for group in new.groups:
        for result in group.cases:
            result.values[:] = [value * 1.5 for value in result.values]
    assert worse(old, new) == []


def test_a_reference_that_moved_alone_is_no_regression() -> None:
    """With another kernel it may."""
    old, new = made_up_run(1), replace(made_up_run(1), machine={"kernel": "another"})
    for group in new.groups:
        group.case("limit").values[:] = [value * 0.8 for value in group.case("limit").values]
    assert worse(old, new) == []


def test_a_speed_gets_worse_by_falling() -> None:
    def speed(value: float) -> Document:
        case = Case(name="speed", unit="M/s", higher_is_better=True)
        values = [value * (1 + k / 1000) for k in range(20)]
        group = GroupResult("g", "made up", [CaseResult(case, values)], [], [], Conditions(1.0, 0.0, 0.0))
        return replace(made_up_run(1), groups=[group])

    (fell,) = compare_documents(speed(100), speed(90), min_effect=MIN_EFFECT, seed=1)
    (rose,) = compare_documents(speed(90), speed(100), min_effect=MIN_EFFECT, seed=1)
    assert (fell.verdict, rose.verdict) == ("worse", "better")
    assert fell.effect.value == pytest.approx(100 / 90)


def pvperf(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", "bench", "compare", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, document in {
        "old": made_up_run(1),
        "same": made_up_run(2),
        "slow": made_up_run(3, slower=1.05),
    }.items():
        (tmp_path / f"{name}.json").write_text(document.as_json())
    return tmp_path


def test_exit_status_and_output(results: Path) -> None:
    same = pvperf("old.json", "same.json", cwd=results)
    slow = pvperf("old.json", "slow.json", cwd=results)
    fast = pvperf("slow.json", "old.json", cwd=results)
    assert (same.returncode, slow.returncode, fast.returncode) == (0, 1, 0)
    assert slow.stdout.startswith("worse")
    assert "READ, one core: READ, one core" in slow.stdout.splitlines()[0]
    assert fast.stdout.startswith("better")
    changes = json.loads(pvperf("old.json", "slow.json", "--json", cwd=results).stdout)["changes"]
    assert [change["verdict"] for change in changes] == ["worse", "same", "same", "same"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["old.json", "missing.json"], "cannot read missing.json"),
        (["old.json", "text.json"], "text.json is not JSON"),
        (["old.json", "other.json"], "other.json is not a result of pvperf bench"),
        (["old.json", "damaged.json"], "damaged.json is damaged"),
        (["old.json", "later.json"], "schema version 99"),
        (["old.json", "empty.json"], "no figure in common"),
        (["old.json", "cut.json"], "cut.json is not JSON"),
        (["old.json", "nothing.json"], "nothing.json is not JSON: it is empty"),
        (["old.json", "deep.json"], "deep.json is not JSON"),
        (["old.json", "bytes.json"], "bytes.json is not JSON"),
        (["old.json", "name.json"], "name.json is damaged: TypeError(\"groups: name: '7' is no str"),
        (["old.json", "machine.json"], "machine.json is damaged"),
        (["old.json", "huge.json"], "huge.json is damaged"),
        (["old.json", "rounds.json"], "rounds.json is damaged"),
        (["old.json", "list.json"], "list.json is damaged"),
        (["old.json", "ratio.json"], "ratio.json is damaged: KeyError('gone')"),
        (["old.json", "target.json"], "target.json is damaged: ValueError(\"'> much' is no target\")"),
        (["--run", "echo", "echo"], "is not JSON"),
        (["--run", "no-such-command", "no-such-command"], "cannot run no-such-command"),
        (["--run", "false", "false"], "failed with 1"),
        (["--suite", "boot", "old.json", "same.json"], "--suite"),
        (["--min-effect", "much", "old.json", "same.json"], "not a percentage"),
    ],
)
def test_usage_errors(results: Path, words: list[str], sentence: str) -> None:
    good = json.loads((results / "old.json").read_text())
    (results / "text.json").write_text("text")
    (results / "other.json").write_text("{}")
    (results / "damaged.json").write_text(json.dumps({**good, "groups": [{}]}))
    (results / "later.json").write_text(json.dumps({**good, "schema_version": 99}))
    (results / "empty.json").write_text(json.dumps({**good, "groups": []}))
    (results / "cut.json").write_text((results / "old.json").read_text()[:-100])
    (results / "nothing.json").write_text("")
    (results / "deep.json").write_text("[" * 100_000)
    (results / "bytes.json").write_bytes(b"\xff\xfe{}")
    group, case = good["groups"][0], good["groups"][0]["cases"][0]
    (results / "name.json").write_text(json.dumps({**good, "groups": [{**group, "name": 7}]}))
    (results / "machine.json").write_text(json.dumps({**good, "machine": "mine"}))
    huge = {**group, "cases": [{**case, "values": [10**400]}]}
    (results / "huge.json").write_text(json.dumps({**good, "groups": [huge]}))
    (results / "rounds.json").write_text(json.dumps({**good, "rounds": "many"}))
    for name, wrong in (("ratio", {"bottom": "gone"}), ("target", {"target": "> much"})):
        ratios = [{"name": "r", "top": case["name"], "bottom": case["name"], **wrong}]
        (results / f"{name}.json").write_text(json.dumps({**good, "groups": [{**group, "ratios": ratios}]}))
    (results / "list.json").write_text(json.dumps({**good, "groups": [["name"]]}))
    done = pvperf(*words, cwd=results)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


ROOT = Path(__file__).resolve().parents[2]


def test_the_same_result_is_the_same() -> None:
    """It has figures that are nothing in every round, such as samples that found no room."""
    kept = str(ROOT / "docs" / "performance.json")
    done = pvperf(kept, kept, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "the two results are the same, value by value"
    assert "\n0 worse, 0 better, " in done.stdout
    assert "Traceback" not in done.stderr


def lost(*values: float, unit: str = "%", name: str = "missed", **fields: bool) -> Document:
    """A result of one figure."""
    case = CaseResult(Case(name=name, unit=unit, **fields), list(values))  # type: ignore[arg-type]
    group = GroupResult("g", "made up", [case], [], [], Conditions(1.0, 0.0, 0.0))
    return replace(made_up_run(1), groups=[group])


NOTHING, SOME, BELOW = [0.0] * 20, [1.0 + k / 100 for k in range(20)], [-1.0 - k / 100 for k in range(20)]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (NOTHING, NOTHING, "same"),
        (NOTHING, SOME, "worse"),
        (SOME, NOTHING, "better"),
        (BELOW, SOME, "worse"),
        (SOME, BELOW, "better"),
        (BELOW, BELOW, "same"),
    ],
)
def test_figures_that_are_nothing_or_less(before: list[float], after: list[float], verdict: str) -> None:
    """Times that were taken off each other may be below 0."""
    (change,) = compare_documents(lost(*before), lost(*after), min_effect=MIN_EFFECT, seed=1)
    assert change.verdict == verdict
    (pair,) = compare_rounds([(lost(*before).groups[0], lost(*after).groups[0])], min_effect=MIN_EFFECT, seed=1)
    assert pair.verdict == verdict
    json.dumps([change.effect, pair.effect], allow_nan=False)


def test_a_reference_of_nothing_is_none() -> None:
    def with_reference(reference: float) -> Document:
        document = lost(*SOME)
        document.groups[0].cases[0] = CaseResult(Case(name="a", unit="us", reference="r"), list(SOME))
        document.groups[0].cases.append(CaseResult(Case(name="r", unit="us", peer=True), [reference] * 20))
        return document

    (change,) = compare_documents(with_reference(0.0), with_reference(1.0), min_effect=MIN_EFFECT, seed=1)
    assert change.verdict == "same"


def test_what_only_one_of_the_two_has_is_said(results: Path) -> None:
    other = json.loads((results / "same.json").read_text())
    other["groups"][0]["name"] = "new group"
    other["groups"][1]["cases"][0]["name"] = "new case"
    other["groups"][2]["cases"][0]["unit"] = "ns"
    other["groups"][3]["cases"][0]["values"] = other["groups"][3]["cases"][0]["values"][:9]
    (results / "other.json").write_text(json.dumps(other))
    done = pvperf("old.json", "other.json", cwd=results)
    assert done.returncode in (0, 1)
    assert done.stderr.splitlines() == [
        "pvperf: only the old result has the group READ, one core",
        "pvperf: only the old result has values of READ, two cores: READ, two cores",
        "pvperf: only the new result has the group new group",
        "pvperf: only the new result has values of READ, two cores: new case",
        "pvperf: the two results measure in other units OPEN: OPEN (was us)",
    ]
    assert "boot: boot" in done.stdout
    assert "the two results are the same" not in done.stdout


def test_builds_of_which_one_measures_less_take_turns(tmp_path: Path) -> None:
    """A group or a case that one of them lacks, in some rounds or in all, costs no other."""
    old, new = made_up_run(1, rounds=1), made_up_run(2, rounds=1)
    new.groups[0].cases[0].values.clear()
    del new.groups[1]
    for name, document in (("old", old), ("new", new)):
        (tmp_path / f"{name}.json").write_text(document.as_json())
        (tmp_path / name).write_text(f"#!/bin/sh\nexec cat {tmp_path}/{name}.json\n")
        (tmp_path / name).chmod(0o755)
    done = pvperf("--run", f"{tmp_path}/old", f"{tmp_path}/new", "--rounds", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "only the old result has values of READ, one core: READ, one core" in done.stderr
    assert "boot: boot" in done.stdout
