# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf events`: the events that a guest can ask for."""

from __future__ import annotations

import argparse
import json

from emulator.events import rows


def main(arguments: argparse.Namespace) -> int:
    """Prints the list."""
    events = rows()
    if arguments.json:
        print(json.dumps({"schema_version": 1, "events": events}, indent=1))
        return 0
    print(f"{'EVENT':<48}{'TYPE':>4}{'CONFIG':>8}  COUNTS")
    for row in events:
        aliases = row["aliases"]
        assert isinstance(aliases, list)
        names = " OR ".join([str(row["name"]), *aliases])
        counts = row["counts"] if row["countable"] else "(known, not countable in this version)"
        print(f"{names:<48}{row['type']:>4}{row['config']:>#8x}  {counts}")
    print("\nBreakpoints: mem:ADDRESS[/LENGTH][:ACCESS], with an access of r, w, rw or x (default rw, 4 bytes).")
    print("Modifiers: EVENT:u counts at CPL 3 alone, EVENT:k at CPL 0. Raw: rUUEE, or cpu/event=0xEE,umask=0xUU/.")
    return 0
