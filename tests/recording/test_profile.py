# SPDX-License-Identifier: GPL-2.0-only
"""What is made of a recording: by us, by other programs' formats, and by the real perf."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import commands
import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb
from synthetic import BRANCHES, INSTRUCTIONS, guest_of, record, sample

from emulator.guest.bundled import find_guest
from emulator.guest.lines import line_of
from emulator.guest.symbols import Symbol, SymbolTable, read_symbols
from emulator.recording.perfdata.losses import sum_losses
from emulator.recording.perfdata.recorder import Shortfall
from emulator.vm.protocol import SlotSamples

needs_perf = pytest.mark.skipif(not shutil.which("perf"), reason="needs perf: install linux-perf")
MATMUL = Path(find_guest("matmul"))
SHARES = {"multiply": 70, "guest_main": 20, "cpu_count": 10}


def pvperf(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    return commands.pvperf(*arguments, text=False)  # type: ignore[return-value]


def address(name: str) -> int:
    return next(symbol.address for symbol in read_symbols(str(MATMUL))[0].symbols if symbol.name == name)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two vCPUs with 100 samples each: 70, 20 and 10 in three functions, all called by guest_main."""
    path = tmp_path_factory.mktemp("recording") / "perf.data"
    names = [name for name, share in SHARES.items() for _ in range(share)]
    caller = address("guest_main") + 9
    streams = [
        b"".join(sample(address(name), 1000 * at + vcpu + 1, chain=[caller]) for at, name in enumerate(names))
        for vcpu in range(2)
    ]
    record(path, guest_of(MATMUL), streams, chains=True)
    return path


def test_symbols_are_those_of_pyelftools() -> None:
    from elftools.elf.elffile import ELFFile

    table, build_id = read_symbols(str(MATMUL))
    with MATMUL.open("rb") as file:
        oracle = ELFFile(file)
        functions = {
            (symbol["st_value"], symbol["st_value"] + symbol["st_size"])
            for symbol in oracle.get_section_by_name(".symtab").iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]
        }
        notes = oracle.get_section_by_name(".note.gnu.build-id").iter_notes()
        assert build_id.hex() == next(iter(notes))["n_desc"]
    assert functions <= {(symbol.address, symbol.end) for symbol in table.symbols}


def test_an_address_is_in_one_symbol_or_in_none() -> None:
    table = SymbolTable([Symbol(10, 20, "a"), Symbol(30, 40, "b")])
    found = {at: symbol.name if (symbol := table.find(at)) else None for at in (9, 10, 19, 20, 29, 30, 39, 40)}
    assert found == {9: None, 10: "a", 19: "a", 20: None, 29: None, 30: "b", 39: "b", 40: None}


def test_report(recording: Path) -> None:
    document = json.loads(pvperf("report", "-i", recording, "--json").stdout)
    (event,) = document["events"]
    assert {row["symbol"]: row["percent"] for row in event["rows"]} == SHARES
    assert (event["samples"], event["period"], event["lost"], document["no_room"]) == (200, 200_000, 0, 0)
    text = pvperf("report", "-i", recording, "--sort", "symbol,vcpu", "-g").stdout.decode()
    assert re.search(r"35\.00% +70  multiply +1\n +100\.00%  <- guest_main\n", text)


def test_report_by_source_line(recording: Path, tmp_path: Path) -> None:
    document = json.loads(pvperf("report", "-i", recording, "--json", "--sort", "srcline").stdout)
    rows = {row["srcline"]: row["percent"] for row in document["events"][0]["rows"]}
    assert rows == {line_of(MATMUL, address(name)): share for name, share in SHARES.items()}
    assert {line.partition(":")[0] for line in rows} >= {"matmul.c"}
    stripped = tmp_path / "guest.elf"  # whose symbols are there, and no lines
    subprocess.run(["objcopy", "--strip-debug", str(MATMUL), str(stripped)], check=True, timeout=300)
    record(tmp_path / "x", guest_of(stripped), [sample(address("multiply") + 1, 1000), sample(1 << 40, 1001)])
    (event,) = json.loads(pvperf("report", "-i", tmp_path / "x", "--json", "--sort", "srcline").stdout)["events"]
    assert [row["srcline"] for row in event["rows"]] == ["0x10000000000", "multiply+0x1"]


def test_script(recording: Path) -> None:
    lines = pvperf("script", "-i", recording).stdout.decode().splitlines()
    heads = [line for line in lines if "instructions:" in line]
    assert len(heads) == 200
    assert re.fullmatch(r"matmul.elf 10000000 \[000\] +0\.000000: +1000 instructions:", heads[0])
    assert f"{address('guest_main') + 9:x} guest_main+0x9 ({MATMUL})" in lines[2]


def test_folded(recording: Path) -> None:
    done = pvperf("report", "-i", recording, "--format", "folded")
    expected = [f"matmul.elf;guest_main;{name} {2000 * share}" for name, share in SHARES.items()]
    assert done.stdout.decode().splitlines() == sorted(expected)


def test_speedscope(recording: Path) -> None:
    document = json.loads(pvperf("report", "-i", recording, "--format", "speedscope").stdout)
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = document["shared"]["frames"]
    assert len(document["profiles"]) == 2
    for profile in document["profiles"]:
        assert (profile["type"], profile["unit"], profile["startValue"]) == ("sampled", "none", 0)
        assert len(profile["samples"]) == len(profile["weights"]) == 100
        assert profile["endValue"] == sum(profile["weights"]) == 100_000
        assert {frames[stack[0]]["name"] for stack in profile["samples"]} == {"guest_main"}
        assert sum(frames[stack[-1]]["name"] == "multiply" for stack in profile["samples"]) == 70


def test_exports_without_samples_are_well_formed(tmp_path: Path) -> None:
    record(tmp_path / "x", guest_of(MATMUL), [b""])
    document = json.loads(pvperf("report", "-i", tmp_path / "x", "--format", "speedscope").stdout)
    assert (document["profiles"], document["shared"], "activeProfileIndex" in document) == ([], {"frames": []}, False)
    assert pvperf("report", "-i", tmp_path / "x", "--format", "folded").stdout == b""
    trace = pb.Trace.FromString(pvperf("report", "-i", tmp_path / "x", "--format", "perfetto").stdout)
    assert len(trace.packet) > 0
    text = pvperf("report", "-i", tmp_path / "x").stdout.decode()
    assert "# Samples: 0 of event 'instructions', lost: 0\n" in text


def test_perfetto_reads_the_trace(recording: Path, tmp_path: Path) -> None:
    assert pvperf("report", "-i", recording, "--format", "perfetto", "-o", tmp_path / "trace").returncode == 0
    trace = pb.Trace.FromString((tmp_path / "trace").read_bytes())
    names = {entry.iid: entry.name for packet in trace.packet for entry in packet.interned_data.event_names}
    events = [packet for packet in trace.packet if packet.HasField("track_event")]
    instants = [packet.track_event for packet in events if packet.track_event.type == pb.TrackEvent.TYPE_INSTANT]
    assert [names[event.name_iid] for event in instants].count("multiply") == 140
    counters = [packet.track_event.counter_value for packet in events if packet.track_event.HasField("counter_value")]
    assert max(counters) == 100_000
    threads = [p.track_descriptor.thread.thread_name for p in trace.packet if p.track_descriptor.HasField("thread")]
    assert threads == ["vCPU 0", "vCPU 1"]
    assert trace.packet[0].sequence_flags == 1


UNKNOWN = "unknown (the recording was cut off)"


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A recording of which nobody has told what it has lost."""
    path = tmp_path / "cut.data"
    record(path, guest_of(MATMUL), [sample(address("multiply"), 1)], shortfalls=())
    return path


def test_what_was_cut_off_does_not_say_that_nothing_was_lost(cut_off: Path) -> None:
    assert f"# Samples: 1 of event 'instructions', lost: {UNKNOWN}\n" in pvperf("report", "-i", cut_off).stdout.decode()
    document = json.loads(pvperf("report", "--json", "-i", cut_off).stdout)
    assert (document["complete"], document["no_room"], document["events"][0]["lost"]) == (False, None, None)
    for command in (["script"], *(["report", "--format", name] for name in ("folded", "speedscope", "perfetto"))):
        done = pvperf(*command, "-i", cut_off)
        assert (done.returncode, done.stderr.decode()) == (0, f"pvperf: lost samples: {UNKNOWN}\n")
        told = done.stdout.decode(errors="replace")
        assert (UNKNOWN in told) == (command[-1] in ("speedscope", "perfetto"))


def test_what_is_missing_is_said_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    record(path, guest_of(MATMUL), [sample(address("multiply"), 1)], shortfalls=[Shortfall(0, 0, 42)], ring_lost=[3])
    text = pvperf("report", "-i", path).stdout.decode()
    assert text.startswith("# 3 samples found no room on their way and are missing\n")
    assert "lost: 42\n" in text
    for command in (["script"], ["report", "--format", "folded"], ["report", "--format", "speedscope"]):
        assert pvperf(*command, "-i", path).stderr.decode().splitlines() == [
            "pvperf: 42 overflows have no sample of their own",
            "pvperf: 3 samples found no room on their way and are missing",
        ]


def test_a_report_says_where_samples_lie(recording: Path) -> None:
    head = pvperf("report", "-i", recording).stdout.decode().splitlines()[0]
    about = "pvperf vCPU: samples lie at the ends of basic blocks; CPL 0 and CPL 3 are both user code to perf"
    assert head == f"# {about}"
    assert json.loads(pvperf("report", "--json", "-i", recording).stdout)["about"] == about


@needs_perf
def test_perf_is_told_where_samples_lie(recording: Path) -> None:
    header = perf("report", "--header-only", "-i", recording)
    assert "# cpudesc : pvperf vCPU: samples lie at the ends of basic blocks; CPL 0 and" in header


def test_chains_that_were_not_recorded_are_said(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "perf.data"
    record(path, guest_of(MATMUL), [sample(address("multiply"), 1)])
    excuse = "# No call chains were recorded: pvperf record -g does\n"
    assert excuse in pvperf("report", "-g", "-i", path).stdout.decode()
    assert excuse not in pvperf("report", "-i", path).stdout.decode()
    assert json.loads(pvperf("report", "--json", "-g", "-i", path).stdout)["events"][0]["chains"] is False
    record(path, guest_of(MATMUL), [sample(address("multiply"), 1)], chains=True)
    assert "# No call chain has a caller in it\n" in pvperf("report", "-g", "-i", path).stdout.decode()
    text = pvperf("report", "-g", "-i", recording).stdout.decode()
    assert "# No call" not in text
    (event,) = json.loads(pvperf("report", "--json", "-g", "-i", recording).stdout)["events"]
    assert event["chains"] is True
    assert event["rows"][0]["chains"] == [{"names": ["multiply", "guest_main"], "period": 140_000}]


#: A newline, an escape sequence, what separates frames, a number behind a space, no UTF-8, and a bidi override.
HOSTILE = "a\nb;c\x1b[31m 7\udcff\u202e.elf"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A recording of a guest whose file, symbols and events have such names."""
    guest = tmp_path / HOSTILE
    symbol = b"mul\n\x1b]0"  # in the place of "multiply"
    guest.write_bytes(MATMUL.read_bytes().replace(b"\0multiply\0", b"\0" + symbol + b"\xff\0"))
    path = tmp_path / "perf.data"
    chain = [address("guest_main") + 9]
    record(path, guest_of(guest), [sample(address("multiply"), 1, chain=chain)], names=[f"ev{HOSTILE}"], chains=True)
    return path


@pytest.mark.parametrize(
    "command", [["report", "-g"], ["report", "--json"], ["script"], ["report", "--sort", "dso,symbol,vcpu"]]
)
def test_no_name_reaches_the_terminal_as_it_is(hostile: Path, command: list[str]) -> None:
    done = pvperf(*command, "-i", hostile)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert {letter for letter in text if not letter.isprintable()} <= {"\n", "\t"}
    assert done.stderr == b""
    assert r"mul\x0a\x1b]0" in (json.loads(text)["events"][0]["rows"][0]["symbol"] if "--json" in command else text)


def test_exports_of_hostile_names_are_well_formed(hostile: Path, tmp_path: Path) -> None:
    folded = pvperf("report", "--format", "folded", "-i", hostile).stdout.decode()
    assert folded == "a\\x0ab:c\\x1b[31;guest_main;mul\\x0a\\x1b]0\ufffd 1000\n"
    document = json.loads(pvperf("report", "--format", "speedscope", "-i", hostile).stdout)
    names = [frame["name"] + frame["file"] for frame in document["shared"]["frames"]]
    assert all(name.isprintable() for name in [*names, *(profile["name"] for profile in document["profiles"])])
    assert pvperf("report", "--format", "perfetto", "-i", hostile, "-o", tmp_path / "trace").returncode == 0
    trace = pb.Trace.FromString((tmp_path / "trace").read_bytes())
    names = [entry.name for packet in trace.packet for entry in packet.interned_data.event_names]
    names += [p.track_descriptor.process.process_name for p in trace.packet if p.track_descriptor.HasField("process")]
    assert len(names) >= 2
    assert all(name.isprintable() for name in names)


def test_symbols_are_found_whatever_the_file_is_called(hostile: Path) -> None:
    """The name is shown otherwise, and the file is opened by the one that it has."""
    assert "no symbols" not in pvperf("report", "-i", hostile).stderr.decode()


@needs_perf
def test_perf_gets_a_command_of_one_line(hostile: Path) -> None:
    lines = subprocess.run(
        ["perf", "script", "-F", "comm", "-i", str(hostile)], capture_output=True, text=True, timeout=300, check=True
    ).stdout.splitlines()
    assert [line.strip() for line in lines if line.strip()] == [r"a\x0ab;c\x1b[31"]


def test_a_complaint_is_one_line(tmp_path: Path) -> None:
    for arguments in (["run", f"{tmp_path}/{HOSTILE}"], ["report", "-i", f"{tmp_path}/{HOSTILE}"], ["x\x1b[31m\n"]):
        error = pvperf(*arguments).stderr.decode()
        assert (error.count("\n"), "\x1b" in error) == (1, False)
        assert error.startswith("pvperf: ")


def test_losses_are_said() -> None:
    sampled = [SlotSamples(0, 0, taken=100, left=2, samples=90), SlotSamples(1, 0, taken=100, left=0, samples=100)]
    losses = sum_losses(sampled, (3, 0), {"nmi_raised": 200, "nmi_misses": 8})
    assert str(losses) == (
        "13 of 200 overflows (6.5%) have no sample of their own: 8 (4.0%) came together with another (8 of 200 NMIs "
        "missed), 2 (1.0%) came at the end, without an NMI, 3 (1.5%) found no room in a ring"
    )
    assert not sum_losses([SlotSamples(0, 0, 9, 0, 9)], (0,), {})


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("record", "-c", "0", "hello"), 2, "not a whole number from 1"),
        (("record", "-c", "abc", "hello"), 2, "not a whole number from 1"),
        (("record", "-c", 1 << 64, "hello"), 2, "not a whole number from 1"),
        (("record", "-F", "0", "hello"), 2, "not a whole number from 1"),
        (("record", "-c", "1", "-F", "1", "hello"), 2, "not allowed with"),
        (("record", "--max-stack", "4", "hello"), 2, "they need -g"),
        (("record", "-g", "--max-stack", "128", "hello"), 2, "1 to 127"),
        (("record", "--ring", "5K", "hello"), 2, "power of 2"),
        (("record", "-o", "/none/x", "hello"), 2, "cannot write /none/x"),
        (("record", "-e", "cycels", "hello"), 2, "did you mean"),
        (("record",), 2, "no guest"),
        (("report", "-i", "/none"), 2, "record one with"),
        (("report", "-i", MATMUL), 1, "no perf.data file"),
        (("script", "-i", MATMUL), 1, "no perf.data file"),
        (("report", "--sort", "time"), 2, "nothing to sort by"),
        (("report", "--format", "foldd"), 2, "did you mean folded"),
    ],
)
def test_refused(arguments: tuple[object, ...], status: int, sentence: str) -> None:
    done = pvperf(*arguments)
    assert (done.returncode, done.stdout) == (status, b"")
    assert re.fullmatch(rf"pvperf: [^\n]*{sentence}[^\n]*\n", done.stderr.decode()), done.stderr


def perf(*arguments: object) -> str:
    done = subprocess.run(["perf", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@needs_perf
def test_perf_reads_it_without_a_word(recording: Path) -> None:
    report = perf("report", "--stdio", "--no-children", "-g", "none", "-i", recording)
    shares = re.findall(r"^ +([\d.]+)%  matmul.elf  matmul.elf +\[\.\] (\w+)", report, re.MULTILINE)
    assert {name: float(share) for share, name in shares} == SHARES
    assert "of event 'instructions'" in report
    assert len(re.findall("instructions:", perf("script", "-i", recording))) == 200
    assert perf("evlist", "-i", recording) == "instructions\n"
    assert "SAMPLE events:        200" in perf("report", "--stats", "-i", recording)


@needs_perf
def test_perf_annotates_it(recording: Path) -> None:
    done = subprocess.run(
        ["perf", "annotate", "--stdio", "-s", "multiply", "-i", recording], capture_output=True, text=True, check=True
    )
    assert "(140 samples" in done.stdout
    assert "matmul.c" in done.stdout or "multiply():" in done.stdout


@needs_perf
def test_perf_sees_losses_and_guests(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    both = {"names": ("instructions", "branches:u"), "attrs": (INSTRUCTIONS, BRANCHES)}
    streams = [sample(address("multiply"), 10) + sample(address("multiply"), 20, event=1, cpl=3)]
    record(path, guest_of(MATMUL), streams, shortfalls=[Shortfall(0, 1, 42)], **both)  # type: ignore[arg-type]
    assert perf("evlist", "-i", path) == "instructions\nbranches:u\n"
    assert "LOST_SAMPLES events:          1" in perf("report", "--stats", "-i", path)
    record(path, guest_of(MATMUL), streams, guest_mode=True, **both)  # type: ignore[arg-type]
    assert "[g] multiply" in perf("kvm", "--guest", "report", "--stdio", "-i", path)
