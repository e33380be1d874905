# SPDX-License-Identifier: GPL-2.0-only
"""`report`: how much of an event fell where, by period, as perf weighs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emulator.errors import UsageError
from emulator.perfdata.reader import PerfData
from emulator.perfdata.sample import Sample
from emulator.profile.symbolize import Place, Symbolizer

SCHEMA_VERSION = 1

#: What rows can be told apart by.
KEYS: dict[str, Callable[[Sample, Place], str]] = {
    "symbol": lambda _, place: place.name,
    "dso": lambda _, place: place.file,
    "vcpu": lambda sample, _: str(sample.vcpu),
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
    """One event's rows, the heaviest first. `lost` overflows have no sample of their own."""

    event: str
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    lost: int

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
        place = symbolizer.place(sample.ip)
        key = tuple(KEYS[name](sample, place) for name in keys)
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
            lost=sum(number for (of, _), number in data.lost_samples.items() if of == index),
        )
        for index, event in enumerate(data.events)
    ]


def text(made: Sequence[EventTable], *, chains: bool, no_room: int) -> str:
    """For people, in the manner of perf report --stdio. `no_room`: samples of any event that are not in the file."""
    lost = f"# {no_room:,} samples found no room on their way and are missing\n#\n" if no_room else ""
    return lost + "\n".join(_text(table, chains) for table in made)


def _text(table: EventTable, chains: bool) -> str:
    lines = [
        f"# Samples: {table.samples:,} of event '{table.event}', lost: {table.lost:,}",
        f"# Event count (approx.): {table.period:,}",
        "#",
        f"# {'Overhead':>8}  {'Samples':>9}  {_columns(table.keys, table)}",
        "",
    ]
    for row in table.rows:
        lines.append(f"  {table.share(row):7.2f}%  {row.samples:9,}  {_columns(row.keys, table)}")
        lines += _chain_lines(row) if chains else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _columns(keys: Sequence[str], table: EventTable) -> str:
    widths = [max(len(row.keys[index]) for row in table.rows) if table.rows else 0 for index in range(len(keys))]
    return "  ".join(f"{key:<{width}}" for key, width in zip(keys, widths, strict=True))


def _chain_lines(row: Row) -> list[str]:
    lines = []
    for names, period in sorted(row.chains.items(), key=lambda item: (-item[1], item[0])):
        if len(names) > 1 and row.period and period >= _LEAST_SHARE * row.period:
            lines.append(f"{100 * period / row.period:20.2f}%  <- {' <- '.join(names[1:])}")
    return lines


def as_json(made: Sequence[EventTable], *, no_room: int) -> dict[str, object]:
    """For programs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "no_room": no_room,
        "events": [
            {
                "event": table.event,
                "samples": table.samples,
                "lost": table.lost,
                "period": table.period,
                "rows": [
                    dict(zip(table.keys, row.keys, strict=True))
                    | {"percent": round(table.share(row), 4), "samples": row.samples, "period": row.period}
                    for row in table.rows
                ],
            }
            for table in made
        ],
    }
