# SPDX-License-Identifier: GPL-2.0-only
"""What a command writes: never an input of its own, whole or not at all, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import PVPERF, pvperf
from tiny_guest import SPIN, count_down, guest, leave, say

from emulator.cli import main
from emulator.errors import HostError, UsageError
from emulator.files import Files, Growing, draft, write_whole
from emulator.guest.bundled import find_guest

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "docs/performance.json"
REPLAY = "vcpu 0: open 1; enable 1; close 1\nvcpu 1: read 1\n"


def contents(folder: Path) -> dict[str, bytes]:
    """By name; links are not followed."""
    return {
        path.name: os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in folder.iterdir()
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An input of each kind: a guest, a recording, a source, a result and a program."""
    folder = tmp_path_factory.mktemp("inputs")
    guest(folder, count_down(50_000) + leave(0), "w.elf")
    (folder / "mine.h").write_text("#define LINES 1\n")
    (folder / "mine.c").write_text(f'#include "mine.h"\n{(ROOT / "examples/count.c").read_text()}')
    result = json.loads(RESULT.read_text())
    (folder / "result.json").write_text(json.dumps({**result, "groups": result["groups"][:1]}))
    (folder / "prog").write_text(REPLAY)
    assert pvperf("record", "-q", "-o", "p", "-c", "100", "w.elf", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def folder(tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with these, and with other names for the guest."""
    monkeypatch.chdir(tmp_path)
    for path in inputs.iterdir():
        shutil.copy(path, tmp_path)
    recording = (tmp_path / "p").read_bytes()
    (tmp_path / "p").write_bytes(
        recording.replace(os.fsencode(inputs / "w.elf"), b"w.elf".ljust(len(str(inputs)) + 6, b"\0"))
    )
    (tmp_path / "new.replays").mkdir()
    shutil.copy(inputs / "prog", tmp_path / "new.replays")
    (tmp_path / "link").symlink_to("w.elf")
    (tmp_path / "hard").hardlink_to(tmp_path / "w.elf")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "run --trace w.elf w.elf",
        "run --trace ./w.elf w.elf",
        "run --trace link w.elf",
        "run --trace hard w.elf",
        "run --trace w.elf hard",
        "stat -o w.elf w.elf",
        "stat -o link --append w.elf",
        "stat --trace c -o c w.elf",
        "stat --trace c -o ./c w.elf",
        "record -o w.elf w.elf",
        "record -o link hard",
        "record -o x --trace x w.elf",
        "record -o x --trace x.old w.elf",
        "report -i p -o p",
        "report -i p -o p --format folded",
        "report -i p -o w.elf",
        "report -i p -o {folder}/p",
        "report -i p -o /proc/self/cwd/p",
        "guests build mine.c -o mine.c",
        "guests build mine.c -o mine.h",
        "guests build mine.c --cc ./w.elf -o w.elf",
        "explore prog -o prog",
        "explore prog --canaries -o prog",
        "stress prog -o ./prog",
        "campaign prog prog",
        "campaign w.elf",
        "campaign new new.replays/prog",
        "bench report result.json --html result.json",
        "bench report result.json --csv result.json",
        "bench report result.json --png result.json",
        "bench report result.json --markdown ./result.json",
        "bench report result.json --html x.csv",
        "bench report result.json --html x.html --csv x.html",
        "bench report result.json --html - --csv -",
        "bench compare result.json result.json --json result.json",
        "bench boot --json x --html x",
    ],
)
def test_an_output_is_no_input_and_no_other_output(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    assert main(command.format(folder=folder).split()) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("pvperf: ")
    assert contents(folder) == before


def test_what_stdout_goes_to_is_an_output(folder: Path) -> None:
    before = contents(folder)
    for command, name in (("report -i p", "p"), ("run w.elf", "w.elf"), ("stat -o new w.elf", "new")):
        with open(name, "ab") as stdout:
            done = subprocess.run([*PVPERF, *command.split()], stdout=stdout, stderr=subprocess.PIPE, timeout=300)
        assert done.returncode == 2, done.stderr
        assert b"cannot write" in done.stderr
    assert {name: data for name, data in contents(folder).items() if name != "new"} == before


@pytest.mark.parametrize(
    "command",
    [
        "run --trace old nosuch",
        "run --trace old prog",
        "stat -o old nosuch",
        "stat -o old -e nosuch w.elf",
        "stat -o old --smp 99 w.elf",
        "record -o old nosuch",
        "record -o old --ring 1G w.elf",
        "report -i nosuch -o old",
        "report -i prog -o old",
        "report -i p --sort nosuch -o old",
        "guests build nosuch.c -o old",
        "guests build prog -o old",
        "explore nosuch -o old",
        "explore --design nosuch -o old",
        "model --vcpus 9 -o old",
        "bench report nosuch --html old",
        "bench report prog --html old",
        "bench boot --only nosuch --json old",
        "bench compare nosuch result.json --json old",
    ],
)
def test_what_is_asked_for_in_vain_touches_nothing(folder: Path, command: str) -> None:
    (folder / "old").write_text("old")
    before = contents(folder)
    assert main(command.split()) in (1, 2, 125)
    assert contents(folder) == before


WRITERS = [
    "run -q --trace x {root}/w.elf",
    "stat -q -o x {root}/w.elf",
    "record -q -o x {root}/w.elf",
    "report -i {root}/p -o x",
    "report -i {root}/p -o x --format perfetto",
    "guests build {root}/mine.c -o x",
    "bench report {root}/result.json --csv x",
    "explore close-enable --design no-refcount --seed 1 --schedules 1000 --shrink 1ms",
    "campaign x close-enable --seeds 1 --schedules 10 --nmi trylock --design per-vm",
]


def mounted(folder: Path, mount: str, words: str, then: str) -> subprocess.CompletedProcess[str]:
    """The command in a directory on which `mount` has put something, and `then` more of the shell."""
    place = folder / "place"
    place.mkdir()
    script = f"cd {place} && {mount}; {' '.join(PVPERF)} {words.format(root=folder)}{then}"
    command = ["unshare", "-m", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


mounts = pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
    reason="no mount namespaces for this user",
)


@mounts
@pytest.mark.parametrize("command", WRITERS)
def test_a_read_only_disk_is_125_before_any_work(folder: Path, command: str) -> None:
    done = mounted(folder, "mount -t tmpfs -o ro tmpfs . && cd $PWD", command, "")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1), done.stderr
    assert "cannot write" in done.stderr
    assert "Read-only file system" in done.stderr


@mounts
@pytest.mark.parametrize("command", WRITERS[:-2])
def test_a_full_disk_is_125_and_loses_nothing(folder: Path, command: str) -> None:
    fill = "mount -t tmpfs -o size=8k tmpfs . && cd $PWD && echo old >x && cat /dev/zero >filler 2>/dev/null"
    done = mounted(folder, fill, command, " >/dev/null; echo $?; cat x.old 2>/dev/null || cat x; ls -A | grep pvperf")
    assert done.stdout == "125\nold\n", done.stderr
    assert "No space left on device" in done.stderr


def test_the_old_is_kept_where_nobody_named_the_file(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["explore", "close-enable", "--design", "no-refcount", "--seed", "1", "--schedules", "1000"]
    name = "close-enable-no-refcount.replay"
    assert main(command) == 1
    assert "is close" not in capfd.readouterr().err
    (folder / name).write_text("mine")
    assert main(command) == 1
    assert capfd.readouterr().err == f"pvperf: what was {name} is {name}.old now\n"
    assert (folder / f"{name}.old").read_text() == "mine"
    assert main(["replay", name]) == 1


def test_what_stress_finds_is_kept_beside_what_was_there(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["stress", "--native", "close-enable", "--design", "no-refcount", "--ops", "2000000", "--seed", "1"]
    name = "close-enable-no-refcount.replay"
    (folder / name).write_text("mine")
    assert main(command) == 1
    assert f"replay it with: pvperf replay {name}\n" in capfd.readouterr().out
    assert (folder / f"{name}.old").read_text() == "mine"


def test_stdin_is_an_input(folder: Path) -> None:
    with open("p", "rb") as stdin:
        done = pvperf("report", "-i", "-", "-o", "p", stdin=stdin)
    assert (done.returncode, done.stderr) == (
        2,
        "pvperf: cannot write p: it is an input of the same command under the name stdin\n",
    )


def test_a_trace_keeps_what_was_there(folder: Path) -> None:
    (folder / "t").write_text("old")
    assert pvperf("run", "--trace", "t", "w.elf").returncode == 0
    assert (folder / "t.old").read_text() == "old"
    assert (folder / "t").stat().st_size > 400


@pytest.mark.parametrize("word", ["close-nmi", "churn", "per-vm", "no-refcount", "deferred", "every-exit"])
def test_a_campaign_without_its_journal(folder: Path, word: str) -> None:
    before = contents(folder)
    done = pvperf("campaign", word, "churn")
    assert (done.returncode, f"'{word}' is what a campaign explores" in done.stderr) == (2, True)
    assert contents(folder) == before


def other_database(path: Path) -> None:
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = WAL; CREATE TABLE theirs (x); PRAGMA user_version = 7;")
    database.close()


@pytest.mark.parametrize(
    "make",
    [
        other_database,
        lambda path: path.write_text("text"),
        lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(200)),
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/dev/null"),
        lambda path: path.with_name("j-wal").write_text("theirs"),
    ],
)
def test_only_a_journal_is_a_journal(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "j")
    before, names = contents(tmp_path) if not (tmp_path / "j").is_fifo() else {}, sorted(os.listdir(tmp_path))
    done = pvperf("campaign", tmp_path / "j", "close-enable", "--seeds", "1", "--schedules", "10")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert sorted(os.listdir(tmp_path)) == names
    assert not before or contents(tmp_path) == before


def test_streams_and_devices_are_written_as_they_are(folder: Path) -> None:
    done = pvperf("stat", "-o", "/dev/stdout", "-x,", "-e", "dummy", "w.elf")
    assert (done.returncode, done.stdout.splitlines()[-1].split(",")[:3]) == (0, ["0", "", "dummy"])
    with open("log", "w+b") as log:
        command = [*PVPERF, "stat", "-o", f"/dev/fd/{log.fileno()}", "-x,", "-e", "dummy", "w.elf"]
        log.write(b"before\n")
        log.flush()
        assert subprocess.run(command, pass_fds=[log.fileno()], timeout=300, check=False).returncode == 0
    assert Path("log").read_text().splitlines()[0] == "before"
    assert pvperf("bench", "report", "result.json", "--html", "/dev/null").returncode == 0
    assert os.path.exists("/dev/null")
    assert not os.path.exists("/dev/null.csv")


# The mechanism itself.


@pytest.fixture(params=["unnamed", "hidden"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With O_TMPFILE, and on a file system that has none."""
    if request.param == "hidden":
        real = os.open

        def no_tmpfile(path: str, flags: int, *more: int, **named: int) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "no such thing")
            return real(path, flags, *more, **named)

        monkeypatch.setattr(draft.os, "open", no_tmpfile)


@pytest.mark.usefixtures("both_ways")
def test_all_outputs_of_a_command_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").write_text("old")

    def write_both() -> None:
        with Files() as files:
            for name in ("one", "two"):
                files.output(str(tmp_path / name)).write("new")

    def fail(self: draft.Draft) -> None:
        if self.path.endswith("two"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(draft.Draft, "sync", fail)
        with pytest.raises(HostError, match=r"cannot write .*two: No space left"):
            write_both()
    assert contents(tmp_path) == {"one": b"old"}
    write_both()
    assert contents(tmp_path) == {"one": b"new", "two": b"new"}


@pytest.mark.usefixtures("both_ways")
def test_a_growing_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    growing = Growing(Files(), str(path))
    os.write(growing.fd, b"one")
    growing.close()
    assert contents(tmp_path) == {"x": b"old"}
    growing = Growing(Files(), str(path))
    os.write(growing.fd, b"one")
    growing.place()
    os.write(growing.fd, b", two")
    growing.place()
    growing.close()
    assert contents(tmp_path) == {"x": b"one, two", "x.old": b"old"}


def test_links_are_followed_and_modes_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to("target")
    write_whole(link, "one")
    assert contents(tmp_path) == {"link": b"target", "target": b"one"}
    target.chmod(0o604)
    os.chown(target, 12, 34) if os.geteuid() == 0 else None
    owner = target.stat().st_uid, target.stat().st_gid
    write_whole(link, "two")
    status = target.stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o604, *owner)
    assert target.read_text() == "two"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", UsageError),
        ("-", UsageError),
        ("/", UsageError),
        ("none/x", UsageError),
        ("file/x", UsageError),
        ("loop", UsageError),
        ("new/", UsageError),
        ("n" * 256, UsageError),
        ("/dev/full", UsageError),
        ("/dev/fd/99", UsageError),
    ],
)
def test_names_that_no_file_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(kind, match=r"^cannot write "):
        Files().output(name, regular=True)
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize(
    ("command", "left"), [("stat -o x", {"x"}), ("record -o x", {"x", "x.old"}), ("run --trace x", {"x", "x.old"})]
)
def test_a_signal_leaves_what_was_there_and_no_temporary_file(
    tmp_path: Path, command: str, left: set[str], signum: int
) -> None:
    path = guest(tmp_path, say(b".") + SPIN)
    out = tmp_path / "out"
    out.mkdir()
    (out / "x").write_text("old")
    with subprocess.Popen(
        [*PVPERF, *command.split(), path], cwd=out, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        assert process.stdout.read(1) == b"."
        while command.startswith("record") and not (out / "x.old").exists():
            os.sched_yield()
        process.send_signal(signum)
    assert set(os.listdir(out)) == left
    old = out / ("x" if left == {"x"} else "x.old")
    assert old.read_text() == "old" or (left == {"x"} and signum != signal.SIGKILL)


def test_a_bundled_guest_is_an_input_too() -> None:
    path = find_guest("hello")
    before = path.read_bytes()
    assert pvperf("stat", "-o", path, "hello").returncode == 2
    assert path.read_bytes() == before
