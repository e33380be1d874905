# SPDX-License-Identifier: GPL-2.0-only
"""The source line of an address, from an ELF file's DWARF. It is loaded when a guest has crashed, and not before."""

from __future__ import annotations

import os
import time
from typing import Any

from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile

# A file may say anything of itself: what is larger is not looked at, and after so long it is given up.
_MOST_BYTES = 512 << 20  # of debug information, decompressed
_MOST_PROGRAM_BYTES = 1 << 20  # of the line table of one compilation unit
_MOST_SECONDS = 5.0


def line_of(path: str | os.PathLike[str], address: int) -> str:
    """ "count.c:12"; empty if the file does not say, is damaged, or says so much that it would take too long."""
    try:
        with open(path, "rb") as file:
            return _find(ELFFile(file), address)
    except Exception:  # of damaged files pyelftools raises all kinds
        return ""


def _find(elf: ELFFile, address: int) -> str:
    deadline = time.monotonic() + _MOST_SECONDS
    debug = [section for section in elf.iter_sections() if section.name.startswith((".debug", ".zdebug"))]
    if not debug or sum(section.data_size for section in debug) > _MOST_BYTES:
        return ""
    dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
    for unit in dwarf.iter_CUs():
        if time.monotonic() > deadline:
            break
        if _may_cover(dwarf, unit, address) and (line := _line_in(dwarf.line_program_for_CU(unit), address)):
            return line
    return ""


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


def _line_in(program: Any, address: int) -> str:
    """A row holds up to the next one of its sequence."""
    if program is None or program.header.unit_length > _MOST_PROGRAM_BYTES:
        return ""
    row = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if row is not None and row.address <= address < state.address:
            return _name(program.header, row)
        row = None if state.end_sequence else state
    return ""


def _name(header: Any, row: Any) -> str:
    """Files are counted from 0 since version 5. Line 0 is what belongs to no line."""
    index = row.file if header.version >= 5 else row.file - 1
    if not row.line or not 0 <= index < len(header.file_entry):
        return ""
    return f"{os.path.basename(os.fsdecode(header.file_entry[index].name))}:{row.line}"
