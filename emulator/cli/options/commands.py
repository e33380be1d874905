# SPDX-License-Identifier: GPL-2.0-only
"""What commands there are."""

from __future__ import annotations

#: Name, what `pvperf --help` says of it, and the module whose function add_NAME adds its options.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("boot a guest", "emulator.cli.options.counting"),
    "stat": ("boot a guest and count events while it runs", "emulator.cli.options.counting"),
    "explore": ("search the interleavings of the host core for violations", "emulator.cli.options.exploring"),
    "campaign": ("explore thousands of seeds on every design, and keep a journal", "emulator.cli.options.campaign"),
    "stress": ("let whole VMs race, and compare every ledger", "emulator.cli.options.stress"),
    "model": ("search all states of the core's protocol, as a model", "emulator.cli.options.model"),
    "replay": ("run a recorded interleaving again, and show it", "emulator.cli.options.exploring"),
    "record": ("boot a guest and sample events while it runs", "emulator.cli.options.recording"),
    "report": ("show where a recording's samples fell", "emulator.cli.options.recording"),
    "script": ("print a recording, a line for each sample", "emulator.cli.options.recording"),
    "events": ("list the events", "emulator.cli.options.environment"),
    "guests": ("list the bundled guests, or build one of your own", "emulator.cli.options.environment"),
    "doctor": ("check what this machine can do", "emulator.cli.options.environment"),
    "bench": ("measure what the emulator costs", "emulator.bench.options"),
}
