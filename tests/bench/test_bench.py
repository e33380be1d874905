# SPDX-License-Identifier: GPL-2.0-only
"""The benchmarks measure what they say; how fast it is, they print and no test asserts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from processes import children

from emulator import VirtualMachine
from emulator.bench.groups.scale import jain
from emulator.bench.measuring.case import Absent, Case, Contender, Effort, Failed, Group, Ratio, Violated, single
from emulator.bench.measuring.machine import Conditions, Watch
from emulator.bench.measuring.measure import measure_group
from emulator.bench.measuring.result import CaseResult, Document, GroupResult, parse_document
from emulator.bench.measuring.vm import check_ledger, printed_figures, run_guest
from emulator.bench.options import SUITES
from emulator.bench.reporting import trust
from emulator.bench.suites import suite_groups
from emulator.cli import main
from emulator.errors import HostError, Killed
from emulator.events import parse_events

QUIET = Conditions(seconds=1.0, stolen=0.0, others=0.0)


@pytest.mark.parametrize(("hook", "counts"), [("count", True), ("empty", False), ("none", False)])
def test_only_the_counting_hook_counts(hook: str, counts: bool) -> None:
    with VirtualMachine(hook=hook) as vm:
        result = vm.run("spin", ["iterations=100000"], events=parse_events("branches"), timeout=300)
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


class Reached:
    """The contenders of a group, one of which does something else from a turn on."""

    def __init__(self, trouble: Callable[[], float], turn: int) -> None:
        self.turns, self._trouble, self._at = 0, trouble, turn

    def group(self) -> Group:
        cases = [Case(name=name, unit="us") for name in ("first", "trouble", "last")]
        runs = (lambda: 2.0, self._run, lambda: 4.0)
        contenders = [single(case, run) for case, run in zip(cases, runs, strict=True)]
        ratios = [Ratio("trouble / first", "trouble", "first"), Ratio("last / first", "last", "first")]
        return Group(name="g", about="about", contenders=contenders, ratios=ratios)

    def _run(self) -> float:
        self.turns += 1
        return 3.0 if self.turns < self._at else self._trouble()


def raising(error: BaseException) -> Callable[[], float]:
    def run() -> float:
        raise error

    return run


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (raising(Failed("guest g was not done after 120 s")), "guest g was not done after 120 s"),
        (raising(HostError("a vCPU is gone")), "HostError: a vCPU is gone"),
        (raising(subprocess.CalledProcessError(1, ["python"])), "CalledProcessError: Command '['python']' returned "),
        (raising(FileNotFoundError(2, "No such file", "qemu")), "FileNotFoundError: [Errno 2] No such file: 'qemu'"),
        (raising(KeyError("ticks")), "KeyError: 'ticks'"),
        (lambda: float("nan"), "it gave (nan,)"),
        (raising(Violated("5 overflows were raised")), "5 overflows were raised"),
    ],
)
def test_what_fails_costs_no_other_figure(trouble: Callable[[], float], reason: str) -> None:
    """And not its own of the rounds before."""
    reached = Reached(trouble, turn=4)
    result = measure_group(reached.group(), rounds=5, warm_up=1)
    assert reached.turns == 4, "it has left"
    assert [each.values for each in result.cases] == [[2.0] * 5, [3.0] * 2, [4.0] * 5]
    assert result.case("trouble").failed.startswith(reason)
    assert result.case("trouble").why.startswith(f"failed after 2 rounds: {reason}")
    assert [(ratio.ratio.name, ratio.values) for ratio in result.ratio_results(1)] == [
        ("trouble / first", [1.5, 1.5]),
        ("last / first", [2.0] * 5),
    ]
    assert result.broken == (["trouble: 5 overflows were raised"] if "overflows" in reason else [])
    assert trust.failures([result]) == [f"failed: g: trouble: {result.case('trouble').failed}"]
    document = Document(["g"], "2010-06-21", 5, False, 7, {"cores": 2}, [result], [])
    assert parse_document(json.loads(document.as_json()), "it") == document


def benched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *groups: Group, quick: bool = True
) -> tuple[int, Document, str]:
    """`pvperf bench boot` of made-up groups: its status, its result, and its page; a status below 0 is a signal's."""
    monkeypatch.setattr("emulator.bench.run.suite_groups", lambda name, effort: iter(groups))
    died: list[int] = []
    monkeypatch.setattr("emulator.cli._die_by", died.append)
    kept, page = tmp_path / "it.json", tmp_path / "it.html"
    for file in (kept, page):
        file.unlink(missing_ok=True)
    words = ["bench", "boot", "--rounds", "5", "--json", str(kept), "--html", str(page)]
    status = main([*words, *(["--quick"] if quick else [])])
    return -died[0] if died else status, parse_document(json.loads(kept.read_text()), "it"), page.read_text()


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (
            raising(Failed("guest g was not done after 120 s")),
            7,
            "not to be trusted: failed: g: trouble: guest g was not",
        ),
        (raising(Absent("qemu is not installed")), 0, ""),
        (raising(Violated("5 overflows were raised")), 1, "a law was broken: g: trouble: 5 overflows were raised"),
        (raising(KeyboardInterrupt()), -signal.SIGINT, "not to be trusted: it was ended by Ctrl-C"),
        (raising(Killed(signal.SIGTERM)), -signal.SIGTERM, "not to be trusted: it was ended by SIGTERM"),
    ],
)
def test_whatever_happens_the_result_is_kept_and_told(
    trouble: Callable[[], float],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = Reached(lambda: 3.0, turn=1).group()
    got, document, page = benched(
        monkeypatch, tmp_path, replace(whole, name="before"), Reached(trouble, turn=3).group()
    )
    told = capsys.readouterr()
    assert got == status
    assert said in told.err
    assert "pvperf: a quick look: not for quoting\n" in told.err
    assert [group.name for group in document.groups] == ["before", "g"]
    assert [len(result.values) for result in document.groups[0].cases] == [5, 5, 5]
    last = {result.case.name: result.values for result in document.groups[1].cases}
    assert last["first"] == [2.0] * (2 if status < 0 else 5)
    assert all(f"{group.name}: about" in told.out for group in document.groups)
    assert '<h2 id="before">' in page
    assert page.count("<svg") >= 4


def test_an_interrupt_before_there_is_anything_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.cli._die_by", lambda signum: 128 + signum)
    trouble = Reached(raising(KeyboardInterrupt()), turn=1).group()
    monkeypatch.setattr("emulator.bench.run.suite_groups", lambda name, effort: iter([trouble]))
    main(["bench", "boot", "--json", str(tmp_path / "it.json")])
    assert list(tmp_path.iterdir()) == []


def test_a_real_interrupt_of_a_real_benchmark(tmp_path: Path) -> None:
    """SIGTERM, as soon as there is a first figure: what there is is in the file."""
    kept = tmp_path / "it.json"
    words = [
        sys.executable,
        "-m",
        "emulator",
        "bench",
        "boot",
        "--rounds",
        "100000",
        "--warm-up",
        "0",
        "--json",
        str(kept),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        begun = count_starts(process.pid)
        while next(begun) < 6:  # of four in a round
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate()
    assert process.returncode == -signal.SIGTERM, complaints
    assert "it was ended by SIGTERM: what came later was not measured" in complaints
    (group,) = parse_document(json.loads(kept.read_text()), "it").groups
    assert len(group.cases[0].values) >= 1


def count_starts(pid: int) -> Iterator[int]:
    """How many children a process was seen to have had by now."""
    seen: set[int] = set()
    while True:
        seen.update(children(pid))
        yield len(seen)
        time.sleep(0.002)


def test_a_guest_that_takes_too_long_is_no_broken_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.bench.measuring.vm.TIMEOUT_SECONDS", 0.01)
    with pytest.raises(Failed, match=r"guest spin was not done after 0\.01 s"):
        run_guest("spin", ["iterations=1000000000000"])


def pvperf_bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "emulator", "bench", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("suite", ["boot", "handover"])
def test_suite_prints_json_and_why_it_is_not_to_be_trusted(suite: str) -> None:
    done = pvperf_bench(suite, "--rounds", "1", "--warm-up", "0", "--json")
    assert done.returncode == trust.UNTRUSTED
    assert "not to be trusted: too few rounds: 1" in done.stderr
    document = parse_document(json.loads(done.stdout), "stdout")
    assert document.machine["cores"] >= 1
    assert [group.name for group in document.groups] == [suite]
    assert all(len(result.values) == 1 and result.values[0] > 0 for result in document.groups[0].cases)


def test_a_quick_look_says_what_it_is() -> None:
    done = pvperf_bench("boot", "--quick", "--rounds", "1", "--warm-up", "0", "--json")
    assert (done.returncode, done.stderr) == (0, "pvperf: a quick look: not for quoting\n")
    document = parse_document(json.loads(done.stdout), "stdout")
    assert document.quick
    assert document.warnings == []


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


@pytest.mark.parametrize("suite", [*SUITES, "all", "compare"])
def test_helps_say_what_to_do(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As those of the other commands do: Boot a guest, measure everything."""
    assert main(["bench", suite, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"\b(Measure|Tell) ", told)
    assert not re.search(r"\b(Measures|Tells) ", told)
