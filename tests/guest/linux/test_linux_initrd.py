# SPDX-License-Identifier: GPL-2.0-only
"""First file systems: archives that are written, and files that are given."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from emulator.debian.adding import added
from emulator.errors import UsageError
from emulator.guest.linux import cpio, initrd

ENTRIES = [
    cpio.directory("dev"),
    cpio.file("init", b"#!/bin/sh\necho\n", 0o755),
    cpio.file("usr/lib/deep/file", b"12345"),
    cpio.link("bin", "usr/bin"),
    cpio.file("empty", b""),
]
ARCHIVE = cpio.archive(ENTRIES)


def test_an_archive_is_the_same_each_time_and_whole() -> None:
    assert cpio.archive(ENTRIES) == ARCHIVE
    assert cpio.is_archive(ARCHIVE)
    assert cpio.is_whole(memoryview(ARCHIVE))
    assert cpio.is_whole(memoryview(ARCHIVE + bytes(512)))
    assert len(ARCHIVE) % 4 == 0


def test_no_part_of_an_archive_is_a_whole_one() -> None:
    for size in range(0, len(ARCHIVE) - 120):
        assert not cpio.is_whole(memoryview(ARCHIVE)[:size])


def test_cpio_reads_it(tmp_path: Path) -> None:
    if not shutil.which("cpio"):
        pytest.skip("cpio is not there")
    subprocess.run(["cpio", "-id", "--quiet"], input=ARCHIVE, cwd=tmp_path, check=True)
    assert (tmp_path / "init").read_bytes() == b"#!/bin/sh\necho\n"
    assert stat.S_IMODE((tmp_path / "init").stat().st_mode) == 0o755
    assert (tmp_path / "usr/lib/deep/file").read_bytes() == b"12345"
    assert os.readlink(tmp_path / "bin") == "usr/bin"
    assert (tmp_path / "dev").is_dir()
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_device_has_its_numbers() -> None:
    data = cpio.archive([cpio.Entry("console", stat.S_IFCHR | 0o600, device=(5, 1))])
    assert data[78:94] == b"0000000500000001"  # rdevmajor, rdevminor


WRONG = {
    "empty": (b"", "is empty"),
    "text": (b"something else", "is no cpio archive in the newc format, plain or packed"),
    "old cpio": (b"\xc7\x71" + bytes(100), "is no cpio archive in the newc format"),
    "odc": (b"070707" + bytes(100), "is no cpio archive in the newc format"),
    "cut": (ARCHIVE[:300], "is truncated: its cpio archive has no end"),
    "not hexadecimal": (ARCHIVE[:54] + b"zz" + ARCHIVE[56:], "is truncated"),
    "packed text": (gzip.compress(b"something else"), "is packed by gzip, and what is packed is no cpio archive"),
    "packed nothing": (bz2.compress(b""), "is packed by bzip2, and what is packed is no cpio archive"),
    "damaged": (b"\x1f\x8b" + bytes(50), "is damaged: its gzip data cannot be unpacked"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_initrd(name: str, tmp_path: Path) -> None:
    data, said = WRONG[name]
    path = tmp_path / "initrd"
    path.write_bytes(data)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UsageError) as raised:
        initrd.open_initrd(path)
    assert str(raised.value).startswith(f"initrd '{path}' {said}")
    assert os.listdir("/proc/self/fd") == before


def test_an_initrd_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot open initrd .*: No such file"):
        initrd.open_initrd(tmp_path / "none")
    with pytest.raises(UsageError, match="is not a regular file"):
        initrd.open_initrd(tmp_path)


def test_several_are_one_behind_the_other(tmp_path: Path) -> None:
    """Each begins at a multiple of 4, where the kernel looks for the next one."""
    first, second = gzip.compress(ARCHIVE) + b"\0", cpio.archive([cpio.file("b", b"2")])
    first += b"\0" * (1 - len(first) % 4 + 4)  # of a length that is none
    assert len(first) % 4
    fds = []
    for name, data in (("a", first), ("b", second)):
        (tmp_path / name).write_bytes(data)
        fds.append(initrd.open_initrd(tmp_path / name))
    try:
        size = initrd.whole_size(fds)
        memory = bytearray(b"\xff" * size)
        initrd.read_into(memoryview(memory), fds)
    finally:
        for fd in fds:
            os.close(fd)
    at = len(first) + -len(first) % 4
    assert size == at + len(second)
    assert bytes(memory[: len(first)]) == first
    assert bytes(memory[at:]) == second


def test_files_of_this_system_can_be_added(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "file").write_bytes(b"1")
    (tmp_path / "folder" / "link").symlink_to("inner/file")
    program = tmp_path / "program"
    program.write_bytes(b"2")
    program.chmod(0o751)
    (tmp_path / "named").symlink_to("program")
    data = added([str(tmp_path / "folder") + "/", str(program), str(tmp_path / "named")], below="root")
    wanted = [
        cpio.Entry("root/folder", stat.S_IFDIR | stat.S_IMODE((tmp_path / "folder").stat().st_mode)),
        cpio.Entry("root/folder/inner", (tmp_path / "folder" / "inner").stat().st_mode),
        cpio.Entry("root/folder/inner/file", (tmp_path / "folder" / "inner" / "file").stat().st_mode, b"1"),
        cpio.link("root/folder/link", "inner/file"),
        cpio.file("root/program", b"2", 0o751),
        cpio.file("root/named", b"2", 0o751),
    ]
    assert data == cpio.archive(wanted)


@pytest.mark.parametrize(
    ("name", "said"),
    [("none", "cannot add .*: No such file"), ("pipe", "is neither a file nor a directory"), ("a\0", "null")],
)
def test_what_cannot_be_added(name: str, said: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=said):
        added([str(tmp_path / name)], below="root")
