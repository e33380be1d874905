# SPDX-License-Identifier: GPL-2.0-only
"""The names of a kernel's functions, from the table that it carries for itself (scripts/kallsyms.c of 6.1, and later).

A distribution's kernel has no ELF symbols, and Debian's System.map is not in its package. The table has no address that
is known from outside: it is found by what its parts look like. In 6.1 there are, in this order, offsets, their base,
how many names there are, the names, markers, tokens, and indexes of tokens; since 6.4 the first two stand behind.

A name is a number of tokens, each the index of a string; its first letter is the symbol's type, as nm has it. A marker
is where each 256th name begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from emulator.guest.linux.kernel import read_linux, unpacked
from emulator.guest.symbols import Symbol, SymbolTable

_DIGITS = b"".join(b"%d\0" % digit for digit in range(10))
_FIRST_DIGIT, _TOKENS = ord("0"), 256
_STRIDE = 256
_LEAST_NAMES, _MOST_NAMES = 1000, 1 << 21
_MOST_BYTES = 32 << 20  # of all in front of the tokens
_CODE = "TtWw"


def functions(data: memoryview) -> Iterator[tuple[int, str]]:
    """Address and name of each function in a vmlinux; nothing if it has no such table."""
    found = _find_tokens(data)
    if found is None:
        return
    table, tokens, behind = found
    names_at, count = _find_names(data, table)
    addresses = _addresses(data, names_at - 8, count, behind)
    for address, name in zip(addresses, _names(data, names_at, count, tokens), strict=False):
        if name[0] in _CODE:
            yield address, name[1:]


def _aligned(at: int) -> int:
    return at + 7 & -8


def _find_tokens(data: memoryview) -> tuple[int, list[str], int] | None:
    """Where the table of tokens begins, the tokens, and what is behind their indexes."""
    whole = bytes(data)
    digits = whole.find(_DIGITS)
    while digits >= 0:
        end = digits
        for _ in range(_TOKENS - _FIRST_DIGIT):
            end = whole.find(b"\0", end) + 1
        index_at = _aligned(end)
        index = struct.unpack_from(f"<{_TOKENS}H", whole.ljust(index_at + 2 * _TOKENS, b"\0"), index_at)
        table = digits - index[_FIRST_DIGIT]
        if index[0] == 0 and all(low < high for low, high in pairwise(index)):
            tokens = [whole[table + at : whole.index(b"\0", table + at)].decode("ascii", "replace") for at in index]
            return table, tokens, index_at + 2 * _TOKENS
        digits = whole.find(_DIGITS, digits + 1)
    return None


def _find_names(data: memoryview, table: int) -> tuple[int, int]:
    """Where they begin, and how many there are, which stands in front of them; behind them there are the markers."""
    begin = max(table - _MOST_BYTES, 0) & -8
    for index, count in enumerate(data[begin : table & -8].cast("Q")):
        if _LEAST_NAMES <= count <= _MOST_NAMES:
            at = begin + 8 * (index + 1)
            second = _walk(data, at, table, _STRIDE)
            if second and (end := _walk(data, second, table, count - _STRIDE)):
                markers = _aligned(end)
                if struct.unpack_from("<II", data, markers) == (0, second - at):
                    return at, count
    return 0, 0


def _length(data: memoryview, at: int) -> tuple[int, int]:
    """Of the name there, in tokens, and where these begin: two bytes if it is a long one."""
    low = data[at]
    return (low & 0x7F | data[at + 1] << 7, at + 2) if low & 0x80 else (low, at + 1)


def _walk(data: memoryview, at: int, end: int, names: int) -> int:
    """Where that many names end; 0 if these are none."""
    for _ in range(names):
        length, begin = _length(data, at)
        at = begin + length
        if not length or at >= end:
            return 0
    return at


def _names(data: memoryview, at: int, count: int, tokens: list[str]) -> Iterator[str]:
    for _ in range(count):
        length, begin = _length(data, at)
        at = begin + length
        yield "".join(tokens[token] for token in data[begin:at])


def _addresses(data: memoryview, count_at: int, count: int, behind: int) -> list[int]:
    """In front of the number of names, or behind all of it. What is not negative is absolute, of variables of each CPU,
    in a kernel that has such; else all are counted from the base.
    """
    before, later = _aligned(count_at - 8 - 4 * count - 7), _aligned(behind)
    for at, base_at in ((before, count_at - 8), (later, _aligned(later + 4 * count))):
        base = int.from_bytes(data[base_at : base_at + 8], "little")
        if base >> 31 == (1 << 33) - 1:
            offsets = struct.unpack_from(f"<{count}i", data, at)
            relative = any(offset < 0 for offset in offsets)
            return [(base - 1 - offset if offset < 0 else offset) if relative else base + offset for offset in offsets]
    return []


def kernel_symbols(path: str) -> SymbolTable | None:
    """Of the functions of the Linux kernel in that file, none if it carries no names; None if it is something else."""
    if read_linux(path, name=path) is None:
        return None
    found: dict[int, str] = {}
    for address, name in functions(unpacked(path)):
        found.setdefault(address, name)
    symbols = [Symbol(low, high, found[low]) for low, high in pairwise([*sorted(found), 1 << 64])]
    return SymbolTable(symbols)
