# SPDX-License-Identifier: GPL-2.0-only
"""A piece of a trace as ui.perfetto.dev shows it, drawn here: that page is not to be had without a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from emulator.bench.reporting.plot import TICKS, draw

_NMIS, _MISSES = 12, 5  # that are shown, and how many of them miss at least
_KINDS = {"guest": 0, "exit": 1, "sync": 2, "held": 3, "waiting": 4}


def trace(file: Path, title: str) -> str:
    """Of its first vCPU: what it does, who holds its lock, and what waits for the next sync."""
    everything = list(_bars(file))
    nmis = [bar for bar in everything if bar.get("name") in ("NMI", "NMI miss")]
    pieces = [nmis[at : at + _NMIS] for at in range(len(nmis) - _NMIS)]
    piece = min(  # what the machine disturbed least
        (piece for piece in pieces if sum(nmi["name"] == "NMI miss" for nmi in piece) >= _MISSES),
        key=lambda piece: piece[-1]["begin"] - piece[0]["begin"],
    )
    first, length, bars = piece[0]["begin"], piece[-1]["begin"] - piece[0]["begin"], []
    for bar in everything:
        begin, end = max(0.0, bar["begin"] - first), min(length, bar["end"] - first)
        if begin <= end:
            fits = end - begin > 8 * len(bar["label"]) * length / 600
            bars.append(bar | {"begin": begin, "end": end, "label": bar["label"] if fits else ""})
    rows = ["vCPU 0", "hypercalls, sync", "NMI path", "event_mutex", "overflow backlog"]
    colours = {"domain": list(_KINDS), "range": [f"var(--c{colour})" for colour in _KINDS.values()]}
    is_instant = "datum.end == datum.begin"
    x = {"field": "begin", "type": "quantitative", "title": "us", "scale": {"domain": [0, length]}, "axis": TICKS}
    marks = {"domain": ["NMI", "NMI miss", "inject NMI"], "range": ["var(--met)", "var(--missed)", "var(--text)"]}
    colour = {"field": "kind", "scale": colours, "legend": None}
    layers = [
        {
            "mark": {"type": "bar", "height": {"band": 0.8}},
            "transform": [{"filter": f"!({is_instant})"}],
            "encoding": {"x2": {"field": "end"}, "color": colour},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 4, "color": "var(--back)", "fontSize": 11},
            "transform": [{"filter": "datum.label"}],
            "encoding": {"text": {"field": "label"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "transform": [{"filter": is_instant}],
            "encoding": {
                "shape": {
                    "field": "name",
                    "scale": {"domain": marks["domain"]},
                    "legend": {"symbolFillColor": "var(--text)"},
                },
                "color": {"field": "name", "scale": marks, "legend": None},
            },
        },
    ]
    y = {"field": "row", "type": "ordinal", "title": None, "scale": {"domain": rows}}
    apart = {"scale": {"color": "independent"}}
    return draw(title, bars, {"height": {"step": 34}, "encoding": {"x": x, "y": y}, "layer": layers, "resolve": apart})


def _bars(file: Path) -> Iterator[dict[str, Any]]:
    """Slices, instants, and what a counter is until it changes."""
    packets = Trace.FromString(file.read_bytes()).packet
    names = {event.iid: event.name for packet in packets for event in packet.interned_data.event_names}
    tracks = {packet.track_descriptor.uuid: packet.track_descriptor for packet in packets}
    events = [packet for packet in packets if packet.HasField("track_event")]
    open_: dict[int, list[tuple[str, float]]] = defaultdict(list)
    counts: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for packet in events:
        event, now = packet.track_event, packet.timestamp / 1e3
        track = tracks[event.track_uuid]
        name, row = names.get(event.name_iid, ""), track.name or track.thread.thread_name
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            open_[event.track_uuid].append((name, now))
        elif event.type == TrackEvent.TYPE_SLICE_END:
            begun, began = open_[event.track_uuid].pop()
            inner = bool(open_[event.track_uuid])
            kind = "held" if row == "event_mutex" else "sync" if inner else begun.split(":")[0]
            row = "hypercalls, sync" if inner else row
            yield {"row": row, "kind": kind, "label": begun, "begin": began, "end": now}
        elif event.type == TrackEvent.TYPE_COUNTER:
            counts[row].append((now, event.counter_value))
        elif "NMI" in name:
            yield {"row": "NMI path", "name": name, "label": "", "begin": now, "end": now}
    for (began, value), (end, _) in pairwise(counts["overflow backlog"]):
        if value:
            yield {"row": "overflow backlog", "kind": "waiting", "label": str(value), "begin": began, "end": end}
