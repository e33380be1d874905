# SPDX-License-Identifier: GPL-2.0-only
"""perf's three layouts of `perf stat`: the table for people, fields for `-x`, JSON lines for `-j`.

Nothing depends on the locale: thousands are separated by commas in the table alone, and decimals begin with a point.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.stat.metric import Metric, derive
from emulator.stat.reading import Reading, mean, standard_error
from emulator.vm.result import reason

SCHEMA_VERSION = 1

# Widths of perf's table.
_VALUE, _UNIT, _NAME, _METRIC = 18, 4, 32, 35


@dataclass(frozen=True)
class Report:
    """Readings and what they were read from. `elapsed_s` has a value a run; `real_cycles` as in metric.derive.

    `runs` were asked for. `partial` says in a sentence what is missing; empty: nothing. `started` is when, for a file.
    """

    title: str
    vcpus: int
    elapsed_s: Sequence[float]
    readings: Sequence[Reading]
    real_cycles: bool = False
    runs: int = 1
    partial: str = ""
    started: str = ""

    def metric(self, reading: Reading) -> Metric | None:
        """The figure beside a reading."""
        return derive(reading, self.readings, elapsed_s=mean(self.elapsed_s), real_cycles=self.real_cycles)


def table(report: Report) -> str:
    """For people."""
    scope = f"{report.vcpus} vCPU{'s' if report.vcpus > 1 else ''}"
    if report.runs > 1:
        had = len(report.elapsed_s)
        scope += f", {report.runs} runs" if had == report.runs else f", {had} of {report.runs} runs"
    lines = [*_comments(report, partial=False), "", f" Performance counter stats for '{report.title}' ({scope}):", ""]
    lines += rows(report)
    lines += ["", _elapsed(report.elapsed_s), ""]
    lines += [f" Partial: {report.partial}", ""] if report.partial else []
    lines += excuses(report.readings)
    return "\n".join(lines) + "\n"


def _comments(report: Report, *, partial: bool) -> list[str]:
    """What stands above all counts. The first as perf has it, so that appended runs can be told apart."""
    lines = [f"# started on {report.started}", ""] if report.started else []
    return [*lines, f"# partial: {report.partial}"] if partial and report.partial else lines


def rows(report: Report) -> list[str]:
    """Of the table: one for each reading."""
    return [_row(reading, report.metric(reading)) for reading in report.readings]


def _row(reading: Reading, metric: Metric | None) -> str:
    vcpu = "" if reading.vcpu is None else f"CPU{reading.vcpu:<8}"
    row = f"{vcpu}{_people_value(reading):>{_VALUE}} {reading.event.unit:<{_UNIT}} {reading.event.name:<{_NAME}}"
    row += f" # {f'{metric.text} {metric.unit}':<{_METRIC - 3}}" if metric else " " * _METRIC
    if reading.spread is not None:
        row += f"  ( +-{reading.spread:6.2f}% )"
    if reading.value is not None and reading.running_ns != reading.enabled_ns:
        row += f"  ({reading.share:.2f}%)"
    return row.rstrip()


def _people_value(reading: Reading) -> str:
    if reading.value is None:
        return reading.excuse
    return f"{reading.value / 1e6:,.2f}" if reading.event.unit == "msec" else f"{round(reading.value):,}"


def _elapsed(seconds: Sequence[float]) -> str:
    average, error = mean(seconds), standard_error(seconds)
    if len(seconds) == 1:
        return f" {average:17.9f} seconds time elapsed"
    digits = 9 if error <= 0 else 2 + max(0, math.ceil(-math.log10(error)))
    digits = min(digits, 9)
    percent = 100 * error / average if average else 0.0
    return f" {average:17.{digits}f} +- {error:.{digits}f} seconds time elapsed  ( +-{percent:6.2f}% )"


def excuses(readings: Sequence[Reading]) -> list[str]:
    """Why an event has no count: nothing is left out in silence."""
    lines = []
    for reading in readings:
        if reading.error:
            vcpu = "" if reading.vcpu is None else f" on CPU{reading.vcpu}"
            lines.append(f" {reading.event.name}{vcpu}: {reason(reading.error)}")
    return [*lines, ""] if lines else []


def fields(report: Report, separator: str, front: str = "") -> str:
    """As `perf stat -x`, with `front` as a field in front of the others, if it is not empty."""
    lines = [front + separator + row if front else row for row in field_rows(report, separator)]
    return "\n".join([*_comments(report, partial=True), *lines]) + "\n"


def field_rows(report: Report, separator: str) -> list[str]:
    """[vCPU,] value, unit, event, [spread,] time held in ns, percent, metric, its unit."""
    lines = []
    for reading in report.readings:
        metric = report.metric(reading)
        row = [] if reading.vcpu is None else [f"CPU{reading.vcpu}"]
        row += [_plain_value(reading), reading.event.unit, _quote(reading.event.name, separator)]
        row += [] if report.runs == 1 else [f"{reading.spread or 0:.2f}%"]
        row += [f"{reading.running_ns:.0f}", f"{reading.share:.2f}"]
        row += [metric.digits, metric.unit] if metric else ["", ""]
        lines.append(separator.join(row))
    return lines


def _plain_value(reading: Reading) -> str:
    if reading.value is None:
        return reading.excuse
    return f"{reading.value / 1e6:.2f}" if reading.event.unit == "msec" else f"{round(reading.value)}"


def _quote(name: str, separator: str) -> str:
    return f'"{name}"' if separator in name else name


def json_lines(report: Report) -> str:
    """As `perf stat -j`, but numbers are numbers: an object per reading and line."""
    return "".join(json.dumps({"schema_version": SCHEMA_VERSION} | made) + "\n" for made in objects(report))


def objects(report: Report) -> list[dict[str, object]]:
    """What is said of each reading."""
    return [_object(reading, report) for reading in report.readings]


def _object(reading: Reading, report: Report) -> dict[str, object]:
    made: dict[str, object] = {}
    if reading.vcpu is not None:
        made["vcpu"] = reading.vcpu
    made |= {
        "counter-value": _number(reading),
        "unit": reading.event.unit,
        "event": reading.event.name,
        "event-runtime": round(reading.running_ns),
        "pcnt-running": round(reading.share, 2),
    }
    if reading.spread is not None:
        made["variance"] = round(reading.spread, 2)
    if reading.error:
        made["error"] = reading.error
    if report.runs > 1:
        made |= {"runs": len(report.elapsed_s), "runs-asked-for": report.runs}
    made |= {name: text for name, text in (("partial", report.partial), ("started", report.started)) if text}
    if metric := report.metric(reading):
        made |= {"metric-value": round(metric.value, 6), "metric-unit": metric.unit}
    return made


def _number(reading: Reading) -> int | float | None:
    if reading.value is None:
        return None
    if reading.event.unit == "msec":
        return round(reading.value / 1e6, 6)
    return int(reading.value) if reading.value == int(reading.value) else round(reading.value, 3)
