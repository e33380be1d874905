# SPDX-License-Identifier: GPL-2.0-only
"""A journal that is not what was written is refused in one sentence, and not touched."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.cli import main

ARGUMENTS = ("close-enable", "errno", "--design", "per-vm,posted", "--nmi", "trylock", "--seed", "1")
SIZE = ("--schedules", "100", "--seeds", "3", "--workers", "1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small journal with every kind of row but those of VMs."""
    path = tmp_path_factory.mktemp("whole") / "journal"
    assert main(["campaign", str(path), *ARGUMENTS, *SIZE]) == 1
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, whole: bytes, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "journal").write_bytes(whole)
    capsys.readouterr()
    return tmp_path / "journal"


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What both a campaign and a report say, which is the same; the file and what is beside it stay as they are."""
    before, beside = path.read_bytes(), set(path.parent.iterdir())
    said = []
    for option in ([], ["--report"]):
        assert main(["campaign", str(path), *option]) == 2
        told, complaint = capsys.readouterr()
        assert told == ""
        assert complaint.startswith("pvperf: ")
        assert complaint.count("\n") == 1
        assert path.read_bytes() == before
        assert set(path.parent.iterdir()) == beside
        said.append(complaint.removeprefix("pvperf: ").rstrip())
    assert said[0] == said[1]
    return said[0].replace(str(path), "J")


def change(path: Path, *statements: str) -> None:
    """As somebody does it with sqlite3."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        for statement in statements:
            assert database.execute(statement).rowcount != 0
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


BLOCK = "of per-vm/trylock/entry, close-enable 0 in its table block"
ERRNO = "posted/trylock/entry, errno 0"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE block SET schedules = 900000000 WHERE design = 'per-vm' AND scenario = 'close-enable'", BLOCK),
        ("UPDATE block SET seal = '0123456789abcdef' WHERE design = 'per-vm' AND scenario = 'close-enable'", BLOCK),
        ("UPDATE block SET digest = 'of another one' WHERE design = 'per-vm' AND scenario = 'close-enable'", BLOCK),
        ("UPDATE block SET digest = x'ff' WHERE design = 'per-vm' AND scenario = 'close-enable'", BLOCK),
        ("UPDATE block SET digest = CAST(x'ff' AS TEXT) WHERE design = 'per-vm' AND scenario = 'close-enable'", BLOCK),
        ("DELETE FROM failure WHERE number = 1", f"the block of {ERRNO} tells of another number of failures"),
        ("DELETE FROM block WHERE design = 'posted' AND scenario = 'errno'", "there are 3 failures, and its blocks"),
        ("UPDATE failure SET text = '' WHERE number = 2", "of posted/trylock/entry, errno 2 in its table failure"),
        ("UPDATE canary SET found = 0 WHERE name = 'limit_off_by_one'", "limit_off_by_one in its table canary"),
        ("UPDATE shrunk SET replay = ''", "of posted/trylock/entry, errno 0 in its table shrunk"),
        ("UPDATE plan SET value = '\"0.0 older\"' WHERE name = 'code'", "the row of code in its table plan"),
        ("UPDATE plan SET value = '{' WHERE name = 'plan'", "the row of plan in its table plan"),
        ("DELETE FROM plan WHERE name = 'code'", "its plan has plan, scenarios alone"),
        ("DELETE FROM plan", "its table block has rows, and the plan that they belong to is gone"),
        ("INSERT INTO vm SELECT design, nmi, sync, scenario, number, 9, 9, 9, 9, '', '', 1.0, 1.0, NULL, NULL, NULL, "
         "NULL, NULL, NULL, NULL, NULL, seal FROM failure WHERE number = 0", "errno 0 in its table vm"),
        ("ALTER TABLE block RENAME COLUMN count TO many", "its tables are not those of a journal"),
        ("DROP TABLE vm", "its tables are not those of a journal"),
    ],
)  # fmt: skip
def test_what_was_edited_is_not_believed(
    statement: str, why: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(path, statement)
    said = refused(path, capsys)
    assert said.startswith("J is damaged, and nothing of it is believed: ")
    assert why in said


def test_rows_of_another_campaign_are_not_believed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their seals are right, there."""
    other = path.with_name("other")
    assert main(["campaign", str(other), *ARGUMENTS[:-1], "2", *SIZE]) == 1
    capsys.readouterr()
    change(path, "DELETE FROM canary")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("ATTACH ? AS other", (str(other),))
        database.execute("INSERT INTO canary SELECT * FROM other.canary")
        database.commit()
    shutil.rmtree(path.with_name("other.replays"))
    assert "in its table canary is not what was written" in refused(path, capsys)


def test_what_is_edited_while_it_is_looked_at_is_not_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the opening and the summary, too."""
    from emulator.cli import campaign_command

    run = campaign_command.run

    def edited(*arguments: object, **options: object) -> None:
        run(*arguments, **options)  # type: ignore[arg-type]
        change(path, "UPDATE block SET schedules = 900000000")

    monkeypatch.setattr(campaign_command, "run", edited)
    assert main(["campaign", str(path)]) == 2
    assert "in its table block is not what was written" in capsys.readouterr().err


@pytest.mark.parametrize("left", [1, 16, 70, 100, 1000, 4096, 6000, 16384, -4096, -1])
def test_a_truncated_journal_is_a_damaged_one(
    left: int, path: Path, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(whole[:left])
    assert refused(path, capsys).startswith("J is damaged, and nothing of it is believed: ")


@pytest.mark.parametrize("begin", [0, 16, 60, 100, 3800, 4096, 8192, 16384])
def test_flipped_bits_are_found_or_change_nothing(
    begin: int, path: Path, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bit at a time: a sentence, or what is said is what was said before."""
    assert main(["campaign", str(path), "--report"]) == 1
    sound, draw = capsys.readouterr().out, random.Random(begin)
    for at in (begin, *(begin + draw.randrange(40) for _ in range(12))):
        changed = bytearray(whole)
        changed[at] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        if main(["campaign", str(path), "--report"]) == 1:
            assert capsys.readouterr().out == sound
        else:
            capsys.readouterr()
            assert refused(path, capsys).startswith(("J is damaged", "J is a journal of version"))


def test_names_of_tables_that_are_no_text(path: Path, whole: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite says which one it does not find, and sqlite3 has no text for it."""
    name = whole.index(b"tableblockblock") + len("table")
    path.write_bytes(whole[:name] + b"\xa6" + whole[name + 1 :])
    assert refused(path, capsys).startswith("J is damaged")
    query = whole.index(b"CREATE TABLE block")
    path.write_bytes(whole[:query] + b"CREATE \xd6" + whole[query + 8 :])
    assert refused(path, capsys) == "J is damaged, and nothing of it is believed: the names of its tables are no text"


def _text(path: Path) -> None:
    path.write_text("what somebody wrote\n" * 100)


def _other_database(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")


def _older(path: Path) -> None:
    change(path, "PRAGMA user_version = 0")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_text, "J is no journal of pvperf campaign"),
        (_other_database, "J is no journal of pvperf campaign"),
        (_older, "J is a journal of version 0, and this pvperf has 2: begin another"),
        (_empty, "J is empty: it is no journal, or nothing is left of one; another name begins another"),
    ],
)
def test_what_is_no_journal_is_left_alone(
    make: Callable[[Path], None], sentence: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(path)
    assert refused(path, capsys) == sentence


def test_what_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in (("", "it is a directory"), ("pipe", "it is not a regular file")):
        assert main(["campaign", str(tmp_path / name)]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["campaign", str(tmp_path / "no" / "journal")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


@pytest.fixture
def locked(path: Path) -> Iterator[Path]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        yield path


def test_a_lock_of_another_program(
    locked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **options: connect(*words, timeout=0.01, **options))
    assert main(["campaign", str(locked)]) == 2
    assert capsys.readouterr().err.endswith("another program has locked it\n")


def test_a_report_needs_no_permission_to_write(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a whole journal; a file that was never a journal, or is none yet, does not become one by being asked for."""
    mode = path.parent.stat().st_mode
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        names = set(path.parent.iterdir())
        assert main(["campaign", str(path), "--report", "--json"]) in (1, 2)  # 2: its replay files cannot be written
        assert set(path.parent.iterdir()) in (names, names | {path.with_name("journal.replays")})
        assert "attempt to write" not in capsys.readouterr().err
    finally:
        path.parent.chmod(mode)


def test_a_kill_at_any_moment_leaves_a_journal(tmp_path: Path) -> None:
    """Or nothing: it appears whole."""
    path = tmp_path / "journal"
    for seconds in (0.2, 0.4, 0.6, 0.8, 1.2):
        command = [sys.executable, "-m", "emulator", "campaign", str(path), *ARGUMENTS, *SIZE]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(seconds)
            running.send_signal(signal.SIGKILL)
            assert running.stderr
            assert b"pvperf: " not in running.stderr.read()
    assert main(["campaign", str(path), *ARGUMENTS, *SIZE]) == 1


def test_a_killed_campaign_whose_log_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What SQLite had not put into the file yet is lost with it, and is done again."""
    path = tmp_path / "journal"
    assert main(["campaign", str(path), *ARGUMENTS, *SIZE]) == 1
    content = path.read_bytes()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE block SET ns = ns + 1")  # in the log alone, as long as this is open
        copy = tmp_path / "copy"
        copy.write_bytes(content)
        log = bytearray(path.with_name("journal-wal").read_bytes())
        log[100] ^= 1
        copy.with_name("copy-wal").write_bytes(log)
    capsys.readouterr()
    assert main(["campaign", str(copy)]) == 1
    assert capsys.readouterr().err == ""
