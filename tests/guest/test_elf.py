# SPDX-License-Identifier: GPL-2.0-only
"""The loader takes what can be booted, and refuses the rest in one sentence."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_guest import CODE_GPA, Elf, Load

from emulator.errors import UsageError
from emulator.guest import elf
from emulator.guest.bundled import BUNDLED, find_guest

RAM = 1 << 20


def read(path: Path, ram_bytes: int = RAM) -> elf.Image:
    fd = elf.open_guest(path)
    try:
        return elf.read_image(fd, name=path.name, ram_bytes=ram_bytes)
    finally:
        os.close(fd)


def read_bytes(data: bytes, ram_bytes: int = RAM) -> elf.Image:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return elf.read_image(file.fileno(), name="guest", ram_bytes=ram_bytes)


def test_segments_and_entry_are_read() -> None:
    loads = (Load(gpa=0x30000, data=b"data", memory_bytes=0x2000, flags=6), Load(), Load(kind=4, gpa=1 << 50))
    image = read_bytes(Elf(loads=loads).image())
    assert image.entry == CODE_GPA
    assert [(s.gpa, s.file_bytes, s.memory_bytes, s.executable) for s in image.segments] == [
        (CODE_GPA, 7, 7, True),
        (0x30000, 4, 0x2000, False),
    ]
    assert image.end == 0x32000


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_bundled_guests_read_as_pyelftools_does(name: str) -> None:
    path = find_guest(name)
    image = read(path, 64 << 20)
    with path.open("rb") as file:
        reference = ELFFile(file)
        loads = [s.header for s in reference.iter_segments("PT_LOAD") if s.header.p_memsz]
        assert image.entry == reference.header.e_entry
    assert [(s.gpa, s.offset, s.file_bytes, s.memory_bytes) for s in image.segments] == sorted(
        (h.p_vaddr, h.p_offset, h.p_filesz, h.p_memsz) for h in loads
    )


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_bundled_guests_cut_short_are_refused(name: str) -> None:
    data = find_guest(name).read_bytes()
    needed = max(s.offset + s.file_bytes for s in read_bytes(data, 64 << 20).segments)
    for size in (0, 3, 4, 17, 63, 64, 100, needed // 2, needed - 1):
        with pytest.raises(UsageError):
            read_bytes(data[:size], 64 << 20)


GOOD = Elf()
CODE = Load()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (replace(GOOD, elf_class=1), "is not a 64-bit ELF file"),
        (replace(GOOD, byte_order=2), "is not built for x86-64"),
        (replace(GOOD, machine=183), "is not built for x86-64"),
        (replace(GOOD, ident_version=9), "has an unknown ELF version"),
        (replace(GOOD, version=0), "has an unknown ELF version"),
        (replace(GOOD, kind=3), "link it with -static -no-pie"),
        (replace(GOOD, kind=1), "is an object file"),
        (replace(GOOD, kind=4), "is not an executable"),
        (replace(GOOD, entries=0), "nothing to load"),
        (replace(GOOD, entry_bytes=32), "program headers of 32 bytes"),
        (replace(GOOD, entries=9), "program headers lie beyond the end"),
        (replace(GOOD, table=(1 << 64) - 8), "program headers lie beyond the end"),
        (replace(GOOD, loads=(replace(CODE, kind=3), CODE)), "is dynamically linked"),
        (replace(GOOD, loads=(replace(CODE, kind=4),)), "has no loadable segment"),
        (replace(GOOD, loads=(replace(CODE, memory_bytes=0, file_bytes=0),)), "has no loadable segment"),
        (replace(GOOD, loads=(replace(CODE, memory_bytes=1),)), "more bytes in the file than in memory"),
        (replace(GOOD, loads=(replace(CODE, offset=1 << 40),)), "lies beyond the end of the file"),
        (replace(GOOD, loads=(replace(CODE, offset=(1 << 64) - 1),)), "lies beyond the end of the file"),
        (replace(GOOD, loads=(replace(CODE, memory_bytes=RAM - CODE_GPA + 1),)), "lies outside RAM"),
        (replace(GOOD, loads=(CODE, replace(CODE, gpa=0xFFFFFFFF80000000))), "lies outside RAM"),
        (replace(GOOD, loads=(replace(CODE, gpa=(1 << 64) - 2),)), "lies outside RAM"),
        (replace(GOOD, loads=(CODE, replace(CODE, gpa=CODE_GPA + 6))), "overlap"),
        (replace(GOOD, loads=(CODE, CODE)), "overlap"),
        (replace(GOOD, entry=1), "outside every executable segment"),
        (replace(GOOD, entry=0, loads=(replace(CODE, gpa=0),)), "has its entry at address 0"),
        (replace(GOOD, entry=CODE_GPA + 7), "outside every executable segment"),
        (replace(GOOD, loads=(replace(CODE, flags=6),)), "outside every executable segment"),
    ],
)
def test_each_defect_has_its_sentence(bad: Elf, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_bytes(bad.image())


def test_the_limits_themselves_are_fine() -> None:
    read_bytes(replace(GOOD, loads=(replace(CODE, memory_bytes=RAM - CODE_GPA),)).image())
    read_bytes(replace(GOOD, loads=(CODE, replace(CODE, gpa=CODE_GPA + 7))).image())
    read_bytes(replace(GOOD, entry=CODE_GPA + 6).image())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is not an ELF file: pvperf guests build makes one"),
        (b"\x7fEL", "is not an ELF file"),
        (bytes(4096), "is not an ELF file"),
        (b"#!/bin/sh\n", "is a script of this system"),
        (b"!<arch>\n", "is an archive of object files"),
    ],
)
def test_what_is_no_elf_is_called_so(data: bytes, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_bytes(data)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["-c"], "is an object file, and no guest yet: build its source with pvperf guests build, or link it"),
        (["-pie"], "is position-independent or shared, as this system's own programs are: build its source"),
        (["-no-pie"], "is dynamically linked, as this system's own programs are: build its source"),
        (["-static", "-no-pie"], "is a program for Linux, by its ABI note, and a guest has no system below it: build"),
    ],
)
def test_what_a_compiler_makes_unasked(options: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", *options, "-o", tmp_path / "main", tmp_path / "main.c"], check=True, timeout=300)
    with pytest.raises(UsageError, match=sentence):
        read(tmp_path / "main", 64 << 20)


def test_notes_that_are_not_whole_are_none() -> None:
    """Nor is an offset beyond what a file can have an error of Python's."""
    note = replace(CODE, kind=4, offset=(1 << 64) - 1)
    assert len(read_bytes(replace(GOOD, loads=(CODE, note)).image()).segments) == 1


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "secret").touch(mode=0)
    for name, sentence in (("none", "No such file"), (".", "not a regular file"), ("fifo", "not a regular file")):
        with pytest.raises(UsageError, match=sentence):
            elf.open_guest(tmp_path / name)
    with pytest.raises(UsageError, match="null"):
        elf.open_guest("a\0b")
    if os.geteuid() != 0:
        with pytest.raises(UsageError, match="Permission denied"):
            elf.open_guest(tmp_path / "secret")


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UsageError):
        elf.open_guest(tmp_path)
    assert os.listdir("/proc/self/fd") == before


SAMPLE = Elf(loads=(Load(), Load(gpa=0x20000, data=bytes(64), memory_bytes=0x1000, flags=6))).image()


@settings(max_examples=400, deadline=None)
@given(
    length=st.integers(0, len(SAMPLE)),
    changes=st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=8),
)
@example(length=len(SAMPLE), changes=[])
def test_damage_gives_a_sentence_or_a_sound_image(length: int, changes: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLE)
    for at, value in changes:
        data[at] = value
    del data[length:]
    try:
        image = read_bytes(bytes(data))
    except UsageError:
        return
    assert any(s.gpa <= image.entry < s.end for s in image.segments)
    for segment in image.segments:
        assert 0 <= segment.file_bytes <= segment.memory_bytes
        assert segment.offset + segment.file_bytes <= len(data)
        assert segment.end <= RAM
