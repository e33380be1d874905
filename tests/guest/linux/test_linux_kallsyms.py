# SPDX-License-Identifier: GPL-2.0-only
"""The names in a kernel, from tables that are laid out as scripts/kallsyms.c does it, before 6.4 and since."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from tiny_kernel import VERSION, bzimage, vmlinux

from emulator.guest.linux.kallsyms import functions, kernel_symbols

BASE = 0xFFFF_FFFF_8100_0000
COUNT = 1500
LONG = "a_name_of_more_tokens_than_a_byte_of_length_can_say_" * 4
#: A token that stands for more than a letter, and is used wherever it can be.
PAIR = "sched_"
TOKENS = [chr(code) if 32 < code < 127 else f"token{code}" for code in range(256)]
TOKENS[1] = PAIR


def symbols(*, per_cpu: bool) -> list[tuple[int, str]]:
    """Addresses, and names with their types in front."""
    named = [(BASE + 16 * index, ("T", "t", "D", "W")[index % 4] + f"{PAIR}{index}") for index in range(COUNT)]
    named[700] = (named[700][0], "T" + LONG)
    return [(0x40 * index, f"A__cpu_{index}") for index in range(per_cpu * 5)] + named


def packed(name: str) -> bytes:
    body = b"".join(b"\x01" if part == PAIR else part.encode() for part in name.partition(PAIR))
    length = len(body)
    return (bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])) + body


def aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def table(named: list[tuple[int, str]], *, per_cpu: bool, later: bool, sequences: bool) -> bytes:
    """As it lies in .rodata."""
    signed = [address if address < BASE else BASE - 1 - address for address, _ in named] if per_cpu else []
    offsets = signed or [address - BASE for address, _ in named]
    first = aligned(struct.pack(f"<{len(offsets)}i", *offsets)) + struct.pack("<Q", BASE)
    names = [packed(name) for _, name in named]
    markers = [sum(map(len, names[:at])) for at in range(0, len(names), 256)]
    ret = b"" if later else first
    ret += (
        struct.pack("<Q", len(names)) + aligned(b"".join(names)) + aligned(struct.pack(f"<{len(markers)}I", *markers))
    )
    ret += aligned(random.Random(1).randbytes(3 * len(names))) if sequences else b""
    strings = b"".join(token.encode() + b"\0" for token in TOKENS)
    index = [sum(len(token) + 1 for token in TOKENS[:at]) for at in range(256)]
    ret += aligned(strings) + aligned(struct.pack("<256H", *index))
    return ret + (first if later else b"")


@pytest.mark.parametrize("per_cpu", [False, True])
@pytest.mark.parametrize(("later", "sequences"), [(False, False), (False, True), (True, False)])
def test_functions_have_their_names(per_cpu: bool, later: bool, sequences: bool) -> None:
    """Wherever the table lies; what is none, and looks like one for a while, is passed over."""
    named = symbols(per_cpu=per_cpu)
    before = random.Random(2).randbytes(4096) + struct.pack("<Q", 1001) + b"\x05" * 4000 + b"0\x001\x002\x00"
    data = aligned(before) + table(named, per_cpu=per_cpu, later=later, sequences=sequences) + bytes(64)
    wanted = [(address, name[1:]) for address, name in named if name[0] in "TtW"]
    assert list(functions(memoryview(data))) == wanted


def test_a_kernel_without_names_has_none(tmp_path: Path) -> None:
    for data in (b"", bytes(4096), random.Random(3).randbytes(1 << 16), b"".join(b"%d\0" % n for n in range(10))):
        assert list(functions(memoryview(data))) == []
    whole = table(symbols(per_cpu=False), per_cpu=False, later=False, sequences=False)
    for size in range(0, len(whole), 997):
        assert list(functions(memoryview(whole[:size]))) == []


def test_symbols_of_a_file(tmp_path: Path) -> None:
    """Each reaches up to the next one, and of several at an address the first is taken."""
    named = symbols(per_cpu=False)
    named[4] = (named[3][0], "Talias")
    text = table(named, per_cpu=False, later=False, sequences=False)
    for name, make in (("vmlinux", vmlinux), ("vmlinuz", bzimage)):
        path = tmp_path / name
        path.write_bytes(make(aligned(bytes(120)) + text + VERSION))  # type: ignore[operator]
        found = kernel_symbols(str(path))
        assert found is not None
        symbol = found.find(BASE + 16 * 5 + 3)
        assert symbol is not None
        assert (symbol.name, symbol.address, symbol.end) == ("sched_5", BASE + 16 * 5, BASE + 16 * 7)
        alias = found.find(named[3][0])
        assert alias is not None
        assert alias.name == "sched_3"
    (tmp_path / "text").write_text("no kernel")
    assert kernel_symbols(str(tmp_path / "text")) is None
