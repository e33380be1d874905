# SPDX-License-Identifier: GPL-2.0-only
"""Symbols and source lines of a guest's file: what binutils say of it, and of a damaged one a sentence or nothing."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_guest import guest, leave

from emulator.errors import UsageError
from emulator.guest.build import find_compiler
from emulator.guest.bundled import find_guest
from emulator.guest.lines import line_of
from emulator.guest.symbols import read_symbols

#: Functions in sections of their own, so that the unit has ranges; a line that is none of the source's.
SOURCE = """
#define SECTION(name) __attribute__((noinline, section(name)))
SECTION(".text.a") int one(int x) { return x * 3; }
SECTION(".text.b") int two(int x)
{
	for (int i = 0; i < x; i++)
		x ^= one(i);
	return x;
}
# 100 "elsewhere/generated.y"
int three(int x) { return two(x) + 1; }
void _start(void)
{
	for (;;)
		three(4);
}
"""


def build(folder: Path, *flags: str) -> Path:
    """A guest from two files: SOURCE, and one of no debug information."""
    (folder / "some.c").write_text(SOURCE)
    (folder / "bare.S").write_text(".text\n.globl bare\n.type bare,@function\nbare: nop\n ret\n.size bare,.-bare\n")
    command = [*find_compiler(None), "-nostdlib", "-static", "-no-pie", "-ffreestanding", "-Wl,-Ttext=0x200000"]
    subprocess.run([*command, *flags, "some.c", "bare.S", "-o", "guest.elf"], cwd=folder, check=True, timeout=300)
    return folder / "guest.elf"


def addr2line(path: Path, addresses: list[int]) -> list[str]:
    command = ["addr2line", "--basenames", "-e", str(path), *map(hex, addresses)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    found = [line.split()[0] for line in said]
    return ["" if line.startswith("??") or line.rpartition(":")[2] in ("0", "?") else line for line in found]


def addresses_of(path: Path, step: int) -> list[int]:
    symbols = read_symbols(str(path))[0].symbols
    return [at for symbol in symbols for at in range(symbol.address, min(symbol.end, symbol.address + 99), 7)][::step]


needs_addr2line = pytest.mark.skipif(not shutil.which("addr2line"), reason="addr2line is not installed")


@needs_addr2line
@pytest.mark.parametrize("flags", [["-gdwarf-4"], ["-gdwarf-5"], ["-gdwarf-5", "-O2"], ["-gdwarf-4", "-gz"], ["-g0"]])
def test_lines_are_those_of_addr2line(tmp_path: Path, flags: list[str]) -> None:
    path = build(tmp_path, *flags)
    addresses = [*addresses_of(path, 1), 0, 0x1FFFFF, 1 << 63]
    assert len(addresses) > 10
    lines = [line_of(path, address) for address in addresses]
    assert lines == addr2line(path, addresses)
    assert any(line.startswith("generated.y:") for line in lines) == (flags != ["-g0"])


@needs_addr2line
@pytest.mark.parametrize("name", ["hello", "user"])
def test_lines_of_a_bundled_guest(name: str) -> None:
    path = find_guest(name)
    addresses = addresses_of(path, 40)
    assert [line_of(path, address) for address in addresses] == addr2line(path, addresses)


def test_symbols_of_what_has_none(tmp_path: Path) -> None:
    path = guest(tmp_path, leave(0))
    assert (read_symbols(str(path))[0].symbols, line_of(path, 0x10000)) == ([], "")
    assert line_of(tmp_path / "none", 0) == ""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(tmp_path_factory.mktemp("sound"), "-g").read_bytes()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a damaged file is written."""
    return tmp_path_factory.mktemp("damaged") / "guest.elf"


def look_at(path: Path, data: bytes) -> None:
    """A sentence, or symbols in order; a line, or none."""
    path.write_bytes(data)
    with contextlib.suppress(UsageError):  # and nothing else
        table, _ = read_symbols(str(path))
        assert [symbol.address for symbol in table.symbols] == sorted({symbol.address for symbol in table.symbols})
    assert "\n" not in line_of(path, 0x200005)


@settings(max_examples=100, deadline=None)
@given(
    cut=st.integers(0, 1 << 13),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=30),
)
@example(cut=0, changes=[])
def test_damage_gives_a_sentence(sound: bytes, damaged: Path, cut: int, changes: list[tuple[float, int]]) -> None:
    data = bytearray(sound)
    for place, value in changes:
        data[int(place * len(data))] = value
    look_at(damaged, bytes(data[: len(data) - cut]))


@pytest.mark.parametrize("field", [4, 8, 16, 24, 32, 40, 44, 48, 56])
@pytest.mark.parametrize("value", [0, 1, 8, (1 << 31) - 1, (1 << 32) - 1, 1 << 40, (1 << 64) - 1])
def test_each_field_of_each_section_may_lie(sound: bytes, damaged: Path, field: int, value: int) -> None:
    """Its kind, flags, place, size, ...: of all sections at once, which asks for the most memory, and of each."""
    table, number = int.from_bytes(sound[0x28:0x30], "little"), int.from_bytes(sound[0x3C:0x3E], "little")
    width = 4 if field in (4, 40, 44) else 8
    entry = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    for sections in (range(number), *((one,) for one in range(number))):
        data = bytearray(sound)
        for section in sections:
            at = table + section * 64 + field
            data[at : at + width] = entry
        look_at(damaged, bytes(data))


@pytest.mark.parametrize("command", [["run"], ["stat"], ["stat", "-d", "-I", "100"], ["record", "-o", "x.data"]])
def test_what_boots_does_not_load_it(tmp_path: Path, command: list[str]) -> None:
    """pyelftools takes longer to load than a small guest to run."""
    program = "import sys; from emulator.cli import main\nmain(sys.argv[1:])\nprint(*sys.modules)"
    arguments = [sys.executable, "-c", program, *command, "-q", "hello"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert "emulator.vm.machine" in done.stdout
    assert "elftools" not in done.stdout


def test_without_pyelftools(tmp_path: Path) -> None:
    """A crash is told, without its place; what needs symbols says what is missing."""
    (tmp_path / "elftools.py").write_text("raise ImportError('broken', name='elftools')")
    (tmp_path / "crash.c").write_text(
        '#include "guest.h"\nint guest_main(void) { *(volatile char *)(1ull << 63) = 0; }\n'
    )
    program = "import sys; sys.path.insert(0, '.')\nfrom emulator.cli import main\nsys.exit(main(sys.argv[1:]))"

    def pvperf(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-P", "-c", program, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stderr

    assert pvperf("guests", "build", "crash.c", "-o", "crash.elf")[0] == 0
    assert pvperf("run", "crash.elf") == (70, "")
    assert pvperf("record", "-q", "-c", "1000", "hello") == (0, "")
    status, said = pvperf("report")
    assert (status, "pip install pyelftools" in said, "Traceback" in said) == (126, True, False)
