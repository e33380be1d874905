# SPDX-License-Identifier: GPL-2.0-only
"""What has to be known of a recording as a whole: what is not in it."""

from __future__ import annotations

from emulator.recording.perfdata.reader import PerfData

CUT_OFF = "unknown (the recording was cut off)"


def no_room(data: PerfData) -> int:
    """Samples of any event that found no room on their way."""
    return sum(data.lost.values())


def remarks(data: PerfData) -> list[str]:
    """A sentence for each thing that is missing, for the forms of output that have no place for it."""
    made = [] if data.complete else [f"lost samples: {CUT_OFF}"]
    if number := sum(data.lost_samples.values()):
        made.append(f"{number:,} overflows have no sample of their own")
    if number := no_room(data):
        made.append(f"{number:,} samples found no room on their way and are missing")
    if data.throttled:
        made.append(f"events were throttled {data.throttled:,} times")
    return made


def title(data: PerfData, name: str) -> str:
    """`name`, and behind it whether the recording is whole."""
    return name if data.complete else f"{name} (lost samples: {CUT_OFF})"
