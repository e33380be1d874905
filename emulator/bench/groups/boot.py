# SPDX-License-Identifier: GPL-2.0-only
"""From `pvperf run` to the guest's first byte, against bare Python; what `--help` costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from emulator.bench.measuring.case import Case, Effort, Group, Plot, Ratio, single
from emulator.places import PACKAGE, own_command

VCPUS = 4
_BARE, _ENGINE = "python -c pass", "python and one engine's import"
_RUN, _HELP = f"run to the first byte, {VCPUS} vCPUs", "--help"


def groups(effort: Effort) -> Iterator[Group]:
    """The limit of booting is stated against `python -c pass` plus the import of one engine, which has paid for it."""
    python = [sys.executable, "-P", "-c"]
    engine = f"import sys; sys.path.append({os.path.dirname(PACKAGE)!r}); "
    engine += "from emulator.native import load_engine; load_engine()"
    contenders = [
        single(Case(name=_BARE, unit="ms", peer=True), _command([*python, "pass"])),
        single(Case(name=_ENGINE, unit="ms", reference=_BARE), _command([*python, engine])),
        single(
            Case(name=_RUN, unit="ms", reference=_BARE),
            _first_byte(own_command("run", "--smp", str(VCPUS), "hello")),
        ),
        single(Case(name=_HELP, unit="ms", reference=_BARE), _command(own_command("--help"))),
    ]
    ratios = [
        Ratio(f"first byte / engine import, {VCPUS} vCPUs", _RUN, _ENGINE, "<= 5"),
        Ratio("--help / python -c pass", _HELP, _BARE, "<= 3"),
    ]
    yield Group(name="boot", about="starting", contenders=contenders, ratios=ratios, plots=[Plot(title="Boot")])


def _environment() -> dict[str, str]:
    """Python compiles pvperf once, as for what was installed, and not at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _command(command: Sequence[str]) -> Callable[[], float]:
    """Milliseconds until the command has ended."""

    def once() -> float:
        environment = _environment()
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        return (time.perf_counter() - start) * 1e3

    return once


def _first_byte(command: Sequence[str]) -> Callable[[], float]:
    """Milliseconds until the command writes its first byte, which the guest does first of all."""

    def once() -> float:
        environment = _environment()
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, env=environment) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            took = time.perf_counter() - start
            process.stdout.read()
        return took * 1e3

    return once
