# SPDX-License-Identifier: GPL-2.0-only
"""`report`: how much of an event fell where, by period, as perf weighs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emulator.errors import UsageError
from emulator.recording.perfdata.layout import SAMPLE_CALLCHAIN
from emulator.recording.perfdata.reader import PerfData
from emulator.recording.perfdata.sample import Sample
from emulator.recording.profile.remarks import CUT_OFF, no_room, without_room
from emulator.recording.profile.symbolize import Place, Symbolizer
from emulator.terminal.counted import counted

SCHEMA_VERSION = 1

#: What rows can be told apart by.
KEYS: dict[str, Callable[[Sample, Place, Symbolizer], str]] = {
    "symbol": lambda _, place, __: place.name,
    "srcline": lambda sample, _, symbolizer: symbolizer.line(sample),
    "dso": lambda _, place, __: place.file,
    "vcpu": lambda sample, _, __: str(sample.vcpu),
}
# Of a call chain, what has less of its row than this is not printed.
_LEAST_SHARE = 0.005


@dataclass
class Row:
    """Samples with the same keys; `chains` by their names, innermost first, with their period."""

    keys: tuple[str, ...]
    period: int = 0
    samples: int = 0
    chains: dict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True)
class EventTable:
    """One event's rows, the heaviest first. `lost` overflows have no sample of their own; None: it is not known.

    `chains`: were call chains recorded?
    """

    event: str
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    lost: int | None
    chains: bool

    @property
    def period(self) -> int:
        """What all samples stand for."""
        return sum(row.period for row in self.rows)

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(row.samples for row in self.rows)

    def share(self, row: Row) -> float:
        """Of the whole, in percent."""
        return 100 * row.period / self.period if self.period else 0.0


def parse_keys(text: str) -> tuple[str, ...]:
    """The keys of `--sort`. UsageError for what is none."""
    keys = tuple(key.strip() for key in text.split(","))
    for key in keys:
        if key not in KEYS:
            raise UsageError(f"'{key}' is nothing to sort by: there are {', '.join(KEYS)}")
    return keys


def tables(data: PerfData, symbolizer: Symbolizer, keys: Sequence[str]) -> list[EventTable]:
    """A table for each event of a recording."""
    rows: list[dict[tuple[str, ...], Row]] = [{} for _ in data.events]
    for sample in data.samples:
        place = symbolizer.of(sample)
        key = tuple(KEYS[name](sample, place, symbolizer) for name in keys)
        row = rows[sample.event].setdefault(key, Row(key))
        row.period += sample.period
        row.samples += 1
        if sample.chain:
            row.chains[tuple(caller.name for caller in symbolizer.chain(sample))] += sample.period
    return [
        EventTable(
            event=event.name,
            keys=tuple(keys),
            rows=tuple(sorted(rows[index].values(), key=lambda row: (-row.period, row.keys))),
            lost=sum(number for (of, _), number in data.lost_samples.items() if of == index) if data.complete else None,
            chains=bool(event.attr.sample_type & SAMPLE_CALLCHAIN),
        )
        for index, event in enumerate(data.events)
    ]


def text(data: PerfData, made: Sequence[EventTable], *, chains: bool) -> str:
    """For people, in the manner of perf report --stdio."""
    head = [f"# {said}" for said in [without_room(data)] if said]
    head += [f"# Events were throttled {counted(data.throttled, 'time')}"] if data.throttled else []
    head += [f"# {data.about}"] if data.about else []
    return "\n".join([*head, *(["#"] if head else []), *(_text(table, chains) for table in made)])


def _text(table: EventTable, chains: bool) -> str:
    lost = CUT_OFF if table.lost is None else f"{table.lost:,}"
    lines = [
        f"# Samples: {table.samples:,} of event '{table.event}', lost: {lost}",
        f"# Event count (approx.): {table.period:,}",
    ]
    lines += _chain_excuse(table) if chains else []
    lines += ["#", f"# {'Overhead':>8}  {'Samples':>9}  {_columns(table.keys, table)}", ""]
    for row in table.rows:
        lines.append(f"  {table.share(row):7.2f}%  {row.samples:9,}  {_columns(row.keys, table)}")
        lines += _chain_lines(row) if chains else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _chain_excuse(table: EventTable) -> list[str]:
    """Why there are no call chains to show, if there are none."""
    if not table.chains:
        return ["# No call chains were recorded: pvperf record -g does"]
    has_callers = any(len(names) > 1 for row in table.rows for names in row.chains)
    return [] if has_callers or not table.rows else ["# No call chain has a caller in it"]


def _columns(keys: Sequence[str], table: EventTable) -> str:
    widths = [max(len(row.keys[index]) for row in table.rows) if table.rows else 0 for index in range(len(keys))]
    return "  ".join(f"{key:<{width}}" for key, width in zip(keys, widths, strict=True))


def _chain_lines(row: Row) -> list[str]:
    lines = []
    for names, period in sorted(row.chains.items(), key=lambda item: (-item[1], item[0])):
        if len(names) > 1 and row.period and period >= _LEAST_SHARE * row.period:
            lines.append(f"{100 * period / row.period:20.2f}%  <- {' <- '.join(names[1:])}")
    return lines


def as_json(data: PerfData, made: Sequence[EventTable], *, chains: bool) -> dict[str, object]:
    """For programs. Null is what is not known."""
    return {
        "schema_version": SCHEMA_VERSION,
        "complete": data.complete,
        "no_room": no_room(data) if data.complete else None,
        "throttled": data.throttled,
        "about": data.about,
        "events": [
            {
                "event": table.event,
                "samples": table.samples,
                "lost": table.lost,
                "period": table.period,
                "chains": table.chains,
                "rows": [_row_as_json(table, row, chains) for row in table.rows],
            }
            for table in made
        ],
    }


def _row_as_json(table: EventTable, row: Row, chains: bool) -> dict[str, object]:
    made: dict[str, object] = dict(zip(table.keys, row.keys, strict=True))
    made |= {"percent": round(table.share(row), 4), "samples": row.samples, "period": row.period}
    if chains:
        made["chains"] = [{"names": names, "period": period} for names, period in row.chains.items()]
    return made
