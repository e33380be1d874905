# SPDX-License-Identifier: GPL-2.0-only
"""Where a command puts the case that it may find."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from emulator.files import Files, Output
from emulator.races.explore.case import Case
from emulator.races.explore.scenarios import SCENARIOS, Scenario


class ReplayFiles:
    """The file of -o, or SCENARIO-DESIGN.replay in the current directory: what that is already becomes FILE.old."""

    def __init__(self, files: Files, scenarios: Iterable[Scenario], *, design: str, name: str | None) -> None:
        """PvperfError if one cannot be written, or is among what the command reads: before any search."""
        self._files = files
        self._outputs: dict[str, Output] = {}
        self._names: dict[str, str] = {}
        for scenario in scenarios:
            if scenario.name not in SCENARIOS and Path(scenario.name).is_file():
                files.reads(scenario.name)
            self._names[scenario.name] = name if name is not None else f"{Path(scenario.name).stem}-{design}.replay"
        for each in dict.fromkeys(self._names.values()):
            self._outputs[each] = files.output(each, keep_old=name is None, regular=True)

    def name(self, scenario: Scenario) -> str:
        """Of the file."""
        return self._names[scenario.name]

    def write(self, scenario: Scenario, case: Case) -> str:
        """Writes it, and returns how to run it again. HostError."""
        output = self._outputs[self.name(scenario)]
        output.write(case.as_text())
        self._files.commit()
        if output.old:
            print(f"pvperf: what was {output.name} is {output.old} now", file=sys.stderr)
        return replay_command(output.name)


def replay_command(name: str) -> str:
    """What a shell understands."""
    return f"pvperf replay {shlex.quote(f'./{name}' if name.startswith('-') else name)}"
