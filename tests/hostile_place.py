# SPDX-License-Identifier: GPL-2.0-only
"""A directory with an input of each kind, and with every kind of name that an output may have."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
from pathlib import Path

from commands import PVPERF
from tiny_guest import count_down, guest, leave

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "vcpu 0: open 1; enable 1; close 1\nvcpu 1: read 1\n"

#: Names for an output, and what has to become of a command that has one: "ok", "usage" (2) or "host" (125).
OUTPUTS = {
    "new": "ok",
    "old": "ok",
    "with space": "ok",
    "two\nlines": "ok",
    "\udcff\udcfe": "ok",
    "./-dash": "ok",
    "dir/new": "ok",
    "dangling": "ok",
    "to old": "ok",
    "/dev/null": "special",
    "/dev/stdout": "special",
    "/proc/self/fd/1": "special",
    "-": "special",
    "": "usage",
    "dir": "usage",
    "new/": "usage",
    "missing/new": "usage",
    "text/new": "usage",
    "nowhere": "usage",
    "loop": "usage",
    "socket": "usage",
    "n" * 300: "usage",
    "/dev/fd/77": "usage",
    "ro/new": "host",
    "ro/old": "host",
    "full/new": "host",
    "full/old": "host",
}
SMALL_CAMPAIGN = ("--seeds", "1", "--schedules", "10", "--nmi", "trylock", "--design", "per-vm")
INPUTS = [
    "w.elf",
    "link",
    "hard",
    "p",
    "mine.c",
    "mine.h",
    "result.json",
    "prog",
    "case",
    "journal",
    "other.db",
    "text",
]


def make_inputs(folder: Path) -> None:
    """The inputs that are made by pvperf itself, or by a compiler."""

    def pvperf(*words: str) -> None:
        done = subprocess.run([*PVPERF, *words], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1, 7), done.stderr

    guest(folder, count_down(50_000) + leave(0), "w.elf")
    (folder / "mine.h").write_text("#define LINES 1\n")
    (folder / "mine.c").write_text(f'#include "mine.h"\n{(ROOT / "examples/count.c").read_text()}')
    shutil.copy(ROOT / "docs/performance.json", folder / "result.json")
    (folder / "prog").write_text(PROGRAM)
    (folder / "text").write_text("what somebody wrote\n")
    (folder / "empty").write_text("")
    with sqlite3.connect(folder / "other.db") as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    pvperf("record", "-q", "-o", "p", "-c", "100", "w.elf")
    pvperf("explore", "close-enable", "--design", "no-refcount", "--seed", "1", "--schedules", "1000", "-o", "case")
    pvperf("campaign", "journal", "close-enable", *SMALL_CAMPAIGN)


def make_place(inputs: Path, place: Path) -> None:
    """A copy of the inputs, and the names that lead elsewhere. `ro` and `full` are mounted by mount_hostile()."""
    place.mkdir()
    for path in inputs.iterdir():
        shutil.copy(path, place)
    (place / "old").write_text("old")
    (place / "dir").mkdir()
    (place / "link").symlink_to("w.elf")
    (place / "hard").hardlink_to(place / "w.elf")
    (place / "dangling").symlink_to("dir/not there yet")
    (place / "to old").symlink_to("old")
    (place / "nowhere").symlink_to("missing/x")
    (place / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(place)
        listener.bind("socket")
    for name in ("ro", "full"):
        (place / name).symlink_to(inputs.parent / name)


def mount_hostile(folder: Path) -> None:
    """`ro`, which is read-only, and `full`, in which there is no room for a byte; both have a file `old`."""
    for name in ("ro", "full"):
        (folder / name).mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder / name], check=True)
        (folder / name / "old").write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", folder / "ro"], check=True)
    fill(folder / "full")


def fill(full: Path) -> None:
    """Nothing but `old` and what takes all the rest."""
    for path in full.iterdir():
        if path.name != "old":
            path.unlink()
    with open(full / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(512))
        except OSError:
            pass


def snapshot(*folders: Path) -> dict[str, tuple[int, str]]:
    """Mode and content of all that is there. Links are not followed."""
    found = {}
    for folder in folders:
        for root, names, files in os.walk(folder):
            for path in (Path(root, name) for name in names + files):
                mode = path.lstat().st_mode
                content = os.readlink(path) if stat.S_ISLNK(mode) else ""
                if stat.S_ISREG(mode):
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path)] = mode, content
    return found
