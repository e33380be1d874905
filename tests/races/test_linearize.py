# SPDX-License-Identifier: GPL-2.0-only
"""O8: the checker of histories against one that tries every order, on histories that were made up."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from emulator.cli import main
from emulator.native import load_stress
from emulator.races.explore import specification
from emulator.races.explore.machine import Setup, fill_machine, fill_program
from emulator.races.explore.program import KINDS, Op, Program
from emulator.races.explore.scenarios import find
from emulator.races.stress.boot import Outcome
from emulator.races.stress.playing import Playing
from emulator.races.stress.scenario_run import Stressed
from emulator.vm.machine import MachineConfig

_VCPUS, _IDS, _LIMIT, _CUT_OFF = 3, (0, 1), 2, -(1 << 31)
#: Each vCPU has every operation on both ids, so that a result can be of any; those of groups are the last.
_PLAIN = KINDS[: KINDS.index("lead")]
_OPS = (
    *(Op(kind, event_id) for kind in (*_PLAIN, "lead") for event_id in _IDS),
    *(Op("join", event_id, leader) for event_id in _IDS for leader in _IDS),
)
_PROGRAM = Program((_OPS,) * _VCPUS)
_NEVER = (1 << 32) - 1


@dataclass(frozen=True)
class Call:
    """An operation of a history, with the times of its call and its return."""

    vcpu: int
    op: int
    result: int
    invoked: int
    returned: int


class Judge:
    """The checker in C."""

    def __init__(self, rules: specification.Rules) -> None:
        self._ffi, self._lib = load_stress().ffi, load_stress().lib
        setup = Setup(design=rules.design, max_events=_LIMIT)
        machine, self._names = fill_machine(self._ffi, setup, _VCPUS)
        assert not self._lib.stress_create(machine, self._ffi.new("char[128]"), 128)
        assert not self._lib.stress_program_set(fill_program(self._ffi, _PROGRAM))
        states, columns, cells = specification.table(rules, _VCPUS, _IDS)
        buffer = self._ffi.from_buffer("struct explore_transition[]", cells)
        assert not self._lib.explore_specification_set(buffer, states, columns)

    def end(self) -> None:
        self._lib.stress_destroy()

    def __call__(self, history: list[Call], clock: int) -> tuple[int, str]:
        results: Any = self._ffi.new("struct explore_result[]", max(1, len(history)))
        for result, call in zip(results, history, strict=False):
            result.fiber, result.op, result.result = call.vcpu, call.op, call.result
            result.invoked, result.returned = call.invoked, call.returned
        verdict = self._ffi.new("struct explore_verdict *")
        widest = self._lib.stress_judge_history(results, len(history), clock, verdict)
        return int(widest), self._ffi.string(verdict.text).decode() if verdict.oracle else ""


PLAIN = [specification.Rules(design, _LIMIT) for design in ("per-vm", "per-vcpu")]


@pytest.fixture(params=[*PLAIN, specification.Rules(limit=_LIMIT, groups=True)], ids=lambda rules: rules.design)
def rules(request: pytest.FixtureRequest) -> specification.Rules:
    assert isinstance(request.param, specification.Rules)
    return request.param


@pytest.fixture
def judge(rules: specification.Rules) -> Iterator[Judge]:
    judge = Judge(rules)
    yield judge
    judge.end()


def _ops(rules: specification.Rules) -> int:
    return len(_OPS) if rules.groups else len(_PLAIN) * len(_IDS)


def _history(rng: random.Random, rules: specification.Rules, length: int, *, cut_off: bool) -> tuple[list[Call], int]:
    """One that some order explains: each operation has its effect somewhere between its call and its return."""
    state, calls, clock = specification.State(), list[Call](), 0
    open_calls: dict[int, int] = {}  # vCPU: its call
    effective: set[int] = set()
    while len(calls) < length or open_calls:
        vcpu = rng.randrange(_VCPUS)
        if vcpu not in open_calls:
            if len(calls) < length:
                open_calls[vcpu] = len(calls)
                calls.append(Call(vcpu, rng.randrange(_ops(rules)), _CUT_OFF, clock, _NEVER))
                clock += 1
            continue
        at = open_calls[vcpu]
        if vcpu not in effective:
            op = _OPS[calls[at].op]
            state, result = specification.apply(state, rules, vcpu, op.kind, op.id, op.group)
            calls[at] = replace(calls[at], result=result)
            effective.add(vcpu)
            continue
        effective.discard(vcpu)
        del open_calls[vcpu]
        calls[at] = replace(calls[at], returned=clock)
        clock += 1
    if cut_off:  # the last call of a vCPU, had it its effect or not, never returned
        last = max(range(length), key=lambda at: (calls[at].vcpu == 0, at))
        gone = calls[last].returned
        calls = [
            replace(call, invoked=_before(call.invoked, gone), returned=_before(call.returned, gone)) for call in calls
        ]
        calls[last] = replace(calls[last], result=_CUT_OFF, returned=_NEVER)
        clock -= 1
    return calls, clock


def _before(time: int, gone: int) -> int:
    return time - (time > gone)


def _explained(rules: specification.Rules, calls: list[Call]) -> bool:
    """Tries every order in which each operation comes after those that had returned before it was called."""

    def search(state: specification.State, left: frozenset[int]) -> bool:
        if all(calls[at].result == _CUT_OFF for at in left):
            return True
        first = min(calls[at].returned for at in left)
        for at in left:
            call, op = calls[at], _OPS[calls[at].op]
            if call.invoked > first:
                continue
            after, result = specification.apply(state, rules, call.vcpu, op.kind, op.id, op.group)
            if call.result in (result, _CUT_OFF) and search(after, left - {at}):
                return True
        return False

    return search(specification.State(), frozenset(range(len(calls))))


def test_small_histories_against_every_order(judge: Judge, rules: specification.Rules) -> None:
    rng, wrong = random.Random(8), 0
    for number in range(1500):
        calls, clock = _history(rng, rules, rng.randint(1, 8), cut_off=number % 3 == 0)
        assert judge(calls, clock)[1] == "", calls
        at = rng.randrange(len(calls))
        calls[at] = replace(calls[at], result=rng.choice([0, -2, -17, -22, -28]))
        if calls[at].returned == _NEVER:
            continue
        explained = _explained(rules, calls)
        assert (judge(calls, clock)[1] == "") == explained, calls
        wrong += not explained
    assert 200 < wrong < 1300, "both are tried"


def test_one_wrong_result_in_a_long_history_is_found(judge: Judge, rules: specification.Rules) -> None:
    calls, clock = _history(random.Random(9), rules, 50_000, cut_off=False)
    widest, text = judge(calls, clock)
    assert text == ""
    assert 1 < widest <= 64
    at = next(at for at in range(30_000, 50_000) if _OPS[calls[at].op].kind == "read" and calls[at].result == 0)
    calls[at] = replace(calls[at], result=-17)  # EEXIST is no result of READ
    text = judge(calls, clock)[1]
    explained = sum(call.returned < calls[at].returned for call in calls)
    assert f"READ {_OPS[calls[at].op].id} returned -17" in text
    assert f"the {explained} that returned before are explained" in text


@pytest.mark.parametrize("design", ["per-vm", "per-vcpu", "posted"])
def test_a_result_says_whether_there_was_a_change(design: str) -> None:
    """What makes histories without groups fast to check: what changes nothing may have its effect at once."""
    states, _, cells = specification.table(specification.Rules(design, _LIMIT), _VCPUS, _IDS)
    values = memoryview(cells).cast("h").tolist()
    row = len(values) // states
    changes: dict[tuple[int, int], set[bool]] = {}
    for state in range(states):
        for cell in range(0, row, 2):
            after, result = values[state * row + cell : state * row + cell + 2]
            changes.setdefault((cell, result), set()).add(after != state)
    assert all(len(each) == 1 for each in changes.values())


def test_a_history_of_threads(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "stress",
        "churn",
        "dup-open",
        "--native",
        "--history",
        "100000",
        "--seed",
        "3",
        "--fault",
        "trylock=1%",
    ]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert told.count("1 VM, 1 round, 100,0") == 2
    assert told.count("no quiet point; checked in ") == 2
    assert "  O8 linearizability   held" in told
    assert "  O5 conservation      held" in told


@pytest.mark.parametrize("seed", [17, 26])
def test_a_history_in_which_nothing_overflows_is_followed_by_others(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first program of these seeds has events that sample, and never lets one of them overflow."""
    assert main(["stress", "churn", "--native", "--history", "3000", "--seed", str(seed)]) == 0
    told = capsys.readouterr().out
    boots = re.search(r"held +(\d+) VMs, ", told)
    assert boots
    assert int(boots[1]) > 1
    assert "  O5 conservation      held" in told


def test_what_nobody_keeps_books_of_in_a_history_was_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """For some boots, each long enough: memory, which the seed would let fail in one of them, is left alone. Records
    are looked at, and not judged: their words are soon those of another event."""
    arguments = ["stress", "churn", "--native", "--history", "3000", "--seed", "6", "--ops", "60000"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1].endswith("not tried: O11 NMIs, O12 periods, O13 times, O14 records")


def test_a_history_that_cannot_be_judged_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Too many states; or a VM that ends before it was long enough."""
    path = tmp_path / "wide.txt"
    calls = "; ".join(f"open {event}; close {event}" for event in range(8))
    path.write_text("".join(f"vcpu {vcpu}: {calls}\n" for vcpu in range(4)))
    arguments = ["stress", "--native", "--history", "2000", "--seed", "3", "--noise", "0"]
    assert main([*arguments, str(path), "--design", "per-vcpu"]) == 7
    assert "inconclusive" in capsys.readouterr().out
    assert main([*arguments, "churn", "--fault", "alloc=20%"]) == 7
    found = r"O8 linearizability   inconclusive  churn: a VM ended after [\d,]+ operations of 2,000"
    assert re.search(found, capsys.readouterr().out)
    at_once = Stressed(find("churn"), "per-vm", "trylock", history=2000)
    at_once.add(Outcome(rounds=1, no_memory=1), Playing((_PROGRAM,), Setup()), MachineConfig())
    assert at_once.doubts()["O8 linearizability"] == "a VM ended after 0 operations of 2,000"


def test_only_a_scenario_that_ends_its_vm_is_excused_from_refusals() -> None:
    """Where no call was refused, none came too late: that proves something where calls could have."""
    churn, no_memory = (Stressed(find(name), "per-vm", "trylock", no_memory=1) for name in ("churn", "no-memory"))
    assert churn.verdicts()["O8 linearizability"][0] == "inconclusive"
    assert no_memory.verdicts()["O8 linearizability"][0] == "not tried"


def test_a_history_that_no_order_explains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = tmp_path / "case.replay"
    arguments = ["stress", "errno", "--native", "--design", "posted", "--history", "20000", "--seed", "3"]
    assert main([*arguments, "-o", str(case)]) == 1
    told = capsys.readouterr().out
    assert "  O8 linearizability   VIOLATED  errno: vCPU " in told
    assert "that returned before are explained" in told
    assert main(["replay", str(case)]) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--history", "100"], "--history records what the threads of --native do"),
        (["--native", "--history", "100", "--matrix"], "it does not go with --history"),
        (["no-memory", "--native", "--history", "100"], "no-memory ends its VM"),
        (["--native", "--history", "10000001"], "a history has at most 10,000,000 operations"),
    ],
)
def test_usage(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stress", "churn", *arguments]) == 2
    assert sentence in capsys.readouterr().err
