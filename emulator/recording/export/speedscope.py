# SPDX-License-Identifier: GPL-2.0-only
"""speedscope's own file format, https://www.speedscope.app/file-format-schema.json: a profile per event and vCPU."""

from __future__ import annotations

import os

from emulator.recording.perfdata.reader import PerfData
from emulator.recording.profile.remarks import title
from emulator.recording.profile.symbolize import Place, Symbolizer
from emulator.terminal.printable import printable

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def speedscope(data: PerfData, symbolizer: Symbolizer) -> dict[str, object]:
    """The document. Weights are periods: counts of the event, or ns for clocks."""
    frames: dict[tuple[str, str], int] = {}

    def index(place: Place) -> int:
        return frames.setdefault((place.name, place.dso), len(frames))

    profiles = []
    for event, described in enumerate(data.events):
        for vcpu in sorted({sample.vcpu for sample in data.samples if sample.event == event}):
            samples = [sample for sample in data.samples if (sample.event, sample.vcpu) == (event, vcpu)]
            profiles.append(
                {
                    "type": "sampled",
                    "name": f"{described.name} on vCPU {vcpu}",
                    "unit": "none",
                    "startValue": 0,
                    "endValue": sum(sample.period for sample in samples),
                    "samples": [[index(place) for place in reversed(symbolizer.chain(sample))] for sample in samples],
                    "weights": [sample.period for sample in samples],
                }
            )
    return {
        "$schema": _SCHEMA,
        "exporter": "pvperf",
        "name": title(data, printable(os.path.basename(data.path))),
        **({"activeProfileIndex": 0} if profiles else {}),
        "shared": {"frames": [{"name": name, "file": file} for name, file in frames]},
        "profiles": profiles,
    }
