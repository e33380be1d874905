# SPDX-License-Identifier: GPL-2.0-only
"""The benchmarks measure what they say; how fast it is, they print and no test asserts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from emulator.bench import trust
from emulator.bench.case import Absent, Case, Contender, Effort, Group, Ratio, Violated, single
from emulator.bench.machine import Conditions, Watch
from emulator.bench.measure import measure_group
from emulator.bench.options import SUITES
from emulator.bench.result import CaseResult, Document, GroupResult, parse_document
from emulator.bench.scale import jain
from emulator.bench.suites import suite_groups
from emulator.bench.vm import check_ledger, printed_figures, run_guest
from emulator.events import parse_events
from emulator.machine import VirtualMachine

QUIET = Conditions(seconds=1.0, stolen=0.0, others=0.0)


@pytest.mark.parametrize(("hook", "counts"), [("count", True), ("empty", False), ("none", False)])
def test_only_the_counting_hook_counts(hook: str, counts: bool) -> None:
    with VirtualMachine(hook=hook) as vm:
        result = vm.run("spin", ["iterations=100000"], events=parse_events("branches"), timeout=60)
    assert result.status == 0
    (count,) = result.counts
    assert ((count.value or 0) > 100_000) == counts


class Turns:
    """Contenders that write down when it was their turn."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def contender(self, name: str, *values: float) -> Contender:
        cases = tuple(Case(name=f"{name}{k}", unit="us") for k in range(len(values)))
        return Contender(cases, self.run(name, values))

    def run(self, name: str, values: Sequence[float]) -> Callable[[], Sequence[float]]:
        def once() -> Sequence[float]:
            self.order.append(name)
            return [value * len(self.order) for value in values]

        return once


def test_rounds_are_interleaved_and_the_warm_up_is_dropped() -> None:
    turns = Turns()
    group = Group(name="g", about="", contenders=[turns.contender("a", 1.0, 10.0), turns.contender("b", 1.0)])
    result = measure_group(group, rounds=2, warm_up=1)
    assert turns.order == ["a", "b"] * 3
    assert {one.case.name: one.values for one in result.cases} == {"a0": [3, 5], "a1": [30, 50], "b0": [4, 6]}


def test_what_is_absent_leaves_with_its_reason() -> None:
    calls = []

    def missing() -> float:
        calls.append(1)
        raise Absent("no such device")

    here = single(Case(name="here", unit="us"), lambda: 2.0)
    group = Group(
        name="g",
        about="",
        contenders=[here, single(Case(name="gone", unit="us"), missing)],
        ratios=[Ratio("gone / here", "gone", "here"), Ratio("here / here", "here", "here")],
    )
    result = measure_group(group, rounds=3)
    assert len(calls) == 1
    assert result.case("gone") == CaseResult(Case(name="gone", unit="us"), [], "no such device")
    assert [ratio.ratio.name for ratio in result.ratio_results(1)] == ["here / here"]


def made_up(values: Sequence[float], conditions: Conditions = QUIET, target: str = "") -> GroupResult:
    cases = [
        CaseResult(Case(name="a", unit="us"), list(values)),
        CaseResult(Case(name="b", unit="us"), [1.0] * len(values)),
    ]
    return GroupResult("g", "made up", cases, [Ratio("a / b", "a", "b", target)], [], conditions)


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ("<= 3", "met"),
        ("<= 1", "missed"),
        ("<= 2", "open"),
        (">= 1", "met"),
        (">= 3", "missed"),
        (">= 2", "open"),
        ("", ""),
    ],
)
def test_a_target_is_met_only_if_the_whole_interval_meets_it(target: str, verdict: str) -> None:
    (ratio,) = made_up([1.8, 1.9, 2.0, 2.1, 2.2] * 2, target=target).ratio_results(1)
    assert ratio.verdict == verdict


STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0]


@pytest.mark.parametrize(
    ("group", "rounds", "governor", "causes"),
    [
        (made_up(STEADY), 10, "", []),
        (made_up(STEADY), 10, "performance", []),
        (made_up(STEADY), 10, "powersave", ["governor is powersave"]),
        (made_up(STEADY[:3]), 3, "", ["too few rounds: 3"]),
        (made_up(STEADY, Conditions(1.0, 0.05, 0.0)), 10, "", ["steal: the hypervisor below took 5.0%"]),
        (made_up(STEADY, Conditions(1.0, 0.0, 0.4)), 10, "", ["load: other processes used 40.0%"]),
        (made_up([1.0, 2.0] * 5), 10, "", ["intervals wider than +-10%: g: a"]),
        (made_up([1.0 + k / 10 for k in range(10)]), 10, "", ["intervals wider", "drift: "]),
    ],
)
def test_what_cannot_be_trusted_has_a_named_cause(
    group: GroupResult, rounds: int, governor: str, causes: list[str]
) -> None:
    warnings = trust.warnings([group], rounds=rounds, seed=1, governor=governor)
    assert len(warnings) == len(causes)
    assert all(cause in warning for cause, warning in zip(causes, warnings, strict=True))


def test_the_watch_tells_others_from_our_own() -> None:
    """What a child burns is ours once it is waited for, and until then another's."""
    read, write = os.pipe()
    watch = Watch()
    pid = os.fork()
    if pid == 0:
        begin = os.times()
        while sum(os.times()[:2]) - sum(begin[:2]) < 0.3:
            pass
        os.write(write, b"x")
        os._exit(0)
    os.read(read, 1)
    before = watch.conditions()
    os.waitpid(pid, 0)
    after = watch.conditions()
    for end in (read, write):
        os.close(end)
    assert before.others * before.seconds > after.others * after.seconds + 0.2 / (os.cpu_count() or 1)


def test_a_document_survives_being_kept() -> None:
    document = Document(["boot"], "2010-06-21", 10, False, 7, {"cores": 2}, [made_up(STEADY)], ["a warning"])
    assert parse_document(json.loads(document.as_json()), "it") == document


def test_conservation_is_checked_in_every_run() -> None:
    check_ledger(
        {"overflows_raised": 5, "overflows_delivered": 3, "overflows_in_shadow": 1, "overflows_dropped": 1}, "g"
    )
    with pytest.raises(Violated, match="5 overflows were raised, and 4 are accounted for"):
        check_ledger({"overflows_raised": 5, "overflows_delivered": 3, "overflows_in_shadow": 1}, "g")


def test_a_guest_that_fails_is_no_measurement() -> None:
    with pytest.raises(Violated, match="1025 events cannot be opened: -28"):
        run_guest("ops", ["events=1025", "calls=1"])


@pytest.mark.parametrize("same", [0, 1])
def test_the_guest_times_every_operation_on_every_vcpu(same: int) -> None:
    result = run_guest("ops", ["calls=5", "events=20", f"same={same}"], smp=2)
    lines = printed_figures(result)
    ops = ["enable", "disable", "read"] if same else ["open", "close", "enable", "disable", "read"]
    assert sorted((line["vcpu"], line["op"]) for line in lines) == sorted((vcpu, op) for vcpu in "01" for op in ops)
    assert all(int(line["ticks"]) > 0 and line["calls"] == "5" for line in lines)
    expected = {"open": 20 if same else 20 + 2 * 5, "enable": 10, "read": 10, "disable": 10}
    assert {op: result.statistics[f"hypercalls_{op}"] for op in expected} == expected


def test_a_made_up_regression_is_in_the_guest() -> None:
    def instructions(burn: int) -> int:
        args = ["only=read", "calls=100", f"burn={burn}"]
        (count,) = run_guest("ops", args, events="instructions").counts
        return count.value or 0

    assert 100 * 1000 <= instructions(1000) - instructions(0) <= 100 * 1000 * 4


@pytest.mark.parametrize("work", ["spin", "read", "exchange", "add"])
def test_every_vcpu_gets_its_share(work: str) -> None:
    lines = printed_figures(run_guest("share", [f"work={work}", "ticks=1000000", "same=1"], smp=3))
    assert [line["vcpu"] for line in lines] == ["0", "1", "2"]
    assert all(int(line["done"]) > 0 and int(line["ticks"]) > 0 for line in lines)


def test_jain() -> None:
    assert jain([5, 5, 5]) == 1
    assert jain([9, 0, 0]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("quick", [False, True])
def test_names_in_a_suite_lead_somewhere(name: str, quick: bool) -> None:
    for group in suite_groups(name, Effort(quick)):
        cases = [case for contender in group.contenders for case in contender.cases]
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
        for ratio in group.ratios:
            assert {ratio.top, ratio.bottom} <= set(names)
        for case in cases:
            assert case.reference in ("", *(other.name for other in cases if other.peer or other.name == "none"))
        for plot in group.plots:
            assert not plot.x or any(plot.x in case.labels for case in cases)


def pvperf_bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "emulator", "bench", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("suite", ["boot", "handover"])
def test_suite_prints_json_and_why_it_is_not_to_be_trusted(suite: str) -> None:
    done = pvperf_bench(suite, "--quick", "--rounds", "1", "--json")
    assert done.returncode == trust.UNTRUSTED
    assert "not to be trusted: too few rounds: 1" in done.stderr
    document = parse_document(json.loads(done.stdout), "stdout")
    assert document.machine["cores"] >= 1
    assert [group.name for group in document.groups] == [suite]
    assert all(len(result.values) == 1 and result.values[0] > 0 for result in document.groups[0].cases)


def test_a_table_has_every_case(tmp_path: Path) -> None:
    kept = tmp_path / "boot.json"
    done = pvperf_bench("boot", "--rounds", "2", "--warm-up", "0", "--json", str(kept))
    (group,) = parse_document(json.loads(kept.read_text()), "it").groups
    assert all(result.case.name in done.stdout for result in group.cases)
    assert all(ratio.name in done.stdout for ratio in group.ratios)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["boot", "--json", "/no/such/directory/file"], "cannot write /no/such/directory/file"),
        (["boot", "--html", "/no/such/directory/file"], "cannot write /no/such/directory/file"),
        (["boot", "--rounds", "0"], "'0' is not a whole number above 0"),
        (["boot", "--warm-up", "-1"], "warm-up"),
        (["bot"], "did you mean boot"),
        (["hypercall", "--only", "nowhere"], "there are: hypercall, one core; hypercall, two cores"),
        (["report", "/no/such/file", "--html", "x.html"], "cannot read /no/such/file"),
    ],
)
def test_usage_errors_before_anything_is_measured(words: list[str], sentence: str) -> None:
    done = pvperf_bench(*words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_size_of_a_made_up_regression_is_checked() -> None:
    done = pvperf_bench("hypercall", "--quick", "--rounds", "1", PVPERF_BENCH_SLOWER="some")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PVPERF_BENCH_SLOWER" in done.stderr
