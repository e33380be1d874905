# SPDX-License-Identifier: GPL-2.0-only
"""Names the addresses of a recording by the files that were mapped there."""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from emulator.errors import PvperfError
from emulator.guest.linux.kallsyms import kernel_symbols
from emulator.guest.symbols import SymbolTable, read_symbols
from emulator.recording.perfdata.layout import GUEST_PID
from emulator.recording.perfdata.reader import Mapping, PerfData
from emulator.recording.perfdata.sample import Sample
from emulator.terminal.printable import printable

if TYPE_CHECKING:
    from emulator.guest.lines import Lines

UNKNOWN = "[unknown]"


class Place(NamedTuple):
    """Where an address is, printable. `symbol` is "" where there is none; `dso` the path of the file, or UNKNOWN."""

    address: int
    symbol: str
    offset: int  # from the symbol's start
    dso: str

    @property
    def name(self) -> str:
        """The symbol, or the address."""
        return self.symbol or f"{self.address:#x}"

    @property
    def exact(self) -> str:
        """The symbol and the offset, as perf script has them."""
        return f"{self.symbol}+{self.offset:#x}" if self.symbol else UNKNOWN

    @property
    def file(self) -> str:
        """The name of the file, without its directory."""
        return os.path.basename(self.dso)


class Symbolizer:
    """Finds places. `warnings` says, in a sentence each, for which files there are no symbols, and why."""

    def __init__(self, data: PerfData) -> None:
        self._data = data
        self._mappings = data.mappings
        self._build_ids = {build.path: build.build_id for build in data.build_ids}
        self._tables: dict[str, SymbolTable] = {}
        self._lines: dict[str, Lines] = {}
        self.warnings: list[str] = []
        self.place = lru_cache(maxsize=None)(self._place)
        self.caller = lru_cache(maxsize=None)(self._caller)

    def __reduce__(self) -> tuple[type[Symbolizer], tuple[PerfData]]:
        """What was found is found again: a recording that was looked at can be pickled."""
        return Symbolizer, (self._data,)

    def _place(self, address: int, pid: int = GUEST_PID) -> Place:
        mapping = self._mapping(address, pid)
        if mapping is None:
            return Place(address, "", 0, UNKNOWN)
        symbol = self._table(mapping).find(address)
        path = printable(mapping.path)
        if symbol is None:
            return Place(address, "", 0, path)
        return Place(address, printable(symbol.name), address - symbol.address, path)

    def _mapping(self, address: int, pid: int) -> Mapping | None:
        """What the process has there. Pid 0: it was not recorded."""
        mapped = self._mappings.get(pid, ()) if pid else chain.from_iterable(self._mappings.values())
        for mapping in reversed(list(mapped)):
            if mapping.address <= address < mapping.address + mapping.length:
                return mapping
        return None

    def _caller(self, address: int, pid: int = GUEST_PID) -> Place:
        """A return address is that of the instruction behind the call, where another function may begin."""
        place = self._place(max(address - 1, 0), pid)
        return place._replace(address=address, offset=place.offset + 1)

    def _table(self, mapping: Mapping) -> SymbolTable:
        path = mapping.path
        if path not in self._tables:
            self._tables[path] = SymbolTable([])
            try:
                if kernel := kernel_symbols(path):
                    self._tables[path] = kernel
                    return kernel
                table, build_id = read_symbols(path)
                if build_id == self._build_ids.get(path, build_id):
                    self._tables[path] = table
                else:
                    self.warnings.append(f"{path} was built anew since it was recorded: its symbols are not used")
            except PvperfError as error:
                self.warnings.append(f"no symbols: {error}")
        return self._tables[path]

    def line(self, sample: Sample) -> str:
        """Its source line, "count.c:12"; where there is none, symbol and offset, or the address."""
        place, mapping = self.of(sample), self._mapping(sample.ip, sample.pid)
        if mapping is None or not place.symbol:
            return place.name
        if mapping.path not in self._lines:
            from emulator.guest.lines import Lines

            self._lines[mapping.path] = Lines(mapping.path)
        return printable(self._lines[mapping.path].find(sample.ip)) or place.exact

    def of(self, sample: Sample) -> Place:
        """Where a sample is."""
        return self.place(sample.ip, sample.pid)

    def chain(self, sample: Sample) -> tuple[Place, ...]:
        """The call chain, innermost first; the sample alone where none was recorded."""
        return (self.of(sample), *(self.caller(address, sample.pid) for address in sample.chain[1:]))
