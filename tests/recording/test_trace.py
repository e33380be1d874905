# SPDX-License-Identifier: GPL-2.0-only
"""The host's trace: its records against the VM's statistics, the tracks that they make, and the file of --trace."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from commands import PVPERF, pvperf
from perfetto_trace import BEGIN, END, Track, decode
from processes import children
from tiny_guest import count_down, guest, leave, say

from emulator import VirtualMachine
from emulator.errors import UsageError
from emulator.native import load_core
from emulator.recording.perfetto import TraceWriter
from emulator.recording.tracks import _DRAW, Tracks
from emulator.vm.result import Result
from emulator.vm.trace_drain import ring_records
from emulator.vm.trace_records import RECORD, Merger, Record, kind_bits, kinds, parse

# Says a dot, then leaves guest mode again and again: out 0x80; count down; jmp to the out.
RESTLESS = say(b".") + b"\xe6\x80" + count_down(20_000) + b"\xeb\xf3"


def test_records_are_those_of_the_core() -> None:
    ffi = load_core().ffi
    layout = [(name, where.offset) for name, where in ffi.typeof("struct pv_trace_record").fields]
    assert layout == [("time_ns", 0), ("kind", 8), ("vcpu", 10), ("id", 12), ("a", 16), ("b", 24)]
    assert ffi.sizeof("struct pv_trace_record") == RECORD.size
    assert kinds()[:3] == ("lost", "exit", "entry")
    assert set(kinds()) == set(_DRAW)
    assert parse(4, RECORD.pack(99, 1, 2, -3, 1 << 63, 5)) == [Record(99, "exit", 2, -3, 1 << 63, 5, 4)]


def test_kinds_by_name() -> None:
    assert kind_bits(["exit", "lost"]) == 0b11
    assert kind_bits(None) == (1 << len(kinds())) - 1
    with pytest.raises(UsageError, match="there is no kind of trace record 'exits': there are lost, exit, "):
        kind_bits(["exits"])


@pytest.mark.parametrize("vcpus", range(1, 65))
def test_room_in_a_ring(vcpus: int) -> None:
    records = ring_records(vcpus)
    assert records.bit_count() == 1
    assert records >= 2048
    assert records * (vcpus + 2) <= max(1 << 20, 2048 * (vcpus + 2))


def test_rings_are_merged_by_time() -> None:
    """What a round missed of one ring comes in front of what it has of another."""

    def part(ring: int, *times: int) -> tuple[int, bytes]:
        return ring, b"".join(RECORD.pack(time, 1, 0, 0, 0, 0) for time in times)

    merger = Merger()
    assert merger.add(100, [part(0, 10, 90), part(1, 50, 105)]) == []
    assert [(record.time_ns, record.ring) for record in merger.add(200, [part(0, 95, 150), part(2, 50)])] == [
        *((10, 0), (50, 1), (50, 2), (90, 0), (95, 0)),
    ]
    assert [record.time_ns for record in merger.rest()] == [105, 150]
    assert merger.rest() == []


def draw(records: list[Record], vcpus: int = 1) -> dict[str, Track]:
    """The tracks that they make, by name; those below a vCPU's as "0 event_mutex"."""
    file = io.BytesIO()
    writer = TraceWriter(file)
    tracks = Tracks(writer, vcpus=vcpus, processes={"host": 500} | {f"vcpu{k}": 501 + k for k in range(vcpus)})
    tracks.feed(sorted(records, key=lambda record: record.time_ns))  # a thread that was stopped while it wrote is late
    tracks.finish()
    writer.flush()
    return by_name(decode(file.getvalue()))


def by_name(decoded: dict[int, Track]) -> dict[str, Track]:
    return {
        f"{decoded[track.parent].name.removeprefix('vCPU ')} {track.name}" if track.parent else track.name: track
        for track in decoded.values()
    }


def made(*rows: tuple[str, int, int, int], ring: int = 0, vcpu: int = 0) -> list[Record]:
    """Records at 1, 2, ...: kind, id, a, b."""
    return [Record(time, kind, vcpu, id_, a, b, ring) for time, (kind, id_, a, b) in enumerate(rows, 1)]


def test_slices_of_a_vcpu() -> None:
    tracks = draw(
        made(
            *(("exit", 0, 1, 0), ("entry", 0, 0, 0), ("exit", 0, 2, 0x1000), ("hypercall", 7, 3, 3), ("hold", 0, 0, 0)),
            *(("attach", 7, 2, 0), ("release", 0, 0, 0), ("result", 0, 0, 0), ("sync", 0, 1, 0), ("deliver", 7, 2, 0)),
            *(("synced", 0, 2, 0), ("entry", 0, 3, 0), ("exit", 0, 2, 0), ("hypercall", 0, 3, 99)),
            *(("result", 0, (1 << 64) - 22, 0), ("stop", 0, 0, 0)),
        )
    )
    assert set(tracks) == {"VM GUEST", "vCPU 0", "0 event_mutex", "0 overflow backlog", "0 NMI misses"}
    assert (tracks["VM GUEST"].pid, tracks["vCPU 0"].pid, tracks["vCPU 0"].tid) == (500, 500, 501)
    assert tracks["vCPU 0"].slices() == [
        ("exit: ready", 0, 1, 2, {"rip": "0x0"}),
        ("guest", 0, 2, 3, {}),
        ("ENABLE", 1, 4, 8, {"rax": 3, "rbx": 3, "rcx": 7, "result": 0}),
        ("sync", 1, 9, 11, {"queued": 1, "delivered": 2}),
        ("exit: hypercall", 0, 3, 12, {"rip": "0x1000"}),
        ("guest", 0, 12, 13, {}),
        ("unknown hypercall", 1, 14, 15, {"rax": 3, "rbx": 99, "rcx": 0, "result": -22}),
        ("exit: hypercall", 0, 13, 16, {"rip": "0x0"}),
    ]
    assert [tracks["vCPU 0"].count(name) for name in ("attach", "inject NMI", "inject agent NMI")] == [1, 1, 1]
    assert tracks["0 event_mutex"].slices() == [("vCPU 0: ENABLE", 0, 5, 7, {}), ("vCPU 0: sync", 0, 9, 11, {})]
    assert [(event.time_ns, event.value) for event in tracks["0 overflow backlog"].events] == [(6, 2), (10, 0)]


def test_backlog_and_misses() -> None:
    """Raised and not delivered; what waits goes along with its event."""
    raised = made(("raise", 5, 3, 0), ("nmi", 5, 3, 0), ("miss", 5, 0, 0), ("raise", 5, 1, 0), ("throttle", 5, 0, 0))
    moved = [
        Record(10, "detach", 0, 5, 4, 0, 1),
        Record(11, "attach", 1, 5, 4, 0, 1),
        Record(12, "deliver", 1, 5, 4, 0, 1),
    ]
    tracks = draw(raised + moved, vcpus=2)
    assert [event.value for event in tracks["0 overflow backlog"].events] == [3, 4, 0]
    assert [event.value for event in tracks["1 overflow backlog"].events] == [4, 0]
    assert [event.value for event in tracks["0 NMI misses"].events] == [1]
    names = [(event.name, event.arguments) for event in tracks["vCPU 0"].events]
    assert names[:3] == [("NMI", {"id": 5, "overflows": 3}), ("NMI miss", {"id": 5}), ("throttle", {"id": 5})]


def test_slices_around_lost_records() -> None:
    """Where records are missing slices end, and ends without a begin are none."""
    lost = made(
        *(("exit", 0, 2, 0), ("hypercall", 5, 3, 5), ("hold", 0, 0, 0), ("lost", 0, 9, 0), ("result", 0, 0, 0)),
        *(("release", 0, 0, 0), ("synced", 0, 0, 0), ("entry", 0, 0, 0)),
    )
    tracks = draw(lost)
    names = [(name, begin, end) for name, _, begin, end, _ in tracks["vCPU 0"].slices()]
    assert names == [("READ", 2, 4), ("exit: hypercall", 1, 4), ("guest", 8, 8)]
    assert [(begin, end) for _, _, begin, end, _ in tracks["0 event_mutex"].slices()] == [(3, 4)]
    assert [event.arguments for event in tracks["vCPU 0"].events if event.name == "records lost"] == [{"records": 9}]


def traced(
    name: str | Path, *args: str, vcpus: int = 1, only: list[str] | None = None, **config: str | int
) -> tuple[Result, list[Record]]:
    records: list[Record] = []
    with VirtualMachine(smp=vcpus, **config) as vm:
        return vm.run(name, args, trace=records.extend, trace_kinds=only, timeout=300), records


def figures(result: Result, prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): n for name, n in result.statistics.items() if name.startswith(prefix) and n}


@pytest.mark.parametrize(("name", "args", "vcpus"), [("pingpong", (), 2), ("readloop", ("count=2000",), 1)])
def test_the_trace_of_a_guest_is_what_its_statistics_say(name: str, args: tuple[str, ...], vcpus: int) -> None:
    result, records = traced(name, *args, vcpus=vcpus)
    assert (result.status, result.statistics["trace_lost"]) == (0, 0)
    told = Counter(record.kind for record in records)
    assert told["exit"] == sum(figures(result, "exits_").values())
    assert told["kick"] == result.statistics["kicks"]
    assert (told["open"], told["stop"]) == (result.statistics["events_opened"], vcpus)
    assert told["attach"] == told["detach"] > 0
    assert told["hold"] == told["release"]
    assert all(record.ring == record.vcpu for record in records if record.kind in ("exit", "entry", "stop"))
    for ring in range(vcpus + 2):
        times = [record.time_ns for record in records if record.ring == ring]
        assert times == sorted(times)
    tracks = draw(records, vcpus)
    slices = Counter(name for vcpu in range(vcpus) for name, *_ in tracks[f"vCPU {vcpu}"].slices())
    assert {n.removeprefix("exit: "): k for n, k in slices.items() if n.startswith("exit")} == figures(result, "exits_")
    ops = figures(result, "hypercalls_")
    assert {op.lower(): slices[op] for op in map(str.upper, ops)} == ops
    assert slices["guest"] == told["entry"]
    holds = [name for vcpu in range(vcpus) for name, *_ in tracks[f"{vcpu} event_mutex"].slices()]
    assert len(holds) == told["hold"] + told["sync"]
    assert {name.split(": ")[1] for name in holds} <= {"ENABLE", "DISABLE", "READ", "CLOSE", "sync"}


@pytest.mark.parametrize("nmi", ["trylock", "deferred", "lockless"])
@pytest.mark.parametrize("config", [{"fault": "trylock=50%,guest-write=10%"}, {"max_sample_rate": 1000}])
def test_overflows_from_counter_to_guest(nmi: str, config: dict[str, str | int]) -> None:
    result, records = traced("sampler", vcpus=2, nmi=nmi, **config)
    statistics = result.statistics
    assert statistics["trace_lost"] == 0
    tracks = draw(records, 2)

    def drawn(name: str) -> int:
        return sum(tracks[f"vCPU {vcpu}"].count(name) for vcpu in range(2))

    def summed(kind: str) -> int:
        return sum(record.a for record in records if record.kind == kind)

    assert drawn("NMI") == statistics["nmi_raised"] > 0
    assert drawn("NMI miss") == statistics["nmi_misses"]
    assert drawn("inject NMI") + drawn("inject agent NMI") == statistics["nmi_injected"]
    assert drawn("sync") == statistics["syncs"]
    assert drawn("failed") == statistics["failed_syncs"]
    assert (drawn("throttle"), drawn("unthrottle")) == (statistics["throttled"], statistics["unthrottled"])
    assert ("max_sample_rate" in config) == (drawn("throttle") > 0)
    assert (drawn("defer") > 0) == (nmi == "lockless" or (nmi == "deferred" and statistics["nmi_misses"] > 0))
    assert summed("raise") == statistics["overflows_raised"]
    assert summed("deliver") + summed("finish") == statistics["overflows_delivered"]
    assert summed("synced") == summed("deliver")
    for vcpu in range(2):
        backlog = [event.value for event in tracks[f"{vcpu} overflow backlog"].events]
        assert (min(backlog), backlog[-1]) == (0, 0)
        assert sum(event.name == "NMI miss" for event in tracks[f"vCPU {vcpu}"].events) == len(
            tracks[f"{vcpu} NMI misses"].events
        )


def test_the_timer_raises_clocks() -> None:
    """Their NMIs are its thread's doing, and are drawn where the vCPU is."""
    result, records = traced("sampler", "event=cpu-clock", "period=100000", vcpus=1)
    raised = [record.ring for record in records if record.kind == "nmi"]
    assert len(raised) == result.statistics["nmi_raised"] > 0
    assert set(raised) == {1}
    tracks = draw(records)
    assert tracks["vCPU 0"].count("NMI") == len(raised)
    backlog = [event.value for event in tracks["0 overflow backlog"].events]
    assert (min(backlog), backlog[-1]) == (0, 0)


def test_a_vcpu_is_where_its_trace_says(tmp_path: Path) -> None:
    """Between its exits and entries there is no gap, and nothing but them ends guest mode."""
    _, records = traced(guest(tmp_path, say(b"abc") + leave(0)))
    slices = [found for found in draw(records)["vCPU 0"].slices() if found[1] == 0]
    assert [name for name, *_ in slices] == [
        *("exit: ready", *("guest", "exit: io_out") * 3, "guest", "exit: io_out"),
    ]
    assert all(before[3] == behind[2] for before, behind in pairwise(slices))


def test_some_kinds_alone(tmp_path: Path) -> None:
    result, records = traced("readloop", "count=10", only=["open", "close"])
    assert [record.kind for record in records] == ["open", "close"]
    assert {record.id for record in records} == {records[0].id}
    assert result.statistics["trace_lost"] == 0


def test_what_the_callback_raises_comes_out(tmp_path: Path) -> None:
    def fail(_: list[Record]) -> None:
        raise RuntimeError("no more")

    with VirtualMachine() as vm, pytest.raises(RuntimeError, match="no more"):
        vm.run(guest(tmp_path, RESTLESS), trace=fail, timeout=300)


@pytest.mark.parametrize("command", [("run",), ("stat", "-e", "instructions")])
def test_the_file(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "trace"
    file.write_text("what was there before")
    done = pvperf(*command, "--trace", file, "hello")
    assert (done.returncode, "trace" in done.stderr) == (0, False)
    tracks = by_name(decode(file.read_bytes()))
    assert {"exit: io_out", "guest"} <= {name for name, *_ in tracks["vCPU 0"].slices()}
    assert "agent" in {name for name, *_ in tracks["vCPU 0"].slices()} or command == ("run",)


def test_each_boot_has_its_tracks(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    assert pvperf("stat", "-r", "3", "--trace", file, "hello").returncode == 0
    tracks = decode(file.read_bytes()).values()
    threads = [track for track in tracks if track.name == "vCPU 0"]
    assert [track.name for track in tracks].count("VM GUEST") == len(threads) == 3
    assert len({track.tid for track in threads}) == 3
    assert all(track.slices() for track in threads)


def test_the_file_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    done = pvperf("run", "--trace", file, "--trace-records", "100", "readloop", "--", "count=100")
    assert done.returncode == 0
    assert re.fullmatch(
        r"pvperf: \S+ has the first records, and \d+ more were left out \(see --trace-records\)\n", done.stderr
    )
    events = [event for track in decode(file.read_bytes()).values() for event in track.events]
    assert 60 <= sum(event.kind != END for event in events) <= 100  # a round is six records, and four slices
    assert sum(event.kind == BEGIN for event in events) == sum(event.kind == END for event in events)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trace", "/nonexistent/trace"], "cannot write /nonexistent/trace: No such file or directory"),
        (["--trace", "/"], "cannot write /: it is a directory"),
        (["--trace", "-"], "a trace does not go to stdout: name a file"),
        (["--trace-records", "5"], "--trace-records needs a file: name it with --trace"),
        (["--trace", "x", "--trace-records", "0"], "'0' is not a whole number above 0"),
    ],
)
@pytest.mark.parametrize("command", ["run", "stat"])
def test_what_is_refused(command: str, arguments: list[str], said: str) -> None:
    done = pvperf(command, *arguments, "hello")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk() -> None:
    done = pvperf("run", "--trace", "/dev/full", "hello")
    assert (done.returncode, done.stderr) == (125, "pvperf: cannot write /dev/full: No space left on device\n")


def restless(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A guest that goes on for good, and a trace of it that has begun to be written."""
    file = tmp_path / "trace"
    command = [*PVPERF, "run", "--trace", str(file), "--timeout", "60", str(guest(tmp_path, RESTLESS))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.read(1) == b"."
    while file.stat().st_size < 4096 and process.poll() is None:
        os.sched_yield()
    return process


@pytest.mark.parametrize("victim", ["host", "vcpu"])
def test_the_file_outlives_what_is_killed(tmp_path: Path, victim: str) -> None:
    process = restless(tmp_path)
    [host] = children(process.pid)
    os.kill(host if victim == "host" else children(host)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, b"SIGKILL" in errors) == (125, True)
    check_file(tmp_path)


def test_the_file_after_an_interrupt(tmp_path: Path) -> None:
    process = restless(tmp_path)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in errors
    assert check_file(tmp_path)[-1] in ("exit: kick", "exit: io_out")


def test_the_file_of_a_front_end_that_is_killed(tmp_path: Path) -> None:
    """Nobody ends the slices then; that is all."""
    process = restless(tmp_path)
    process.kill()
    process.communicate(timeout=300)
    tracks = by_name(decode((tmp_path / "trace").read_bytes()))
    assert tracks["vCPU 0"].count("exit: io_out") > 0


def check_file(tmp_path: Path) -> list[str]:
    """Every slice of the vCPU ends; their names in order."""
    slices = by_name(decode((tmp_path / "trace").read_bytes()))["vCPU 0"].slices()
    names = [name for name, *_ in slices]
    assert names.count("exit: io_out") > 10
    return names
