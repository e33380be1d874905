# SPDX-License-Identifier: GPL-2.0-only
"""Interleaved measurements: every contender in turn, round after round, and every raw value kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from emulator.bench.case import Absent, Contender, Findings, Group
from emulator.bench.machine import Watch
from emulator.bench.result import CaseResult, GroupResult

WARM_UP = 1


def measure_group(
    group: Group, *, rounds: int, warm_up: int = WARM_UP, progress: Callable[[str], None] = lambda _: None
) -> GroupResult:
    """Runs the contenders A B C, A B C, ... and keeps what they return.

    The first `warm_up` rounds are run like the others, but their values are dropped. A contender that is Absent
    leaves for good, and its cases give the reason instead of values. The group's study, if it has one, comes last.
    """
    watch = Watch()
    values: dict[str, list[float]] = {case.name: [] for one in group.contenders for case in one.cases}
    absent: dict[str, str] = {}
    for turn in range(warm_up + rounds if group.contenders else 0):
        progress(f"{group.name}: {'warm-up' if turn < warm_up else f'round {turn - warm_up + 1} of {rounds}'}")
        for contender in group.contenders:
            if contender.cases[0].name not in absent:
                _take_turn(contender, values if turn >= warm_up else None, absent)
    cases = [
        CaseResult(case, [] if case.name in absent else values[case.name], absent.get(case.name, ""))
        for contender in group.contenders
        for case in contender.cases
    ]
    found = group.study(lambda what: progress(f"{group.name}: {what}")) if group.study else Findings()
    return GroupResult(
        group.name,
        group.about,
        cases,
        list(group.ratios),
        list(group.plots),
        watch.conditions(),
        panels=list(found.panels),
        remarks=list(found.remarks),
        points=[dict(point) for point in found.points],
    )


def _take_turn(contender: Contender, values: dict[str, list[float]] | None, absent: dict[str, str]) -> None:
    try:
        got: Sequence[float] = contender.run()
    except Absent as reason:
        absent.update((case.name, str(reason)) for case in contender.cases)
        return
    for case, value in zip(contender.cases, got, strict=True):
        if values is not None:
            values[case.name].append(value)


def measure_groups(
    groups: Iterable[Group], *, rounds: int, warm_up: int = WARM_UP, progress: Callable[[str], None] = lambda _: None
) -> list[GroupResult]:
    """Group after group; within a group everything is interleaved."""
    return [measure_group(group, rounds=rounds, warm_up=warm_up, progress=progress) for group in groups]
