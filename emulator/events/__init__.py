# SPDX-License-Identifier: GPL-2.0-only
"""Events by name, and perf's `-e` syntax."""

from emulator.events.known import KNOWN, countable_names, rows
from emulator.events.parse import Event, parse_events, split_list

__all__ = ["KNOWN", "Event", "countable_names", "parse_events", "rows", "split_list"]
