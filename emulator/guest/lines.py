# SPDX-License-Identifier: GPL-2.0-only
"""Source lines of addresses, from an ELF file's DWARF. Loaded when they are asked for: after a crash, or to report."""

from __future__ import annotations

import contextlib
import math
import os
import time
from bisect import bisect_right
from typing import Any, NamedTuple

from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile

# A file may say anything of itself: what is larger is not looked at, and after so long it is given up.
_MOST_BYTES = 512 << 20  # of debug information, decompressed
_MOST_PROGRAM_BYTES = 1 << 20  # of the line table of one compilation unit
_MOST_SECONDS = 5.0


def line_of(path: str | os.PathLike[str], address: int) -> str:
    """ "count.c:12"; empty if the file does not say, is damaged, or says so much that it would take too long."""
    return Lines(path, seconds=_MOST_SECONDS).find(address)


class Lines:
    """Those of one file, of which units are read as their addresses are asked for."""

    def __init__(self, path: str | os.PathLike[str], *, seconds: float = math.inf) -> None:
        """In this time it has all been found."""
        self._deadline = time.monotonic() + seconds
        self._dwarf: Any = None
        self._units: list[Any] = []
        self._rows: dict[int, list[_Row]] = {}  # of a unit, by its place among them
        with contextlib.suppress(Exception), open(path, "rb") as file:  # of damaged files pyelftools raises all kinds
            self._dwarf = _read(ELFFile(file))
            for unit in self._dwarf.iter_CUs() if self._dwarf else ():
                self._check_time()
                self._units.append(unit)

    def find(self, address: int) -> str:
        """ "count.c:12"; empty if the file does not say, or is damaged."""
        for index, unit in enumerate(self._units):
            with contextlib.suppress(Exception):
                if time.monotonic() > self._deadline:
                    break
                if _may_cover(self._dwarf, unit, address) and (line := _find(self._rows_of(index), address)):
                    return line
        return ""

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise TimeoutError

    def _rows_of(self, index: int) -> list[_Row]:
        if index not in self._rows:
            self._rows[index] = []  # also if that fails
            self._rows[index] = _rows_in(self._dwarf.line_program_for_CU(self._units[index]))
        return self._rows[index]


class _Row(NamedTuple):
    """A row of a line table: it holds from `start` up to `end`."""

    start: int
    end: int
    line: str


def _find(rows: list[_Row], address: int) -> str:
    at = bisect_right(rows, address, key=lambda row: row.start) - 1
    return rows[at].line if at >= 0 and address < rows[at].end else ""


def _read(elf: ELFFile) -> Any:
    """None: there is nothing, or too much."""
    debug = [section for section in elf.iter_sections() if section.name.startswith((".debug", ".zdebug"))]
    if not debug or sum(section.data_size for section in debug) > _MOST_BYTES:
        return None
    return elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)


def _may_cover(dwarf: Any, unit: Any, address: int) -> bool:
    """False if the unit says where its code is, and that is elsewhere."""
    attributes = unit.get_top_DIE().attributes
    base = attributes["DW_AT_low_pc"].value if "DW_AT_low_pc" in attributes else 0
    if "DW_AT_ranges" in attributes:
        for entry in dwarf.range_lists().get_range_list_at_offset(attributes["DW_AT_ranges"].value, cu=unit):
            if isinstance(entry, BaseAddressEntry):
                base = entry.base_address
            else:
                offset = 0 if getattr(entry, "is_absolute", False) else base
                if entry.begin_offset + offset <= address < entry.end_offset + offset:
                    return True
        return False
    if "DW_AT_high_pc" in attributes:
        high = attributes["DW_AT_high_pc"]
        end = high.value if high.form == "DW_FORM_addr" else base + high.value
        return bool(base <= address < end)
    return True


def _rows_in(program: Any) -> list[_Row]:
    """In the order of their addresses. A row holds up to the next one of its sequence."""
    if program is None or program.header.unit_length > _MOST_PROGRAM_BYTES:
        return []
    rows, before = [], None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if before is not None and before.address < state.address:
            rows.append(_Row(before.address, state.address, _name(program.header, before)))
        before = None if state.end_sequence else state
    return sorted(rows)


def _name(header: Any, row: Any) -> str:
    """Files are counted from 0 since version 5. Line 0 is what belongs to no line."""
    index = row.file if header.version >= 5 else row.file - 1
    if not row.line or not 0 <= index < len(header.file_entry):
        return ""
    return f"{os.path.basename(os.fsdecode(header.file_entry[index].name))}:{row.line}"
