# SPDX-License-Identifier: GPL-2.0-only
"""Runs images natively and in a guest, and says what is different."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from emulator import VirtualMachine
from emulator.errors import PvperfError
from programs.building import Build


@dataclass(frozen=True)
class Outcome:
    """What one run of a program has retired, between its first instruction and its return, and left behind."""

    instructions: int
    branches: int
    registers: str
    vectors: str
    x87: str
    memory: str
    mxcsr: str
    fcw: str
    fsw: str
    text: str


Result = Outcome | str  # or how it ended before its time


def parse(words: str) -> Outcome:
    """A line of a loader, behind its number."""
    instructions, branches, *rest = words.split(" ", 9)
    return Outcome(int(instructions), int(branches), *rest)


def without(nothing: Outcome, result: Result) -> Result:
    """Less what entering and leaving a program takes."""
    if isinstance(result, str):
        return result
    values = {each.name: getattr(result, each.name) for each in fields(result)}
    values["instructions"] -= nothing.instructions
    values["branches"] -= nothing.branches
    return Outcome(**values)


def step(native: Path, images: Sequence[Path], *, wide: bool) -> list[Outcome]:
    """What the processor makes of each image but the first, which does nothing."""
    command = [str(native), "wide" if wide else "narrow", *map(str, images)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    nothing, *outcomes = (parse(line.split(" ", 1)[1]) for line in done.stdout.splitlines())
    assert len(outcomes) == len(images) - 1
    return [result for result in (without(nothing, each) for each in outcomes) if isinstance(result, Outcome)]


def boot(elf: Path, first: int, config: dict[str, Any], *, wide: bool) -> tuple[list[str], str]:
    """Lines from the image `first` on, and how it ended if that was before its time."""
    try:
        with VirtualMachine(**config) as vm:
            result = vm.run(elf, (f"first={first}", f"wide={int(wide)}"), timeout=300)
    except PvperfError as error:
        return [], str(error)
    ended = "" if (result.ended, result.status) == ("exit", 0) else f"{result.ended} {result.status}"
    return result.console.decode(errors="replace").splitlines(), ended


def emulate(elf: Path, number: int, build: Build, **config: Any) -> list[list[Result]]:
    """What a guest makes of each of so many images but the first: a result of each vCPU. What ends the VM ends its own
    program alone: the next one gets another."""
    smp = config.get("smp", 1)
    if build.wide:
        config["cpu"] = build.march
    found: list[list[Result]] = []
    while len(found) < number:
        lines, ended = boot(elf, len(found), config, wide=build.wide)
        rows = [line.split(" ", 1)[1] for line in lines if line.split(" ", 1)[0].isdigit()]
        for i in range(0, len(rows) - smp + 1, smp):
            found.append([each if each.startswith("fault") else parse(each) for each in rows[i : i + smp]])
        if len(found) < number:
            found.append([f"the VM ended: {ended} {' '.join(lines[len(rows) :])}"] * smp)
    nothing = found[0][0]
    assert isinstance(nothing, Outcome), nothing
    return [[without(nothing, each) for each in results] for results in found[1:]]


def difference(stepped: Outcome, counted: Result) -> str:
    """What a guest got wrong; empty if nothing."""
    if isinstance(counted, str):
        return counted
    parts = []
    for each in fields(Outcome):
        expected, found = getattr(stepped, each.name), getattr(counted, each.name)
        if expected != found:
            hashed = each.name in ("registers", "vectors", "x87", "memory")
            parts.append(each.name if hashed else f"{each.name} {found!r}, not {expected!r}")
    return "; ".join(parts)
