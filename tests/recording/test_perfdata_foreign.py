# SPDX-License-Identifier: GPL-2.0-only
"""perf.data files of others: what is read is right, and what is not understood is never passed over."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import pvperf

from emulator.errors import DataError
from emulator.recording.perfdata import features, kinds, layout
from emulator.recording.perfdata.features import Machine, RecordedEvent
from emulator.recording.perfdata.layout import AttrFields
from emulator.recording.perfdata.reader import Mapping, PerfData, read
from emulator.recording.perfdata.writer import PerfDataWriter
from emulator.recording.profile.symbolize import Symbolizer

MACHINE = Machine("host", "6.1.0", "0.1", 1, 64 << 20, ("perf", "record"))
FIELDS = layout.SAMPLE_IP | layout.SAMPLE_TID | layout.SAMPLE_TIME | layout.SAMPLE_PERIOD
SAMPLES = 5
needs_perf = pytest.mark.skipif(not shutil.which("perf"), reason="needs perf: install linux-perf")


def record(kind: int, body: bytes, misc: int = layout.MISC_USER) -> bytes:
    return layout.RECORD.pack(kind, misc, layout.RECORD.size + len(body)) + body


def sample(ip: int, time_ns: int, pid: int = 7, extra: bytes = b"") -> bytes:
    return record(layout.RECORD_SAMPLE, struct.pack("<QIIQQ", ip, pid, pid, time_ns, 10) + extra)


def mapping(kind: int, pid: int, address: int, path: str, misc: int = layout.MISC_USER) -> bytes:
    head = struct.pack("<IIQQQ", pid, pid, address, 0x1000, 0) + bytes(32 if kind == layout.RECORD_MMAP2 else 0)
    return record(kind, head + layout.padded(path.encode()), misc)


def write(
    path: Path, parts: Sequence[bytes], *, sample_type: int = FIELDS, flags: int = 0, ids: tuple[int, ...] = ()
) -> bytes:
    """A file as perf would have it, with one event, these records and five samples behind them."""
    event = RecordedEvent("cpu-clock", AttrFields(1, 0, 10, sample_type, 0, flags), ids)
    writer = PerfDataWriter(str(path), machine=MACHINE, events=[event])
    for part in (*parts, *(sample(0x1000 + at, at) for at in range(SAMPLES))):
        writer.append(part)
    writer.close()
    data = path.read_bytes().replace(features.CPUID.encode(), b"GenuineIntel")  # of the same length
    path.write_bytes(data)
    return data


def read_with(path: Path, *parts: bytes) -> PerfData:
    write(path, parts)
    return read(str(path))


READ = {
    layout.RECORD_MMAP,
    layout.RECORD_LOST,
    layout.RECORD_COMM,
    layout.RECORD_THROTTLE,
    layout.RECORD_FORK,
    layout.RECORD_SAMPLE,
    layout.RECORD_MMAP2,
    layout.RECORD_LOST_SAMPLES,
}
REFUSED = {
    **dict.fromkeys((11, 12, 21, 70, 71, 72), "traces of a processor"),
    22: "CALLCHAIN_DEFERRED",
    **dict.fromkeys((64, 65, 66, 80), "pipe mode"),
    **dict.fromkeys((75, 76, 77), "counts of perf stat record"),
    **dict.fromkeys((81, 83), r"compressed records \(perf record -z\)"),
    **dict.fromkeys((85, 86), "perf sched stats"),
}


@pytest.mark.parametrize("kind", [*range(100), 1000, (1 << 32) - 1])
def test_every_type_of_record(tmp_path: Path, kind: int) -> None:
    """It is read, or no sample depends on it, or the file is refused: of 87 and others nobody knows."""
    path = tmp_path / "perf.data"
    if kind in READ:
        body = b"" if kind == layout.RECORD_SAMPLE else bytes(64)
        assert len(read_with(path, *([record(kind, body)] if body else [])).samples) == SAMPLES
    elif kind in kinds.PASSED_OVER:
        assert len(read_with(path, record(kind, bytes(64))).samples) == SAMPLES
    else:
        with pytest.raises(DataError, match=REFUSED.get(kind, f"unknown type {kind}:")):
            read_with(path, record(kind, bytes(64)))


def test_what_is_passed_over_has_no_samples_in_it() -> None:
    """Every kind is in one place, and those that carry or explain samples are not among the harmless."""
    assert not kinds.PASSED_OVER & (READ | REFUSED.keys())
    assert {number for number in range(1, 23)} <= kinds.PASSED_OVER | READ | REFUSED.keys()
    assert {number for number in range(64, 87)} <= kinds.PASSED_OVER | READ | REFUSED.keys()


@pytest.mark.parametrize("bit", range(256))
def test_every_feature(tmp_path: Path, bit: int) -> None:
    path = tmp_path / "perf.data"
    data = bytearray(write(path, ()))
    words = int.from_bytes(data[72:104], "little")
    if words >> bit & 1:
        return  # every file of ours has it
    offset, size = struct.unpack_from("<QQ", data, 40)
    at = offset + size + 16 * (words & (1 << bit) - 1).bit_count()
    data[at:at] = layout.SECTION.pack(len(data), 0)  # it is empty; the others' table is one longer
    for other in range(words.bit_count() + 1):
        entry = offset + size + 16 * other
        start, length = layout.SECTION.unpack_from(data, entry)
        layout.SECTION.pack_into(data, entry, start + 16, length)
    data[72:104] = (words | 1 << bit).to_bytes(32, "little")
    path.write_bytes(data)
    refused = {18: "traces", 19: "perf stat", 24: "other files of its directory", 27: "compressed"}
    if 1 <= bit < 33 and bit not in refused:
        if bit != layout.FEATURE_BUILD_ID:
            assert len(read(str(path)).samples) == SAMPLES
        return
    with pytest.raises(DataError, match=refused.get(bit, f"unknown feature {bit}:")):
        read(str(path))


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (struct.pack("<8sQ", layout.MAGIC, 16), "pipe mode .*: record with -o FILE"),
        (struct.pack("<8sQ", layout.MAGIC, 16) + record(64, bytes(64)), "pipe mode"),
        (struct.pack(">8sQ", layout.MAGIC_SWAPPED, 104), "the other byte order"),
        (struct.pack(">8sQ", layout.MAGIC_SWAPPED, 16), "the other byte order"),
        (b"PERFFILE" + bytes(96), "first format"),
        (b"PERFILE3" + bytes(96), "no perf.data file"),
        (struct.pack("<8sQ", layout.MAGIC, 112) + bytes(96), "damaged: its header says that it is 112 bytes long"),
    ],
)
def test_other_headers(tmp_path: Path, start: bytes, sentence: str) -> None:
    path = tmp_path / "perf.data"
    path.write_bytes(start)
    with pytest.raises(DataError, match=sentence):
        read(str(path))


@pytest.mark.parametrize("attr_bytes", [64, 72, 80, 96, 104, 112, 120, 128, 136, 144, 256])
def test_attributes_of_other_versions(tmp_path: Path, attr_bytes: int) -> None:
    """perf_event_attr has grown, version by version; what is beyond the one that we know is not of the samples."""
    path = tmp_path / "perf.data"
    data = write(path, ())
    header = list(layout.HEADER.unpack_from(data))
    at, grown = header[3], attr_bytes - layout.ATTR_BYTES
    attr = data[at : at + layout.ATTR_BYTES][:attr_bytes].ljust(attr_bytes, b"\xff")
    moved = bytearray(data[:at] + attr + data[at + layout.ATTR_BYTES :])
    header[2], header[4], header[5] = attr_bytes + 16, attr_bytes + 16, header[5] + grown
    layout.HEADER.pack_into(moved, 0, *header)
    table = header[5] + header[6]
    for entry in range(header[9].bit_count()):
        start, length = layout.SECTION.unpack_from(moved, table + 16 * entry)
        layout.SECTION.pack_into(moved, table + 16 * entry, start + grown, length)
    path.write_bytes(moved)
    assert [(s.ip, s.period) for s in read(str(path)).samples] == [(0x1000 + at, 10) for at in range(SAMPLES)]


@pytest.mark.parametrize("bit", [2, 4, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 40, 63])
def test_fields_of_samples(tmp_path: Path, bit: int) -> None:
    """Of those that are not read, one more makes the file unreadable: time alone is there already."""
    write(tmp_path / "perf.data", (), sample_type=FIELDS | 1 << bit)
    if bit == 2:
        assert len(read(str(tmp_path / "perf.data")).samples) == SAMPLES
        return
    with pytest.raises(DataError, match="fields that pvperf does not read"):
        read(str(tmp_path / "perf.data"))


@pytest.mark.parametrize("bit", [38, 39, 63])
def test_flags_that_nobody_knows(tmp_path: Path, bit: int) -> None:
    """38 and 39 are deferred call chains, of Linux 6.18."""
    write(tmp_path / "perf.data", (), flags=1 << bit)
    with pytest.raises(DataError, match="flags that pvperf does not know"):
        read(str(tmp_path / "perf.data"))


def test_a_sample_is_as_long_as_its_fields(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="8 bytes more than its fields"):
        read_with(tmp_path / "perf.data", sample(1, 2, extra=bytes(8)))


def test_events_with_other_fields_each(tmp_path: Path) -> None:
    attrs = [AttrFields(1, 0, 10, FIELDS | extra, 0, 0) for extra in (0, layout.SAMPLE_ADDR)]
    events = [RecordedEvent("a", attr, (index,)) for index, attr in enumerate(attrs)]
    writer = PerfDataWriter(str(tmp_path / "perf.data"), machine=MACHINE, events=events)
    writer.append(sample(1, 2))
    writer.close()
    with pytest.raises(DataError, match="different sample fields"):
        read(str(tmp_path / "perf.data"))


def test_samples_that_could_be_of_either_event(tmp_path: Path) -> None:
    events = [RecordedEvent(name, AttrFields(1, 0, 10, FIELDS, 0, 0), (index,)) for index, name in enumerate("ab")]
    writer = PerfDataWriter(str(tmp_path / "perf.data"), machine=MACHINE, events=events)
    writer.append(sample(1, 2))
    writer.close()
    with pytest.raises(DataError, match="do not say of which event"):
        read(str(tmp_path / "perf.data"))


def test_losses_without_an_id(tmp_path: Path) -> None:
    """perf leaves sample_id_all out where there is one event."""
    lost = record(layout.RECORD_LOST, struct.pack("<QQ", 99, 4))
    samples = record(layout.RECORD_LOST_SAMPLES, struct.pack("<Q", 3))
    data = read_with(tmp_path / "perf.data", lost, samples)
    assert (data.lost, data.lost_samples, data.complete) == ({(0, 0): 4}, {(0, 0): 3}, True)


@pytest.mark.parametrize("kind", [layout.RECORD_MMAP, layout.RECORD_MMAP2])
def test_each_process_has_its_own_code(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "perf.data"
    parts = [mapping(kind, 7, 0x1000, "/seven"), mapping(kind, 8, 0x1000, "/eight")]
    parts.append(mapping(kind, 7, 0x1000, "/data", misc=layout.MISC_USER | layout.MISC_MMAP_DATA))
    parts.append(record(layout.RECORD_COMM, struct.pack("<II", 7, 7) + b"seven\0\0\0"))
    parts.append(record(layout.RECORD_FORK, struct.pack("<IIIIQ", 9, 7, 9, 7, 0)))
    parts += [sample(0x1000, 10, pid) for pid in (7, 8, 9, 10)]
    data = read_with(path, *parts)
    seven = [Mapping(0x1000, 0x1000, 0, "/seven")]
    assert data.mappings == {7: seven, 8: [Mapping(0x1000, 0x1000, 0, "/eight")], 9: seven}
    assert data.commands == {7: "seven", 9: "seven"}
    found = Symbolizer(data)
    assert [found.of(s).dso for s in data.samples if s.time_ns == 10] == ["/seven", "/eight", "/seven", "[unknown]"]


def test_exec_forgets_what_was_mapped(tmp_path: Path) -> None:
    comm = record(layout.RECORD_COMM, struct.pack("<II", 7, 7) + b"new\0\0\0\0\0", layout.MISC_COMM_EXEC)
    after = mapping(layout.RECORD_MMAP2, 7, 0x8000, "/new")
    data = read_with(tmp_path / "perf.data", mapping(layout.RECORD_MMAP2, 7, 0x1000, "/old"), comm, after)
    assert [each.path for each in data.mappings[7]] == ["/new"]


def test_a_recording_that_perf_did_not_end(tmp_path: Path) -> None:
    """Until its end perf has no data in the header, nor features."""
    path = tmp_path / "perf.data"
    data = bytearray(write(path, ()))
    struct.pack_into("<Q", data, 48, 0)
    path.write_bytes(data)
    with pytest.raises(DataError, match="it was cut off: its header has no data"):
        read(str(path))
    struct.pack_into("<Q", data, 48, len(data) - 144)
    data[72:104] = bytes(32)
    path.write_bytes(data[:-1])
    with pytest.raises(DataError, match="truncated"):
        read(str(path))


@pytest.mark.parametrize("command", [["report"], ["report", "--json"], ["report", "--format", "folded"], ["script"]])
def test_a_refusal_is_a_sentence_and_no_output(tmp_path: Path, command: list[str]) -> None:
    write(tmp_path / "perf.data", [record(81, bytes(64))])
    done = pvperf(*command, "-i", tmp_path / "perf.data")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "cannot be read: it has compressed records" in done.stderr


@needs_perf
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["-z"], "compressed records"),
        (["-d"], "fields that pvperf does not read"),
        (["--call-graph", "dwarf"], "fields that pvperf does not read"),
        (["--threads"], "pvperf does not read perf's directories"),
        (["-o", "-"], "pipe mode"),
    ],
)
def test_what_the_real_perf_records_otherwise(tmp_path: Path, options: list[str], sentence: str) -> None:
    path = tmp_path / "perf.data"
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-o", str(path), *options, "--", "true"]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"perf cannot do that here: {done.stderr.decode(errors='replace').strip()[-200:]}")
    if options == ["-o", "-"]:
        path.write_bytes(done.stdout)
    refused = pvperf("report", "-i", path)
    assert refused.returncode in (1, 2)
    assert (refused.stdout, sentence in refused.stderr) == ("", True), refused.stderr


@needs_perf
@pytest.mark.parametrize("options", [[], ["-g"], ["--switch-events"], ["-s"], ["-e", "task-clock"]])
def test_what_the_real_perf_records_is_read(tmp_path: Path, options: list[str]) -> None:
    """As many samples as perf itself finds, and with the same addresses."""
    path = tmp_path / "perf.data"
    loop = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-o", str(path), *options, "--", "sh", "-c", loop]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"perf cannot do that here: {done.stderr.decode(errors='replace').strip()[-200:]}")
    script = ["perf", "script", "-i", str(path), "-F", "ip,time", "-G"]
    told = subprocess.run(script, capture_output=True, text=True, timeout=300, check=True).stdout
    addresses = sorted(int(line.split(":")[1], 16) for line in told.splitlines() if ":" in line)
    data = read(str(path))
    assert len(data.samples) > 0
    assert sorted(s.ip for s in data.samples) == addresses
    document = json.loads(pvperf("report", "--json", "-i", path).stdout)
    assert sum(event["samples"] for event in document["events"]) == len(addresses)
    assert (document["complete"], document["about"]) == (True, "")
