# SPDX-License-Identifier: GPL-2.0-only
"""perf.data files: what goes in comes out, at any checkpoint; what is damaged is called so, in one sentence."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic import BRANCHES, INSTRUCTIONS, record, sample

from emulator.errors import DataError, HostError, UsageError
from emulator.guest.elf import Segment
from emulator.native import load_core
from emulator.recording.export.folded import folded
from emulator.recording.export.speedscope import speedscope
from emulator.recording.export.vcpu_tracks import vcpu_tracks
from emulator.recording.perfdata import layout, records
from emulator.recording.perfdata.convert import SAMPLE, SAMPLE_TYPE
from emulator.recording.perfdata.features import BuildId, Machine
from emulator.recording.perfdata.layout import GUEST_PID, AttrFields
from emulator.recording.perfdata.reader import Mapping, PerfData, read
from emulator.recording.perfdata.recorder import CHECKPOINT_SECONDS, Guest, Recorder, Shortfall, recorded_events
from emulator.recording.perfdata.sample import FIELDS, Sample, SampleLayout
from emulator.recording.perfdata.writer import PerfDataWriter
from emulator.recording.profile.lines import lines
from emulator.recording.profile.symbolize import Symbolizer
from emulator.vm.trace_records import Record

GUEST = Guest(
    "/guests/hot.elf", (Segment(0x1000, 64, 0x500, 0x500, True), Segment(0x2000, 0, 0, 8, False)), b"\x12" * 20
)
IDS = (1000, 64)  # of the agent's events: the first, and how many a vCPU has
MACHINE = Machine("host", "6.1.0", "0.1", 1, 64 << 20, ("pvperf", "record"))


def test_the_layout_of_a_sample_is_the_header_s() -> None:
    ffi = load_core().ffi
    assert SAMPLE.size == ffi.sizeof("struct pv_sample")
    fields = ("size", "event", "chain", "kind", "cpl", "overflows", "vcpu", "ip", "time_ns", "period", "count")
    assert [name for name, _ in ffi.typeof("struct pv_sample").fields] == list(fields)
    values = range(1, 12)
    mirrored = ffi.from_buffer("struct pv_sample *", SAMPLE.pack(*values))
    assert [getattr(mirrored, name) for name in fields] == list(values)


def test_the_flags_are_the_header_s() -> None:
    lib = load_core().lib
    assert 1 << lib.KVM_PV_PERF_FREQ == layout.ATTR_FREQ
    assert 1 << lib.KVM_PV_PERF_EXCLUDE_KERNEL == layout.ATTR_EXCLUDE_KERNEL


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    streams = [
        sample(0x1010, 100, period=7) + sample(0x1020, 300, event=1, cpl=3),
        sample(0x1030, 200, period=1 << 63) + sample(0xFFFFFFFF80000000, 400),
    ]
    size = record(
        path,
        GUEST,
        streams,
        names=("instructions", "branches:u"),
        attrs=(INSTRUCTIONS, BRANCHES._replace(flags=1 | 1 << 5)),
        shortfalls=[Shortfall(1, 1, 42), Shortfall(0, 0, 0)],
        ring_lost=(0, 3),
    )
    assert size == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    data = read(str(path))
    assert data.samples == [
        Sample(0, 0, 0x1010, GUEST_PID, GUEST_PID, 100, 7, 2, ()),
        Sample(0, 1, 0x1030, GUEST_PID, GUEST_PID + 1, 200, 1 << 63, 2, ()),
        Sample(1, 0, 0x1020, GUEST_PID, GUEST_PID, 300, 1000, 2, ()),
        Sample(0, 1, 0xFFFFFFFF80000000, GUEST_PID, GUEST_PID + 1, 400, 1000, 2, ()),
    ]
    assert [(event.name, event.ids, event.attr.sample_period) for event in data.events] == [
        ("instructions", (1, 2), 1000),
        ("branches:u", (3, 4), 500),
    ]
    assert data.mappings == {GUEST_PID: [Mapping(0x1000, 0x500, 64, "/guests/hot.elf")]}
    assert data.commands == {GUEST_PID: "hot.elf", GUEST_PID + 1: "hot.elf"}
    assert (data.lost, data.lost_samples) == ({(0, 1): 3}, {(0, 0): 0, (1, 1): 42})
    assert not data.complete  # two of four say nothing
    assert data.build_ids == [BuildId("/guests/hot.elf", b"\x12" * 20, layout.MISC_USER)]
    assert data.command_line == ("pvperf", "record", "/guests/hot.elf")
    assert data.strings[layout.FEATURE_HOSTNAME] == "host"


@pytest.mark.parametrize(("guest_mode", "cpl", "misc"), [(False, 0, 2), (False, 3, 2), (True, 0, 4), (True, 3, 5)])
@pytest.mark.parametrize("chain", [(), (0x1050,), tuple(range(0x1000, 0x107F))])
def test_chains_and_modes(tmp_path: Path, guest_mode: bool, cpl: int, misc: int, chain: tuple[int, ...]) -> None:
    path = tmp_path / "perf.data"
    record(path, GUEST, [sample(0x1010, 1, cpl=cpl, chain=chain)], chains=True, guest_mode=guest_mode)
    (only,) = read(str(path)).samples
    assert (only.misc, only.chain) == (misc, (0x1010, *chain))


def attrs(sample_type: int) -> list[AttrFields]:
    return [AttrFields(0, 1, 77, sample_type, 0, 0)]


@pytest.mark.parametrize("chosen", range(1 << len(FIELDS)))
def test_every_combination_of_fields(chosen: int) -> None:
    """Each is where the kernel's documentation puts it, with and without a call chain."""
    bits, body = 0, b""
    numbers = {name: 1000 + index for index, (name, _, _) in enumerate(FIELDS)}
    numbers |= {"identifier": 9, "id": 9, "pid_tid": 5 | 6 << 32, "cpu": 3}
    for index, (name, bit, _) in enumerate(FIELDS):
        if chosen >> index & 1:
            bits |= bit
            body += struct.pack("<Q", numbers[name])
    has = {name for index, (name, _, _) in enumerate(FIELDS) if chosen >> index & 1}
    vcpu = 3 if "cpu" in has else 2 if has & {"identifier", "id"} else 0
    expected = Sample(
        event=0,
        vcpu=vcpu,
        ip=numbers["ip"] if "ip" in has else 0,
        pid=5 if "pid_tid" in has else 0,
        tid=6 if "pid_tid" in has else 0,
        time_ns=numbers["time"] if "time" in has else 0,
        period=numbers["period"] if "period" in has else 77,
        misc=2,
        chain=(),
    )
    assert SampleLayout(attrs(bits), {9: (0, 2)}).unpack(2, body) == expected
    chain = struct.pack("<4Q", 3, layout.CONTEXT_USER, 0x10, 0x20)
    both = SampleLayout(attrs(bits | layout.SAMPLE_CALLCHAIN), {9: (0, 2)}).unpack(2, body + chain)
    assert both == expected._replace(chain=(0x10, 0x20))


@pytest.mark.parametrize("bit", [4, 10, 11, 15, 17, 24, 63])
def test_fields_that_are_not_read_are_refused(bit: int) -> None:
    with pytest.raises(DataError, match="fields that pvperf does not read"):
        SampleLayout(attrs(SAMPLE_TYPE | 1 << bit), {})


def test_every_side_record_has_its_sample_id() -> None:
    stamp = records.Stamp(77, 3, 9)
    made = [
        records.comm("a name of many letters", stamp, misc=2),
        records.fork(stamp, misc=2),
        records.exit(stamp, misc=2),
        *(records.mmap2("/" + "x" * length, 1, 2, 3, stamp, misc=2) for length in range(9)),
        records.lost(5, stamp),
        records.lost_samples(5, stamp),
        records.throttle(stamp, on=True),
        records.throttle(stamp, on=False),
    ]
    kinds = [layout.RECORD.unpack_from(each)[0] for each in made]
    assert kinds == [3, 7, 4, *[10] * 9, 2, 13, 5, 6]
    for each in made:
        assert layout.RECORD.unpack_from(each)[2] == len(each)
        assert len(each) % 8 == 0
        assert struct.unpack("<IIQIIQ", each[-32:]) == (GUEST_PID, GUEST_PID + 3, 77, 3, 0, 9)


def recorder(path: Path, vcpus: int = 2, clock: object = None) -> Recorder:
    events = recorded_events(["instructions"], [INSTRUCTIONS], vcpus=vcpus)
    machine = MACHINE._replace(vcpus=vcpus)
    return Recorder(str(path), guest=GUEST, machine=machine, events=events, ids=IDS, clock=clock or time.monotonic)  # type: ignore[arg-type]


def times(path: Path) -> list[int]:
    """Of the samples, in the order in which they are in the file."""
    found = []
    data = path.read_bytes()
    offset, size = struct.unpack_from("<QQ", data, 40)
    at = offset
    while at < offset + size:
        kind, _, length = layout.RECORD.unpack_from(data, at)
        if kind == layout.RECORD_SAMPLE:
            found.append(struct.unpack_from("<Q", data, at + 32)[0])
        at += length
    assert at == offset + size
    return found


def test_vcpus_are_merged_by_time(tmp_path: Path) -> None:
    """Also when one is read late: its samples are older than what has come from the other."""
    now = [0.0]
    path = tmp_path / "perf.data"
    making = recorder(path, clock=lambda: now[0])
    for turn in range(20):
        base = 1000 * turn
        making.take(0, b"".join(sample(0x1000, base + at) for at in range(100, 1000, 100)))
        now[0] += CHECKPOINT_SECONDS
        making.take(1, b"".join(sample(0x1000, base + at) for at in range(50, 1000, 100)))
    making.finish()
    found = times(path)
    assert len(found) == 20 * 19
    assert found == sorted(found)


def test_throttling_stands_among_the_samples(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    making = recorder(path)
    making.take(0, sample(0x1000, 100) + sample(0x1000, 300))
    ours, others = IDS[0] + IDS[1], 7
    made = [(200, "throttle", ours), (210, "throttle", others), (250, "unthrottle", ours), (260, "lost", 0)]
    making.take_trace([Record(time_ns, kind, 1, number, 0, 0, 1) for time_ns, kind, number in made])
    making.finish()
    assert making.samples == 2
    data = path.read_bytes()
    at, size = struct.unpack_from("<QQ", data, 40)
    end, found = at + size, []
    while at < end:
        kind, _, length = layout.RECORD.unpack_from(data, at)
        found.append(kind)
        at += length
    expected = [layout.RECORD_SAMPLE, layout.RECORD_THROTTLE, layout.RECORD_UNTHROTTLE, layout.RECORD_SAMPLE]
    assert [kind for kind in found if kind in expected] == expected


def test_a_checkpoint_has_all_but_the_last_moment(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "perf.data"
    making = recorder(path, clock=lambda: now[0])
    assert not path.exists()
    making.take(0, b"")  # the VM runs
    assert read(str(path)).samples == []
    making.take(0, sample(0x1000, 100))
    assert times(path) == []
    now[0] = CHECKPOINT_SECONDS
    making.take(1, sample(0x1000, 200))
    now[0] = 2 * CHECKPOINT_SECONDS
    making.take(0, b"")  # nothing new: all that is there can be written
    assert times(path) == [100, 200]
    assert read(str(path)).strings[layout.FEATURE_HOSTNAME] == "host"
    making.take(0, sample(0x1000, 300))
    making.finish()
    assert times(path) == [100, 200, 300]


def test_a_flood_does_not_wait_for_the_clock(tmp_path: Path) -> None:
    making = recorder(tmp_path / "perf.data", clock=lambda: 0.0)
    flood = b"".join(sample(0x1000, at) for at in range(60_000))
    for _ in range(5):
        making.take(0, flood)
    assert len(times(tmp_path / "perf.data")) >= 60_000
    making.finish()
    assert making.samples == len(times(tmp_path / "perf.data")) == 300_000


class _Stopped(Exception):
    pass


def test_the_file_is_valid_after_every_single_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is killed, the file is what some number of writes, and a part of the next, have left."""
    path = tmp_path / "perf.data"
    states: list[bytes] = []
    whole = os.pwrite

    def pwrite(fd: int, data: memoryview, offset: int) -> int:
        if path.exists():  # not while it is still built beside
            states.append(path.read_bytes())
            if len(data) > 8 and offset:  # the header is one write within one page
                whole(fd, data[: len(data) // 2], offset)
                states.append(path.read_bytes())
        return whole(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    now = [0.0]
    making = recorder(path, clock=lambda: now[0])
    for turn in range(6):
        making.take(turn % 2, b"".join(sample(0x1000, 100 * turn + at) for at in range(1, 6)))
        now[0] += CHECKPOINT_SECONDS
    making.finish(shortfalls=[Shortfall(vcpu, 0, 0) for vcpu in range(2)])
    states.append(path.read_bytes())
    counts = []
    for state in states:
        (tmp_path / "state").write_bytes(state)
        found = read(str(tmp_path / "state"))
        counts.append(len(found.samples))
        assert found.complete == (found.lost_samples == {(0, 0): 0, (0, 1): 0} and bool(found.strings))
    assert found.complete
    assert counts == sorted(counts)
    assert set(counts) >= {0, 10, 15, 30}
    assert len(states) > 20


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "perf.data"
    making = recorder(path, clock=itertools.count(0, CHECKPOINT_SECONDS).__next__)
    making.take(0, sample(0x1000, 100))
    making.take(0, sample(0x1000, 200))
    making.take(0, b"")
    kept = times(path)
    whole = os.pwrite

    def pwrite(fd: int, data: memoryview, offset: int) -> int:
        if len(data) > 1 << 14:
            raise OSError(28, "No space left on device")
        return whole(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    making.take(0, b"".join(sample(0x1000, at) for at in range(1000, 1999)))
    with pytest.raises(HostError, match=r"cannot write .*No space left"):
        making.take(0, b"")
    making.take(0, b"".join(sample(0x1000, at) for at in range(2000, 2999)))
    with pytest.raises(HostError, match=r"cannot write .*No space left"):
        making.finish()
    assert times(path)[: len(kept)] == kept
    assert read(str(path)).events[0].name == "instructions"
    assert not read(str(path)).complete


KILLED = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from test_perfdata import recorder
from synthetic import sample
making = recorder(Path({path!r}))
turn = 0
while True:
    making.take(turn % 2, b"".join(sample(0x1000, 1000 * turn + at) for at in range(500)))
    turn += 1
    if turn == 40:
        print("going", flush=True)
"""


def test_killed_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    program = KILLED.format(paths=[str(Path(__file__).parent), *sys.path], path=str(path))
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while not times(path):
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        data = read(str(path))
        assert len(data.samples) > 0
        assert data.events[0].name in ("instructions", "0/0x1")  # in the midst of a checkpoint it has no name
        assert not data.complete


def test_what_was_there_becomes_old(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    path.write_bytes(b"")
    record(path, GUEST, [sample(0x1010, 1)])
    assert os.listdir(tmp_path) == ["perf.data"]
    first = path.read_bytes()
    record(path, GUEST, [b""])
    assert (tmp_path / "perf.data.old").read_bytes() == first
    assert read(str(path)).samples == []


def test_a_vm_that_never_ran_leaves_the_old_recording(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    path.write_text("old")
    making = recorder(path)
    assert making.abandon()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("perf.data", "old")]
    making = recorder(path)
    making.take(0, b"")
    assert not making.abandon()
    making.finish()
    assert (tmp_path / "perf.data.old").read_text() == "old"


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name, reason in (("none/x", "No such file"), ("directory", "it is a directory"), ("fifo", "not a regular")):
        with pytest.raises(UsageError, match=f"cannot write .*{name}.*{reason}"):
            recorder(tmp_path / name)
    (tmp_path / "x").write_text("old")
    (tmp_path / "x.old").mkdir()
    with pytest.raises(UsageError, match="it is a directory"):
        recorder(tmp_path / "x")
    assert sorted(os.listdir(tmp_path)) == ["directory", "fifo", "x", "x.old"]
    assert (tmp_path / "x").read_text() == "old"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "perf.data"
    streams = [sample(0x1010, 1, chain=(0x1020,)) + sample(0x1010, 2), sample(0x1010, 3, event=1)]
    both = {"names": ("instructions", "branches"), "attrs": (INSTRUCTIONS, BRANCHES)}
    record(path, GUEST, streams, chains=True, shortfalls=[Shortfall(0, 0, 1)], ring_lost=(1, 1), **both)  # type: ignore[arg-type]
    return path.read_bytes()


def read_bytes(data: bytes, directory: Path) -> PerfData:
    path = directory / "perf.data"
    path.write_bytes(data)
    return read(str(path))


def test_cut_off_anywhere(small: bytes, tmp_path: Path) -> None:
    """One sentence for each length; the file's last bytes are padding of a feature, and count, too."""
    assert len(read_bytes(small, tmp_path).samples) == 3
    for length in range(len(small)):
        with pytest.raises(DataError) as caught:
            read_bytes(small[:length], tmp_path)
        assert re.fullmatch(r"\S+ cannot be read: it[^\n]+", str(caught.value))
    read_bytes(small + bytes(100), tmp_path)  # a torn tail


@pytest.mark.parametrize(
    ("offset", "value", "sentence"),
    [
        (0, b"PERFILE1", "no perf.data file"),
        (8, struct.pack("<Q", 103), "103 bytes long"),
        (16, struct.pack("<Q", 16), "no sensible size"),
        (32, struct.pack("<Q", 0), "no sensible size"),
        (32, struct.pack("<Q", 145), "no sensible size"),
        (24, struct.pack("<Q", 1 << 63), "truncated"),
        (40, struct.pack("<Q", (1 << 64) - 1), "truncated"),
        (48, struct.pack("<Q", 1 << 40), "truncated"),
        (72, struct.pack("<Q", (1 << 64) - 1), "unknown feature 0"),
        (72, struct.pack("<Q", 0x3FFFC), "traces of a processor|truncated"),
        (48, struct.pack("<Q", 0), "it was cut off: its header has no data"),
    ],
)
def test_damaged_headers(small: bytes, tmp_path: Path, offset: int, value: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_bytes(small[:offset] + value + small[offset + len(value) :], tmp_path)


@pytest.mark.parametrize("size", [0, 7, 0xFFFF])
def test_damaged_records(small: bytes, tmp_path: Path, size: int) -> None:
    (offset,) = struct.unpack_from("<Q", small, 40)
    damaged = small[: offset + 6] + struct.pack("<H", size) + small[offset + 8 :]
    with pytest.raises(DataError, match=f"record at byte {offset} has {size} bytes"):
        read_bytes(damaged, tmp_path)


@settings(max_examples=500, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.integers(0, 10_000),
)
@example(changes=[(0, 80)], cut=10_000)
def test_damage_gives_a_sentence_or_a_sound_recording(
    small: bytes, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(small)
    for at, value in changes:
        data[at % len(data)] = value
    try:
        found = read_bytes(bytes(data[: max(cut, len(data) // 2)]), tmp_path_factory.getbasetemp())
    except DataError:
        return
    for one in found.samples:
        assert 0 <= one.event < len(found.events)
    symbolizer = Symbolizer(found)
    for line in [*lines(found, symbolizer), *folded(found, symbolizer).splitlines()]:
        assert line.replace("\t", "").isprintable()
    json.dumps(speedscope(found, symbolizer), allow_nan=False)
    vcpu_tracks(found, symbolizer)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "no perf.data"), (b"PERF", "header is incomplete"), (bytes(200), "no perf.data")]
)
def test_what_is_none(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_bytes(content, tmp_path)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*/none: No such file or directory: record one"):
        read(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="Is a directory"):
        read(str(tmp_path))


def test_a_writer_keeps_features_in_order(tmp_path: Path) -> None:
    events = recorded_events(["instructions"], [INSTRUCTIONS], vcpus=1)
    writer = PerfDataWriter(str(tmp_path / "perf.data"), machine=MACHINE, events=events)
    assert writer.size == 0
    writer.append(records.fork(records.Stamp(0, 0, 1), misc=2))
    assert writer.size == 64
    writer.close()
    data = (tmp_path / "perf.data").read_bytes()
    offset, size = struct.unpack_from("<QQ", data, 40)
    assert size == 64
    bits = struct.unpack_from("<Q", data, 72)[0]
    table = [struct.unpack_from("<QQ", data, offset + size + 16 * index) for index in range(bits.bit_count())]
    assert table[0][0] == offset + size + 16 * len(table)
    for (start, length), (following, _) in itertools.pairwise(table):
        assert start + length == following
    assert sum(table[-1]) == len(data)
