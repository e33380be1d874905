# SPDX-License-Identifier: GPL-2.0-only
"""The symbols of code, from an ELF file's .symtab. A guest's addresses are those that it was linked to."""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from typing import NamedTuple

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from emulator.errors import UsageError
from emulator.guest import elf

# ELF-64, System V ABI chapter 4.
_SYMBOL = struct.Struct("<IBBHQQ")
_SHF_EXECUTE = 4
_STT_NOTYPE, _STT_FUNC = 0, 2
_STB_LOCAL = 0


class Symbol(NamedTuple):
    """A name for the code from `address` up to `end`."""

    address: int
    end: int
    name: str


class _Candidate(NamedTuple):
    """A symbol as it stands in the table; of those at one address, the greatest is taken."""

    function: bool
    known: bool  # to other files
    size: int
    name: str


class SymbolTable:
    """Finds the symbol of an address."""

    def __init__(self, symbols: list[Symbol]) -> None:
        """`symbols` in the order of their addresses, none of which is there twice."""
        self.symbols = symbols
        self._addresses = [symbol.address for symbol in symbols]

    def find(self, address: int) -> Symbol | None:
        """The symbol whose code has that address."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or address >= self.symbols[index].end:
            return None
        return self.symbols[index]


def read_symbols(path: str) -> tuple[SymbolTable, bytes]:
    """The symbols of the ELF file at `path`, none without a .symtab, and its build id. UsageError if it is damaged."""
    fd = elf.open_guest(path)
    try:
        elf.read_image(fd, name=path, ram_bytes=1 << 64)
        build_id = elf.read_build_id(fd)
        with open(fd, "rb", closefd=False) as file:
            return SymbolTable(_read(ELFFile(file), os.fstat(fd).st_size)), build_id
    except UsageError:
        raise
    except Exception:  # of damaged files pyelftools raises all kinds
        raise UsageError(f"guest {path!r} is damaged: its symbols cannot be read") from None
    finally:
        os.close(fd)


def _read(file: ELFFile, size: int) -> list[Symbol]:
    header = file.header
    if not header.e_shoff or header.e_shoff + header.e_shnum * header.e_shentsize > size:
        return []
    sections = list(file.iter_sections())
    found: dict[int, _Candidate] = {}
    for section in sections:
        if section["sh_type"] == "SHT_SYMTAB":
            _collect(found, _bytes(section, size), _bytes(sections[section["sh_link"]], size), sections)
    return _arrange(found, sections)


def _bytes(section: Section, size: int) -> bytes:
    """What of it is in the file, which has `size` bytes."""
    inside = section["sh_type"] != "SHT_NOBITS" and section["sh_offset"] + section["sh_size"] <= size
    return section.data() if inside else b""


def _collect(found: dict[int, _Candidate], table: bytes, names: bytes, sections: list[Section]) -> None:
    """pyelftools would make an object of each, which takes eight times as long as all else that `report` does."""
    code = [bool(section["sh_flags"] & _SHF_EXECUTE) for section in sections]
    for name, info, _, section, value, size in _SYMBOL.iter_unpack(table[: len(table) // _SYMBOL.size * _SYMBOL.size]):
        kind, binding = info & 15, info >> 4
        if kind not in (_STT_NOTYPE, _STT_FUNC) or not 0 < section < len(sections):
            continue
        if not code[section] or name >= len(names):
            continue
        text = names[name : names.find(b"\0", name)].decode(errors="replace")
        candidate = _Candidate(kind == _STT_FUNC, binding != _STB_LOCAL, size, text)
        if text and candidate > found.get(value, _Candidate(False, False, -1, "")):
            found[value] = candidate


def _arrange(found: dict[int, _Candidate], sections: list[Section]) -> list[Symbol]:
    """What has no size reaches up to the next symbol, or to the end of its section."""
    addresses = sorted(found)
    ends = sorted(s["sh_addr"] + s["sh_size"] for s in sections if s["sh_flags"] & _SHF_EXECUTE)
    symbols = []
    for index, address in enumerate(addresses):
        candidate = found[address]
        after = addresses[index + 1] if index + 1 < len(addresses) else 1 << 64
        of_section = ends[bisect_right(ends, address)] if bisect_right(ends, address) < len(ends) else address
        end = address + candidate.size if candidate.size else min(after, of_section)
        symbols.append(Symbol(address, end, candidate.name))
    return symbols
