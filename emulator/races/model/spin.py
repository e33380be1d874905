# SPDX-License-Identifier: GPL-2.0-only
"""The same search by Spin, which has to be installed, as has a C compiler."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from emulator.errors import PvperfError, Unsupported
from emulator.places import find_program, run_program
from emulator.races.model.bounds import Model
from emulator.races.model.search import Searched

PROMELA = Path(__file__).with_name("pv_perf.pml")
#: Spin must not fold steps together, nor forget variables that are not read any more: the states are to be the same.
_NO_OPTIMISATION = ("-o1", "-o2", "-o3")
#: What optimising costs is more than it saves, below two million states.
_PAN = ("-O0", "-w", "-DBFS", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=2048")
_STATE_BYTES = 200  # what pan takes for a state, by a generous estimate
_LEAST_MEGABYTES = 500


def search(model: Model, *, most_states: int, tick: Callable[[int], None] = lambda _: None) -> Searched:
    """As search.search(), within the memory of about so many states, which are not told while they are searched.
    Unsupported where Spin is absent."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    for program in ("spin", compiler[0]):
        if not find_program(program):
            raise Unsupported(f"{program} is not there: install it, or search with --python")
    with tempfile.TemporaryDirectory(prefix="pvperf-model-") as scratch:
        folder = Path(scratch)
        shutil.copy(PROMELA, folder)
        definitions = [f"-D{word}" for word in model.definitions()]
        _run(folder, "spin", *_NO_OPTIMISATION, *definitions, "-a", PROMELA.name)
        megabytes = max(_LEAST_MEGABYTES, most_states * _STATE_BYTES >> 20)
        _run(folder, *compiler, *_PAN, f"-DMEMLIM={megabytes}", "-o", "pan", "pan.c")
        result = _run(folder, str(folder / "pan"), "-E")
        violates, trail = _read_trail(folder, definitions)
    return _searched(result, violates, trail)


def _searched(result: str, violates: str, trail: list[str]) -> Searched:
    states, errors = re.search(r"(\d+) states, stored", result), re.search(r"errors: (\d+)", result)
    if not states or not errors or bool(int(errors[1])) != bool(violates):
        raise PvperfError(f"Spin's verifier did not say what it found: {result.strip()[-300:]}")
    complete = not violates and "Search not completed" not in result
    return Searched(int(states[1]), complete, violates, trail)


def _read_trail(folder: Path, definitions: list[str]) -> tuple[str, list[str]]:
    """The oracle that the trail violates, and what was printed on the way; nothing when there is no trail."""
    path = folder / f"{PROMELA.name}.trail"
    if not path.exists():
        return "", []
    said = _run(folder, "spin", "-T", "-B", "-k", path.name, "-t", *definitions, PROMELA.name)
    lines = [line.strip() for line in said.splitlines()]
    oracles = [line.removeprefix("violates ") for line in lines if line.startswith("violates ")]
    steps = [line for line in lines if line.startswith(("vCPU ", "NMI: ", "all are at rest"))]
    if oracles == ["O10 progress"]:
        steps.append("nobody can go on")
    return (oracles[0] if oracles else "an assertion"), steps


def _run(folder: Path, *command: str) -> str:
    """What a command prints; PvperfError when it fails. pan's status is 0 whatever it finds."""
    done = run_program(command, cwd=folder)
    output = done.stdout + done.stderr
    if done.returncode and "assertion violated" not in output:
        raise PvperfError(f"{command[0]} failed: {output.strip()[-300:]}")
    return output
