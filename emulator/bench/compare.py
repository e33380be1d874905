# SPDX-License-Identifier: GPL-2.0-only
"""Tells a change between two builds from noise.

Two results that were measured apart also differ by what the machine did meanwhile. So a case counts as changed only
if both its raw values and its ratios to its reference of the same rounds changed, in the same direction: the machine
moves both the case and its reference, and a reference that moved by itself leaves the raw values alone.

Rounds in which both builds took turns are compared pair by pair, which needs no reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from emulator.bench.case import Case
from emulator.bench.result import CaseResult, Document, GroupResult
from emulator.bench.statistic import Estimate, bootstrap, holm, mann_whitney, paired_ratios, seed_of, signed_rank

#: Of all that was compared together, the chance that anything is reported without a cause.
ALPHA = 0.01


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
    """Of every case that both have measured and that is no peer."""
    after = {group.name: group for group in new.groups}
    tested = [
        _test_apart(group.name, before, group, after[group.name], seed)
        for group in old.groups
        if group.name in after
        for before in group.cases
        if not before.case.peer and before.values and _values_of(after[group.name], before.case.name)
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


def _values_of(group: GroupResult, name: str) -> list[float]:
    """Nothing for a case that it does not have."""
    try:
        return group.case(name).values
    except KeyError:
        return []


def _test_apart(name: str, before: CaseResult, old: GroupResult, new: GroupResult, seed: int) -> _Tested:
    case = before.case
    views = [(before.values, _values_of(new, case.name))]
    if case.reference and _values_of(old, case.reference) and _values_of(new, case.reference):
        pairs = [(group.case(case.name).values, _values_of(group, case.reference)) for group in (old, new)]
        views.append((paired_ratios(*pairs[0]), paired_ratios(*pairs[1])))
    effects = [math.log(median(b) / median(a)) for a, b in views]
    agree = all(effect > 0 for effect in effects) or all(effect < 0 for effect in effects)
    weakest = min(range(len(views)), key=lambda k: abs(effects[k]))
    a, b = views[weakest]
    return _Tested(
        name,
        case,
        median(before.values),
        median(views[0][1]),
        _ratio_of_medians(a, b, seed_of(seed, name, case.name), case.higher_is_better),
        effects[weakest] if agree else 0.0,
        max(mann_whitney(first, second) for first, second in views) if agree else 1.0,
    )


def _ratio_of_medians(old: Sequence[float], new: Sequence[float], seed: int, inverted: bool) -> Estimate:
    """With the interval that resampling both sides gives."""
    parts = len(old)

    def ratio(values: Sequence[float]) -> float:
        a, b = median(values[:parts]), median(values[parts:])
        return a / b if inverted else b / a

    from random import Random

    draw = Random(seed)
    found = sorted(ratio([*draw.choices(old, k=parts), *draw.choices(new, k=len(new))]) for _ in range(1000))
    return Estimate(ratio([*old, *new]), found[25], found[974])


def _test_paired(name: str, before: CaseResult, after: list[float], seed: int) -> _Tested:
    case = before.case
    ratios = paired_ratios(after, before.values)
    better_low = [1 / ratio for ratio in ratios] if case.higher_is_better else ratios
    return _Tested(
        name,
        case,
        median(before.values),
        median(after),
        bootstrap(better_low, seed=seed_of(seed, name, case.name)),
        math.log(median(ratios)),
        signed_rank([math.log(ratio) for ratio in ratios]),
    )


def _judge(tested: list[_Tested], min_effect: float) -> list[Change]:
    adjusted = holm([one.p for one in tested])
    changes = []
    for one, p in zip(tested, adjusted, strict=True):
        changed = p < ALPHA and abs(one.least) >= math.log1p(min_effect)
        worse = (one.least < 0) == one.case.higher_is_better
        verdict = ("worse" if worse else "better") if changed else "same"
        changes.append(Change(one.group, one.case, one.old, one.new, one.effect, p, verdict))
    return changes
