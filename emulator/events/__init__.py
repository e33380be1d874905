# SPDX-License-Identifier: GPL-2.0-only
"""Events by name, and perf's `-e` syntax."""

from emulator.events.detailed import detailed_events
from emulator.events.known import KNOWN, countable_names, rows
from emulator.events.lists import check_groups, split_list
from emulator.events.parse import Event, parse_events

__all__ = ["KNOWN", "Event", "check_groups", "countable_names", "detailed_events", "parse_events", "rows", "split_list"]
