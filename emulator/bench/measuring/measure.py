# SPDX-License-Identifier: GPL-2.0-only
"""Interleaved measurements: every contender in turn, round after round, and every raw value kept, whatever happens."""

from __future__ import annotations

import math

from emulator.bench.measuring.case import Absent, Contender, Cut, Failed, Findings, Group, Told, Violated
from emulator.bench.measuring.machine import Watch
from emulator.bench.measuring.result import CaseResult, GroupResult
from emulator.errors import UsageError

WARM_UP = 1


def measure_group(
    group: Group, *, rounds: int, warm_up: int = WARM_UP, progress: Told = lambda _, share: None
) -> GroupResult:
    """Runs the contenders A B C, A B C, ... and keeps what they return.

    The first `warm_up` rounds are run like the others, but their values are dropped. A contender that is Absent, or
    fails, leaves for good, and its cases have the reason beside the values of the rounds before. The group's study, if
    it has one, comes last. Raises Cut, with all of this as far as it came, for what ends more than a contender.
    """
    taken = _Taken(group)
    try:
        turns = warm_up + rounds if group.contenders else 0
        for turn in range(turns):
            which = "warm-up" if turn < warm_up else f"round {turn - warm_up + 1} of {rounds}"
            for at, contender in enumerate(group.contenders):
                progress(f"{group.name}: {which}", (turn + at / len(group.contenders)) / turns)
                taken.take_turn(contender, keep=turn >= warm_up)
        if group.study:
            taken.found = group.study(lambda what, share: progress(f"{group.name}: {what}", share))
    except Cut as cut:
        taken.found = cut.found
        raise Cut(taken.result(), cut.cause) from None
    except BaseException as cause:
        raise Cut(taken.result(), cause) from None
    return taken.result()


class _Taken:
    """What was measured of a group until now. A case has the values of the first rounds, without a gap."""

    def __init__(self, group: Group) -> None:
        self.found = Findings()
        self._group, self._watch = group, Watch()
        self._values: dict[str, list[float]] = {case.name: [] for one in group.contenders for case in one.cases}
        self._absent: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._broken: list[str] = []

    def take_turn(self, contender: Contender, *, keep: bool) -> None:
        """One run of it, unless it has left."""
        name = contender.cases[0].name
        if name in self._absent or name in self._failed:
            return
        try:
            got = contender.run()
            if len(got) != len(contender.cases) or not all(map(math.isfinite, got)):
                raise Failed(f"it gave {got}")
        except Absent as reason:
            self._absent.update((case.name, str(reason)) for case in contender.cases)
            return
        except UsageError:
            raise
        except Exception as error:
            if isinstance(error, Violated):
                self._broken.append(f"{name}: {error}")
            self._failed.update((case.name, reason_of(error)) for case in contender.cases)
            return
        if keep:
            for case, value in zip(contender.cases, got, strict=True):
                self._values[case.name].append(value)

    def result(self) -> GroupResult:
        group, found = self._group, self.found
        cases = [
            CaseResult(case, self._values[case.name], self._absent.get(case.name, ""), self._failed.get(case.name, ""))
            for contender in group.contenders
            for case in contender.cases
        ]
        return GroupResult(
            group.name,
            group.about,
            cases,
            list(group.ratios),
            list(group.plots),
            self._watch.conditions(),
            panels=list(found.panels),
            remarks=list(found.remarks),
            points=[dict(point) for point in found.points],
            broken=[*self._broken, *found.broken],
            failed=list(found.failed),
        )


def reason_of(error: Exception) -> str:
    """In one line; with its kind, if nobody expected it."""
    text = " ".join(str(error).split())
    return text if isinstance(error, Failed | Violated) and text else f"{type(error).__name__}: {text}".rstrip(": ")
