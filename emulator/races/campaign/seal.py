# SPDX-License-Identifier: GPL-2.0-only
"""The tables of a journal, and whether it is still what was written: every row has a seal, a digest of what it says
and of the plan that it belongs to. A row that somebody has edited, or that a disk has damaged, is found and named.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emulator.errors import UsageError

APPLICATION = 0x70766331  # "pvc1"
VERSION = 2  # of the tables; those of 0 had no seals
_PLACE = "design TEXT, nmi TEXT, sync TEXT, scenario TEXT"
_CASE = (
    "signature TEXT, case_oracle TEXT, case_text TEXT, operations_met TEXT, length INT, preemptions INT, replays INT, "
    "replay TEXT"
)
#: Columns that name a row, for people.
_NAMED = ("design", "nmi", "sync", "scenario", "name", "first", "number")
_TABLES = {
    "plan": ("name TEXT, value TEXT", "name"),
    "block": (
        f"{_PLACE}, first INT, count INT, schedules INT, steps INT, nmis INT, nmi_misses INT, contended INT, "
        "disagreed INT, digest TEXT, ns INT, ended REAL, failed INT",
        "design, nmi, sync, scenario, first",
    ),
    "failure": (f"{_PLACE}, number INT, oracle TEXT, text TEXT", "design, nmi, sync, scenario, number"),
    "canary": ("design TEXT, nmi TEXT, sync TEXT, name TEXT, schedules INT, found INT", "design, nmi, sync, name"),
    "shrunk": (f"{_PLACE}, number INT, {_CASE}", "design, nmi, sync, scenario, number"),
    "vm": (
        f"{_PLACE}, number INT, rounds INT, operations INT, overflows INT, nmi_misses INT, oracle TEXT, text TEXT, "
        f"seconds REAL, ended REAL, {_CASE}",
        "design, nmi, sync, scenario, number",
    ),
}
_SCHEMA = [
    f"CREATE TABLE {name} ({columns}, seal TEXT, PRIMARY KEY ({key}))" for name, (columns, key) in _TABLES.items()
]
#: Of a plan, what every row is a function of.
_FIXED = ("seed", "schedules", "twice", "races", "smp")
_HEADER = b"SQLite format 3\0"
_PAGE = 4096  # bytes, the first of which are SQLite's header, and the others the text of the tables
_MARK_AT = 68  # in the header, where the application's mark is
#: Failures whose block tells of another number of them.
_UNTOLD = """
SELECT design, nmi, sync, scenario, first FROM block WHERE failed != (SELECT count(*) FROM failure WHERE
failure.design = block.design AND failure.nmi = block.nmi AND failure.sync = block.sync AND
failure.scenario = block.scenario AND number >= first AND number < first + count)"""


def create(path: Path) -> None:
    """Makes the tables in a new file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        tables = ";".join(_SCHEMA)
        marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}"
        database.execute(f"PRAGMA page_size = {_PAGE}")
        database.executescript(f"BEGIN; {tables}; {marks}; COMMIT; PRAGMA journal_mode = WAL;")


def salt_of(plan: dict[str, Any], code: str) -> str:
    """What tells the rows of one campaign from those of another."""
    return json.dumps([code, *(plan[name] for name in _FIXED)])


def seal(salt: str, table: str, values: Sequence[Any]) -> str:
    """Sixteen hexadecimal digits for what a row says."""
    plain = [int(value) if isinstance(value, bool) else value for value in values]
    return hashlib.sha256(json.dumps([salt, table, *plain]).encode()).hexdigest()[:16]


def check_file(path: Path) -> None:
    """UsageError for what is no journal, before SQLite sees it; nothing is written."""
    try:
        with path.open("rb") as file:
            page, size = file.read(_PAGE), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if not page:
        raise UsageError(f"{path} is empty: it is no journal, or nothing is left of one; another name begins another")
    mark = APPLICATION.to_bytes(4, "big")
    ours = page[_MARK_AT : _MARK_AT + 4] == mark or any(table.encode() in page for table in _SCHEMA)
    if not ours and not _HEADER.startswith(page[: len(_HEADER)]):
        raise UsageError(f"{path} is no journal of pvperf campaign")
    if len(page) < _PAGE and (ours or len(page) < _MARK_AT + len(mark)):
        raise damaged(path, f"of it are left {len(page)} bytes")
    if not ours:
        raise UsageError(f"{path} is no journal of pvperf campaign")
    if not page.startswith(_HEADER) or page[_MARK_AT : _MARK_AT + 4] != mark:
        raise damaged(path, "it does not begin as a journal does")
    if size % _PAGE and not path.with_name(path.name + "-wal").exists():  # which would have the page that was cut
        raise damaged(path, "its last page is cut")


def damaged(path: Path, why: str) -> UsageError:
    """The error for a journal that is not what was written."""
    return UsageError(f"{path} is damaged, and nothing of it is believed: {why}")


def locked(error: sqlite3.Error) -> str:
    """A sentence, if it is that."""
    taken = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return "another program has locked it" if taken else ""


def check_content(path: Path, database: sqlite3.Connection) -> None:
    """UsageError unless every row is what was written, and none is missing that another one tells of."""
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise UsageError(f"{path} is a journal of version {version}, and this pvperf has {VERSION}: begin another")
        (sound,) = database.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            raise damaged(path, f"SQLite says: {' '.join(sound.split())}")
        why = _strange_tables(database) or _strange_row(database) or _missing_row(database)
    except sqlite3.OperationalError as error:
        if why := locked(error):
            raise UsageError(f"cannot read {path}: {why}") from None
        raise damaged(path, str(error)) from None
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from None
    except UnicodeDecodeError:  # of sqlite3, for which what SQLite says of such tables is no text
        raise damaged(path, "the names of its tables are no text") from None
    if why:
        raise damaged(path, why)


def _strange_tables(database: sqlite3.Connection) -> str:
    found = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
    return "" if found == _SCHEMA else "its tables are not those of a journal"


def _strange_row(database: sqlite3.Connection) -> str:
    """The first row whose seal is not its own."""
    salt = ""  # the plan, which comes first, has none
    for table in _TABLES:
        names = [column[1] for column in database.execute(f"PRAGMA table_info({table})")]
        for row in database.execute(f"SELECT * FROM {table}"):
            if not salt and table != "plan":
                return f"its table {table} has rows, and the plan that they belong to is gone"
            if any(isinstance(value, bytes) for value in row) or seal(salt, table, row[:-1]) != row[-1]:
                return f"the row of {_name(names, row)} in its table {table} is not what was written"
        if table == "plan":
            kept = {name: json.loads(value) for name, value, _ in database.execute("SELECT * FROM plan")}
            if kept and set(kept) != {"plan", "code", "scenarios"}:
                return f"its plan has {', '.join(sorted(kept))} alone"
            salt = salt_of(kept["plan"], kept["code"]) if kept else ""
    return ""


def _missing_row(database: sqlite3.Connection) -> str:
    """Failures are told of by their block."""
    if row := database.execute(_UNTOLD).fetchone():
        return f"the block of {_name((*_NAMED[:4], 'first'), row)} tells of another number of failures than there are"
    told, found = (
        database.execute(f"SELECT ifnull(sum({sum_of}), 0) FROM {table}").fetchone()[0]
        for sum_of, table in (("failed", "block"), ("1", "failure"))
    )
    return "" if told == found else f"there are {found} failures, and its blocks tell of {told}"


def _name(names: Sequence[str], row: Sequence[Any]) -> str:
    said = dict(zip(names, row, strict=False))
    place = "/".join(str(said[name]) for name in _NAMED[:3] if name in said)
    rest = " ".join(str(said[name]) for name in _NAMED[3:] if name in said)
    return ascii(", ".join(filter(None, (place, rest))))[1:-1]
