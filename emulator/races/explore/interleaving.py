# SPDX-License-Identifier: GPL-2.0-only
"""A replayed schedule for people: a column a vCPU, time downwards, with the lines of source."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from emulator.races.explore.case import Case
from emulator.races.explore.machine import Step

_PLACE = re.compile(r"(\w+\.c):(\d+)")
#: Columns of text where nobody says how wide it may be, those of the step's number, and those that any text needs.
_WIDTH, _NUMBER, _LEAST_COLUMN, _ROOM, _LEAST_ROOM = 128, 8, 8, 40, 16
_NATIVE = Path(__file__).resolve().parents[3] / "native"


@cache
def _source(name: str) -> list[str]:
    """The lines of a file of the core; none where the sources are not installed."""
    for path in (*_NATIVE.glob(f"core/*/{name}"), *_NATIVE.glob(f"explore/*/{name}")):
        return path.read_text(encoding="utf-8").splitlines()
    return []


def source_line(step: Step) -> str:
    """The code at a place such as `event.c:103`, or ''. Of a point between two statements, which has its name beside
    the place, it is the second one."""
    place = _PLACE.match(step.where)
    if not place:
        return ""
    lines, number = _source(place[1]), int(place[2]) + (step.kind == "point")
    return lines[number - 1].strip() if number <= len(lines) else ""


def _runs(log: list[Step]) -> Iterator[tuple[int, list[Step]]]:
    """The log cut where the fiber changes; each piece with the number of its first step."""
    first = 0
    for at in range(1, len(log) + 1):
        if at == len(log) or log[at].fiber != log[first].fiber:
            yield first, log[first:at]
            first = at


def _op_text(case: Case, step: Step) -> str:
    fibers = [*case.program.vcpus, case.program.timer]
    ops = fibers[step.fiber] if step.fiber < len(fibers) else ()
    return str(ops[step.op]) if step.op < len(ops) else "idle"


def _name(case: Case, fiber: int) -> str:
    return f"vCPU {fiber}" if fiber < len(case.program.vcpus) else "timer"


def _piece(case: Case, steps: list[Step], passing: Sequence[int]) -> Iterator[str]:
    """An operation's name where it begins, then the first and the last place of each stretch of it. At the steps in
    `passing` somebody else's store to the same word was waiting in its buffer.
    """
    op = -1
    for at, step in enumerate(steps):
        if step.op != op:
            op = step.op
            yield f"[{_op_text(case, step)}]"
        if step.kind in ("guest", "idle"):
            continue
        edge = at in (0, len(steps) - 1) or steps[at - 1].op != step.op
        if at in passing:
            yield "  -- does not see the store that waits --"
        if edge or at in passing or step.kind in ("point", "trylock", "wait", "wake", "visible"):
            yield f"  {step.kind} {step.where}"
            if code := source_line(step):
                yield f"    {code}"


def interleaving(case: Case, log: list[Step], *, width: int = 0) -> list[str]:
    """Lines of text, none longer than `width`, unless that is 0. Between a vCPU's first and last step in a column it
    ran alone: so each line has one column's text, which may go on below the others' heads."""
    fibers = len(case.program.vcpus) + bool(case.program.timer)
    column = _column(width or _WIDTH, fibers)
    lines = ["step    " + "".join(_name(case, fiber).ljust(column) for fiber in range(fibers)).rstrip()]
    preempted = {switch.step for switch in case.switches if switch.preempts and not switch.passes}
    passes = {switch.step for switch in case.switches if switch.passes}
    for first, steps in _runs(log):
        begin = _NUMBER + column * steps[0].fiber
        passing = [at for at in range(len(steps)) if first + at in passes]
        for at, text in enumerate(_piece(case, steps, passing)):
            number = str(first) if at == 0 else ""
            for piece in _wrapped(text, width - begin) if width else [text]:
                lines.append(f"{number:<{begin}}{piece}".rstrip())
                number = ""
        if first + len(steps) in preempted:
            lines.append(f"{'':<{begin}}-- preempted --")
    return lines


def _column(width: int, fibers: int) -> int:
    """So wide that there is room for text in the last one, too."""
    rest = max(1, fibers - 1)
    return max(_LEAST_COLUMN, min((width - _NUMBER) // max(1, fibers), (width - _NUMBER - _ROOM) // rest))


def _wrapped(text: str, room: int) -> list[str]:
    """Within so much room, and set in as the text is."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text.strip(), max(_LEAST_ROOM, room), initial_indent=indent, subsequent_indent=indent) or [""]
