# SPDX-License-Identifier: GPL-2.0-only
"""The Python API as its user meets it: what is wrong is said at the call, and what comes back can be read."""

from __future__ import annotations

import copy
import doctest
import gc
import pickle
import pydoc
import resource
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from multiprocess import process
from tiny_guest import HALT, SAY_COMMAND_LINE, SPIN, UNDEFINED, count_down, guest, leave, say

import emulator
from emulator import (
    AllHalted,
    Count,
    GuestShutdown,
    HostError,
    PvperfError,
    Result,
    Unsupported,
    UsageError,
    VirtualMachine,
    parse_events,
)
from emulator.guest.agent import Recording
from emulator.recording.perfdata import reader
from emulator.vm.statistics import MEANINGS

MEMORY = 4 << 20


@pytest.fixture
def vm() -> Iterator[VirtualMachine]:
    with VirtualMachine(memory=MEMORY) as machine:
        yield machine


(DUMMY,) = parse_events("dummy")
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"guest": None}, "a guest is the name of a bundled one or the path of an ELF file, and None is neither"),
    ({"guest": b"hello"}, "and b'hello' is neither"),
    ({"guest": ""}, "and '' is neither"),
    ({"guest": 7}, "and 7 is neither"),
    ({"guest": "helo"}, "did you mean"),
    ({"guest": "hello\0"}, "no such guest"),
    ({"guest": "./a\0b"}, "cannot open guest"),
    ({"guest": "./none"}, "cannot open guest './none': No such file"),
    ({"args": None}, "args are the guest's words"),
    ({"args": 5}, "args are the guest's words"),
    ({"args": b"n=5"}, "args are the guest's words"),
    ({"args": ["n", 5]}, "each of the guest's args is a str, and 5 is not"),
    ({"args": ["a\0b"]}, "cannot contain a NUL"),
    ({"args": ["\ud800"]}, "cannot be encoded"),
    ({"timeout": "1s"}, "timeout is a number of seconds, or None for no end, and '1s' is not"),
    ({"timeout": -1}, "and -1 is not"),
    ({"timeout": True}, "and True is not"),
    ({"timeout": float("nan")}, "and nan is not"),
    ({"timeout": float("inf")}, "None for no end, and inf is not"),
    ({"timeout": 10**400}, "timeout is a number of seconds"),
    ({"guest": "a" * 300}, "no such guest: aaa"),
    ({"events": ["instrctions"]}, "unknown event: instrctions; did you mean instructions"),
    ({"events": None}, "events are names"),
    ({"events": [None]}, "events are named by a str, and None is none"),
    ({"events": [["instructions", 3]]}, "events are named by a str, and 3 is none"),
    ({"events": b"cycles"}, "events are names"),
    ({"events": 3}, "events are names"),
    ({"events": ""}, "an event name is empty"),
    ({"events": ["cycles"] * 65}, "at most 64 events"),
    ({"console": 1}, "console is called with what comes, and 1 cannot be called"),
    ({"samples": "x"}, "samples is called with"),
    ({"trace": []}, "trace is called with"),
    ({"trace": print, "trace_kinds": "nmi"}, "trace_kinds are names"),
    ({"trace": print, "trace_kinds": ["nmis"]}, "there is no kind of trace record 'nmis'"),
    ({"measure_memory": "yes"}, "measure_memory must be True or False"),
    ({"recording": True}, "recording must be a Recording or None"),
    ({"recording": Recording("x")}, "ring_bytes of a recording must be a whole number"),  # type: ignore[arg-type]
    ({"events": [replace(DUMMY, type="x")]}, "event 'dummy' has a number that is none of 32 bits: 'x'"),
    ({"events": replace(DUMMY, config=-1)}, "none of 64 bits: -1"),
    ({"events": replace(DUMMY, flags=1 << 64)}, "none of 64 bits"),
    ({"events": replace(DUMMY, sample_period=1.5)}, "none of 64 bits: 1.5"),
    ({"events": replace(DUMMY, breakpoint=(1, 2))}, "none of 32 bits: None"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
def test_what_is_wrong_is_said_at_the_call(vm: VirtualMachine, wrong: dict[str, Any], sentence: str) -> None:
    asked = {"guest": "hello", **wrong}
    with pytest.raises(UsageError) as caught:
        vm.run(**asked)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert vm.run("hello").status == 0  # it is none the worse for it


def test_parse_events_of_what_names_none() -> None:
    for wrong in (None, 5, [5], b"x", [b"x"]):
        with pytest.raises(UsageError, match="events are named by a str"):
            parse_events(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "line"), [("n=1  m=2", b"n=1  m=2"), ("", b""), (["n=1", "m=2"], b"n=1 m=2"), (iter(["a"]), b"a")]
)
def test_args_are_words_or_the_whole_line(vm: VirtualMachine, tmp_path: Path, args: Any, line: bytes) -> None:
    assert vm.run(guest(tmp_path, SAY_COMMAND_LINE + leave(0)), args).console == line


@pytest.mark.parametrize(
    "events",
    [
        "instructions,branches",
        ["instructions", "branches"],
        ["instructions,branches"],
        parse_events("instructions,branches"),
        iter(["instructions", *parse_events("branches")]),
    ],
)
def test_events_by_their_names(vm: VirtualMachine, tmp_path: Path, events: Any) -> None:
    result = vm.run(guest(tmp_path, count_down(1000) + leave(0)), events=events)
    assert [count.event.name for count in result.counts] == ["instructions", "branches"]
    assert result.counts[1].value == 1000


def test_a_path_is_a_file_whatever_it_is_called(vm: VirtualMachine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot open guest 'hello'"):
        vm.run(Path("hello"))
    assert vm.run(guest(tmp_path, leave(3))).status == 3


def test_after_close(tmp_path: Path) -> None:
    vm = VirtualMachine(memory=MEMORY)
    vm.close()
    vm.close()
    vm.stop()
    with pytest.raises(UsageError, match="this VM has been closed"):
        vm.run("hello")


def test_close_from_within_a_run_ends_it(tmp_path: Path) -> None:
    vm = VirtualMachine(memory=MEMORY)
    assert vm.run(guest(tmp_path, say(b"x") + SPIN), console=lambda _: vm.close()).ended == "stopped"
    with pytest.raises(UsageError, match="closed"):
        vm.run("hello")


def test_a_process_that_may_have_no_children(vm: VirtualMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the workers of a pool."""
    monkeypatch.setitem(process.current_process()._config, "daemon", True)
    with pytest.raises(HostError, match="daemonic processes are not allowed to have children"):
        vm.run("hello")


def test_one_that_is_not_closed_holds_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert VirtualMachine(memory=MEMORY).run("hello").status == 0
        VirtualMachine()
        gc.collect()


def test_no_descriptors_left() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    vm = VirtualMachine(memory=MEMORY)
    vm.run("hello")  # what is loaded stays
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(HostError, match="ulimit -n"):
            vm.run("hello")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert vm.run("hello").status == 0


@pytest.mark.parametrize("timeout", [1e10, 2**70, 1e308])
def test_a_time_out_may_be_far_away(vm: VirtualMachine, timeout: float) -> None:
    assert vm.run("hello", timeout=timeout).status == 0


def test_a_time_out_begins_with_the_guest(vm: VirtualMachine, tmp_path: Path) -> None:
    """A boot takes longer than this."""
    result = vm.run(guest(tmp_path, SPIN), events="instructions", timeout=0.001)
    assert (result.ended, result.status) == ("timeout", -1)
    assert result.elapsed_s >= 0.001
    assert (result.counts[0].value or 0) > 0


def test_a_time_out_of_a_run_that_another_thread_ends(tmp_path: Path) -> None:
    vm, running = VirtualMachine(memory=MEMORY), threading.Event()
    ending = threading.Thread(target=lambda: (running.wait(), vm.stop()))
    ending.start()
    result = vm.run(guest(tmp_path, say(b"x") + SPIN), timeout=300, console=lambda _: running.set())
    ending.join()
    assert result.ended == "stopped"


def test_a_guests_own_end_has_a_type(vm: VirtualMachine, tmp_path: Path) -> None:
    with pytest.raises(AllHalted):
        vm.run(guest(tmp_path, HALT))
    with pytest.raises(GuestShutdown):
        vm.run(guest(tmp_path, UNDEFINED))


def test_every_error_is_one_of_ours() -> None:
    errors = [getattr(emulator, name) for name in emulator.__all__]
    assert all(issubclass(error, PvperfError) for error in errors if isinstance(error, type) and "Error" in str(error))
    assert not hasattr(emulator, "GuestTimeout")  # a time-out is a Result


def counted(*values: int | None, name: str = "instructions", enabled: int = 100, running: int = 100) -> list[Count]:
    """An event on as many vCPUs."""
    (event,) = parse_events(name)
    return [
        Count(event, vcpu, value, None if value is not None else "ENOSPC", enabled, running)
        for vcpu, value in enumerate(values)
    ]


def result(*counts: Count, **more: Any) -> Result:
    asked: dict[str, Any] = {"status": 0, "ended": "exit", "console": b"", "elapsed_s": 0.25}
    return Result(counts=counts, **asked | more)


def test_counts_are_summed_and_scaled() -> None:
    whole, half = counted(1000, 200), counted(50, 3, name="branch-instructions:u", enabled=300, running=100)
    run = result(whole[0], half[0], whole[1], half[1])
    assert run.total("instructions") == 1200
    assert run.total("branch-instructions:u") == run.total("branches") == run.total(half[0].event) == 159
    assert run.totals() == {"instructions": 1200, "branch-instructions:u": 159}
    assert [count.scaled for count in half] == [150, 9]
    huge = counted((1 << 64) - 1, enabled=3, running=3)
    assert result(*huge).total("instructions") == (1 << 64) - 1  # not by floating point


def test_counts_that_cannot_be_summed() -> None:
    with pytest.raises(UsageError, match="'cycles' was not asked for: the events of this run are instructions"):
        result(*counted(1)).total("cycles")
    with pytest.raises(UsageError, match="of this run are none"):
        result().total("cycles")
    with pytest.raises(Unsupported, match="instructions was not counted on vCPU 1: the VM's limit of open events"):
        result(*counted(1, None)).total("instructions")
    with pytest.raises(Unsupported, match="others held the counters all the time"):
        result(*counted(0, running=0)).total("instructions")


def test_the_sum_of_a_run() -> None:
    with VirtualMachine(smp=2, memory=MEMORY) as vm:
        run = vm.run("spin", "iterations=100000", events="branches,instructions")
    assert run.total("branches") == sum(count.value or 0 for count in run.counts if count.event.name == "branches")
    assert run.total("branches") >= 200_000


def test_a_result_is_one_line() -> None:
    assert repr(result(*counted(1000, 200))) == "<Result: exit 0, 0.25 s, instructions 1,200>"
    stopped = result(status=-1, ended="stopped", console=b"x" * 5000, statistics=MEANINGS)
    assert repr(stopped) == f"<Result: stopped, 0.25 s, console {b'x' * 40!r}... 5,000 bytes>"
    names = ("cycles", "branches", "dummy", "cpu-clock", "ref-cycles")
    many = result(*(count for name in names for count in counted(None, name=name)))
    assert repr(many).endswith("dummy not counted, cpu-clock not counted, 1 more counts>")


def test_every_figure_has_a_meaning(vm: VirtualMachine) -> None:
    run = vm.run("hello", events="instructions")
    assert set(run.statistics) == set(MEANINGS)
    lines = run.describe().splitlines()
    assert len(lines) == sum(value != 0 for value in run.statistics.values())
    assert any(line.split()[:2] == ["console_bytes", "31"] for line in lines)


def test_a_recording_in_three_lines(tmp_path: Path) -> None:
    with VirtualMachine(smp=2) as vm:
        recorded = vm.record("hotspots", "iterations=2000", period=10_000, call_graph=True)
    total = recorded.result.total("instructions")
    assert total - 2 * 10_000 <= sum(sample.period for sample in recorded.samples) <= total
    assert {sample.vcpu for sample in recorded.samples} == {0, 1}
    assert {sample.event for sample in recorded.samples} == {"instructions"}
    assert [sample.time_ns for sample in recorded.samples] == sorted(sample.time_ns for sample in recorded.samples)
    hot = [sample for sample in recorded.samples if sample.symbol == "hot"]
    assert len(hot) > len(recorded.samples) / 2
    called = [sample.callers[0] for sample in hot]  # by another before it has its frame
    assert called.count("hotspots") > len(hot) / 2
    assert "hot" in recorded.report()
    assert "<- hotspots" in recorded.report("vcpu,symbol", call_graph=True)
    assert (recorded.path, bool(recorded.losses)) == (None, False)
    assert repr(recorded).startswith(f"<Recorded: {len(recorded.samples):,} samples of instructions; <Result: exit 0, ")


def test_what_a_run_gives_can_be_pickled_and_a_vm_cannot(vm: VirtualMachine) -> None:
    recorded = vm.record("hotspots", period=1_000_000)
    report = recorded.report()
    assert pickle.loads(pickle.dumps(recorded)).report() == report
    assert pickle.loads(pickle.dumps(recorded.result)) == recorded.result
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(UsageError, match="cannot be copied or pickled"):
            duplicate(vm)
    assert VirtualMachine(pickle.loads(pickle.dumps(vm.config))).config == vm.config


def test_a_recording_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    with VirtualMachine() as vm:
        recorded = vm.record("hotspots", events=["branches", "cycles"], output=path)
    assert recorded.path == str(path)
    data = reader.read(str(path))
    assert data.complete
    assert [sample.ip for sample in data.samples] == [sample.ip for sample in recorded.samples]


def test_what_was_recorded_until_an_error_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"

    def fail(_: bytes) -> None:
        raise ZeroDivisionError

    with VirtualMachine() as vm, pytest.raises(ZeroDivisionError):
        vm.record("hotspots", period=1000, output=path, console=fail)  # which says something at its end
    assert reader.read(str(path)).samples


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"events": ()}, "there is nothing to record"),
        ({"period": 0}, "period must be 1 to"),
        ({"period": "10k"}, "period must be a whole number"),
        ({"period": 1000.0}, "period must be a whole number"),
        ({"frequency": True}, "frequency must be a whole number"),
        ({"period": 1, "frequency": 1}, "a period or a frequency, and both were given"),
        ({"call_graph": 128}, "a call chain is 1 to 127 return addresses deep, and not 128"),
        ({"call_graph": 0}, "a call chain is 1 to 127"),
        ({"call_graph": "dwarf"}, "call_graph must be True, False or a depth"),
        ({"output": 1}, "output must be the path of a file"),
        ({"output": "a\0b"}, "cannot contain a NUL"),
        ({"output": "none/x"}, "cannot write none/x"),
        ({"guest": None}, "a guest is the name"),
        ({"guest": "helo"}, "did you mean"),
        ({"timeout": "1s"}, "timeout is a number of seconds"),
        ({"args": 5}, "args are the guest's words"),
    ],
)
def test_recordings_that_make_no_sense(
    vm: VirtualMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        vm.record(**{"guest": "hello", **wrong})
    assert sentence in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_report_by_what_there_is_not(vm: VirtualMachine) -> None:
    recorded = vm.record("hello")
    for wrong, sentence in (("line", "'line' is nothing to sort by"), (None, "sort must be names")):
        with pytest.raises(UsageError, match=sentence):
            recorded.report(wrong)  # type: ignore[arg-type]


def test_help_shows_the_whole_api() -> None:
    text = pydoc.render_doc(emulator, renderer=pydoc.plaintext)
    for name in emulator.__all__:
        assert name in text
        assert name in dir(emulator)
    for shown in ("class VirtualMachine", "record(", "Raises:", "seconds from the guest's first entry", "class Sample"):
        assert shown in text


def test_the_examples_of_the_documentation() -> None:
    failed, tried = doctest.testmod(emulator)
    assert (failed, tried > 8) == (0, True)
