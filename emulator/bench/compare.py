# SPDX-License-Identifier: GPL-2.0-only
"""Tells a change between two builds from noise.

Two results that were measured apart also differ by what the machine did meanwhile. Therefore a case that has a
reference is judged by its ratios to it, round by round: the reference is the same code in both results, so that what
moves it is the machine. Should the machines, kernels or Pythons differ, the reference may have changed by itself; then
a case counts as changed only if its raw values changed, too.

Rounds in which both builds took turns are compared pair by pair, and need no reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from emulator.bench.measuring.case import Case
from emulator.bench.measuring.result import CaseResult, Document, GroupResult
from emulator.bench.measuring.statistic import (
    Estimate,
    bootstrap,
    holm,
    mann_whitney,
    paired_ratios,
    seed_of,
    signed_rank,
)

#: Of all that was compared together, the chance that anything is reported without a cause.
ALPHA = 0.01
#: The effect, as good as infinite, where something came of nothing.
ENDLESS = 1e9
_NAMED = 3


@dataclass(frozen=True)
class Change:
    """Of one case. `effect` is new / old of what is better low, old / new of what is better high: above 1 is worse.

    `p` is adjusted for the number of cases that were compared.
    """

    group: str
    case: Case
    old: float
    new: float
    effect: Estimate
    p: float
    verdict: str  # "worse", "better" or "same"


@dataclass(frozen=True)
class _Tested:
    group: str
    case: Case
    old: float
    new: float
    effect: Estimate
    least: float  # the smaller of the effects that have to agree, as the logarithm of new / old
    p: float


def compare_documents(old: Document, new: Document, *, min_effect: float, seed: int) -> list[Change]:
    """Of every case that both have measured, in the same unit, and that is no peer."""
    after = {group.name: group for group in new.groups}
    same_machine = not differing_machine(old, new)
    tested = [
        _test_apart(before, group, after[group.name], seed, same_machine)
        for group in old.groups
        if group.name in after
        for before in group.cases
        if not before.case.peer and before.values and _same_unit(before.case, after[group.name])
    ]
    return _judge(tested, min_effect)


def compare_rounds(groups: Iterable[tuple[GroupResult, GroupResult]], *, min_effect: float, seed: int) -> list[Change]:
    """Of groups that took turns round by round: old, new."""
    tested = []
    for old, new in groups:
        for before in old.cases:
            after = _values_of(new, before.case.name)
            if not before.case.peer and before.values and len(after) == len(before.values):
                tested.append(_test_paired(old.name, before, after, seed))
    return _judge(tested, min_effect)


def _same_unit(case: Case, group: GroupResult) -> bool:
    """Has the group values of this case, of which it says the same?"""
    other = next((result for result in group.cases if result.case.name == case.name), None)
    return bool(other and other.values and _meaning(other.case) == _meaning(case))


def _meaning(case: Case) -> tuple[str, bool]:
    return case.unit, case.higher_is_better


def not_compared(old: Iterable[GroupResult], new: Iterable[GroupResult]) -> list[str]:
    """What only one of the two has, or both have of another kind: sentences."""
    before, after = ({group.name: group for group in groups} for groups in (old, new))
    found = []
    for which, mine, other in (("old", before, after), ("new", after, before)):
        found += _some(f"only the {which} result has", [f"the group {name}" for name in mine if name not in other])
        both = [(group, other[name]) for name, group in mine.items() if name in other]
        measured = [
            f"{group.name}: {result.case.name}"
            for group, theirs in both
            for result in group.cases
            if result.values and not result.case.peer and not _values_of(theirs, result.case.name)
        ]
        found += _some(f"only the {which} result has values of", measured)
    other_units = [
        f"{name}: {result.case.name} (was {result.case.unit})"
        for name, group in before.items()
        for result in (group.cases if name in after else ())
        if result.values and _values_of(after[name], result.case.name) and not _same_unit(result.case, after[name])
    ]
    return found + _some("the two results measure in other units", other_units)


def _some(sentence: str, names: list[str]) -> list[str]:
    more = len(names) - _NAMED
    return [f"{sentence} {', '.join(names[:_NAMED])}{f' and {more} more' if more > 0 else ''}"] if names else []


def _values_of(group: GroupResult, name: str) -> list[float]:
    """Nothing for a case that it does not have."""
    try:
        return group.case(name).values
    except KeyError:
        return []


def differing_machine(old: Document, new: Document) -> list[str]:
    """What differs of that by which a reference may change."""
    keys = ("model", "cores", "kernel", "governor", "python", "unicorn")
    return [key for key in keys if old.machine.get(key) != new.machine.get(key)]


def _test_apart(before: CaseResult, old: GroupResult, new: GroupResult, seed: int, same_machine: bool) -> _Tested:
    """By the weakest of the views that have to agree."""
    case = before.case
    after = _values_of(new, case.name)
    views = [(before.values, after)]
    if case.reference:
        sides = ((before.values, _values_of(old, case.reference)), (after, _values_of(new, case.reference)))
        before_ratios, after_ratios = (_common_ratios(ours, reference) for ours, reference in sides)
        if before_ratios and after_ratios:
            ratios = (before_ratios, after_ratios)
            views = [ratios] if same_machine else [*views, ratios]
    effects = [_log_ratio(median(b), median(a)) for a, b in views]
    agree = all(effect > 0 for effect in effects) or all(effect < 0 for effect in effects)
    weakest = min(range(len(views)), key=lambda k: abs(effects[k]))
    return _Tested(
        old.name,
        case,
        median(before.values),
        median(after),
        _ratio_of_medians(*views[weakest], seed_of(seed, old.name, case.name), case.higher_is_better),
        effects[weakest] if agree else 0.0,
        max(mann_whitney(a, b) for a, b in views) if agree else 1.0,
    )


def _common_ratios(top: list[float], bottom: list[float]) -> list[float]:
    """In the rounds that both have."""
    both = min(len(top), len(bottom))
    return paired_ratios(top[:both], bottom[:both])


def _ratio_of_medians(old: Sequence[float], new: Sequence[float], seed: int, inverted: bool) -> Estimate:
    """With the interval that resampling both sides gives."""
    parts = len(old)

    def ratio(values: Sequence[float]) -> float:
        a, b = median(values[:parts]), median(values[parts:])
        return _ratio(a, b) if inverted else _ratio(b, a)

    from random import Random

    draw = Random(seed)
    found = sorted(ratio([*draw.choices(old, k=parts), *draw.choices(new, k=len(new))]) for _ in range(1000))
    return Estimate(ratio([*old, *new]), found[25], found[974])


def _test_paired(name: str, before: CaseResult, after: list[float], seed: int) -> _Tested:
    case = before.case
    pairs = list(zip(after, before.values, strict=True))
    better_low = [_ratio(old, new) if case.higher_is_better else _ratio(new, old) for new, old in pairs]
    changes = [_log_ratio(new, old) for new, old in pairs]
    return _Tested(
        name,
        case,
        median(before.values),
        median(after),
        bootstrap(better_low, seed=seed_of(seed, name, case.name)),
        median(changes),
        signed_rank(changes),
    )


def _ratio(top: float, bottom: float) -> float:
    """Also of figures that may be 0, or were taken off each other and are below: they have no ratio but that one is
    more, or less."""
    if top > 0 and bottom > 0:
        return top / bottom
    return 1.0 if top == bottom else ENDLESS if top > bottom else 1 / ENDLESS


def _log_ratio(top: float, bottom: float) -> float:
    return math.log(_ratio(top, bottom))


def _judge(tested: list[_Tested], min_effect: float) -> list[Change]:
    adjusted = holm([one.p for one in tested])
    changes = []
    for one, p in zip(tested, adjusted, strict=True):
        changed = p < ALPHA and abs(one.least) >= math.log1p(min_effect)
        worse = (one.least < 0) == one.case.higher_is_better
        verdict = ("worse" if worse else "better") if changed else "same"
        changes.append(Change(one.group, one.case, one.old, one.new, one.effect, p, verdict))
    return changes
