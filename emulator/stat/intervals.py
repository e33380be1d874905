# SPDX-License-Identifier: GPL-2.0-only
"""perf's layouts of `perf stat -I`: what was counted in an interval, in front of it the time at which it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.stat.reading import read_runs
from emulator.stat.table import SCHEMA_VERSION, Report, excuses, field_rows, fields, json_lines, objects, rows, table

if TYPE_CHECKING:
    from emulator.events import Event
    from emulator.stat.reading import Reading
    from emulator.vm.interval import Interval

# perf says what the columns are again after so many intervals.
_UNTIL_NEXT_HEADER = 25


class Layout:
    """What is printed of one run. `separator` is that of `-x`; without it and without `json` it is for people."""

    def __init__(
        self,
        events: Sequence[Event],
        *,
        vcpus: int,
        per_vcpu: bool,
        real_cycles: bool,
        json: bool,
        separator: str,
        started: str = "",
    ) -> None:
        """`started` is when, for a file."""
        self._events = events
        self._vcpus = vcpus
        self._per_vcpu = per_vcpu
        self._real_cycles = real_cycles
        self._json = json
        self._separator = separator
        self._started = started
        self.printed = 0  # intervals

    def interval(self, interval: Interval) -> str:
        """The rows of one more."""
        report = Report(
            title="",
            vcpus=self._vcpus,
            elapsed_s=[interval.length_s],
            readings=read_runs([interval], self._events, vcpus=self._vcpus, per_vcpu=self._per_vcpu),
            real_cycles=self._real_cycles,
        )
        header = self._header()
        self.printed += 1
        return "".join(f"{line}\n" for line in [*header, *self._rows(report, interval.elapsed_s)])

    def _header(self) -> list[str]:
        if self._json:
            return []
        lines = [f"# started on {self._started}", ""] if self._started and not self.printed else []
        if not self._separator and self.printed % _UNTIL_NEXT_HEADER == 0:
            lines.append(f"#           time {'CPU        ' if self._per_vcpu else ''}            counts unit events")
        return lines

    def _rows(self, report: Report, end_s: float) -> list[str]:
        if self._json:
            return [
                json.dumps({"schema_version": SCHEMA_VERSION, "interval": end_s} | made) for made in objects(report)
            ]
        separator = self._separator
        lines = field_rows(report, separator) if separator else rows(report)
        return [f"{end_s:16.9f}{separator or ' '}{line}" for line in lines]

    def summary(self, report: Report) -> str:
        """The whole run, behind its intervals."""
        if self._json:
            return json_lines(report)
        if self._separator:
            return fields(report, self._separator, front=f"{'summary':>16}")
        return table(report)

    def end(self, partial: str, readings: Sequence[Reading] = ()) -> str:
        """In place of a summary: what is missing, if anything is, and why an event has no count."""
        if self._json:
            lines = [json.dumps({"schema_version": SCHEMA_VERSION, "partial": partial})] if partial else []
        else:
            lines = [f"# partial: {partial}"] if partial else []
            lines += [] if self._separator else [f"#{line}" for line in excuses(readings) if line]
        return "".join(f"{line}\n" for line in lines)
