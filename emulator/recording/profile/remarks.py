# SPDX-License-Identifier: GPL-2.0-only
"""What has to be known of a recording as a whole: what is not in it."""

from __future__ import annotations

from emulator.recording.perfdata.reader import PerfData
from emulator.terminal.counted import agreed, counted

CUT_OFF = "unknown (the recording was cut off)"


def no_room(data: PerfData) -> int:
    """Samples of any event that found no room on their way."""
    return sum(data.lost.values())


def without_room(data: PerfData) -> str:
    """That, in a sentence; empty if there are none."""
    number = no_room(data)
    are = agreed(number, "its way and is", "their way and are")
    return f"{counted(number, 'sample')} found no room on {are} missing" if number else ""


def remarks(data: PerfData) -> list[str]:
    """A sentence for each thing that is missing, for the forms of output that have no place for it."""
    made = [] if data.complete else [f"lost samples: {CUT_OFF}"]
    if number := sum(data.lost_samples.values()):
        have = agreed(number, "has no sample of its", "have no sample of their")
        made.append(f"{counted(number, 'overflow')} {have} own")
    if said := without_room(data):
        made.append(said)
    if data.throttled:
        made.append(f"events were throttled {counted(data.throttled, 'time')}")
    return made


def title(data: PerfData, name: str) -> str:
    """`name`, and behind it whether the recording is whole."""
    return name if data.complete else f"{name} (lost samples: {CUT_OFF})"
