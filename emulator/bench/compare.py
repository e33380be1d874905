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
    same_machine = not differing_machine(old, new)
    tested = [
        _test_apart(before, group, after[group.name], seed, same_machine)
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


def differing_machine(old: Document, new: Document) -> list[str]:
    """What differs of that by which a reference may change."""
    keys = ("model", "cores", "kernel", "governor", "python", "unicorn")
    return [key for key in keys if old.machine.get(key) != new.machine.get(key)]


def _test_apart(before: CaseResult, old: GroupResult, new: GroupResult, seed: int, same_machine: bool) -> _Tested:
    """By the weakest of the views that have to agree."""
    case = before.case
    after = _values_of(new, case.name)
    views = [(before.values, after)]
    if case.reference and _values_of(old, case.reference) and _values_of(new, case.reference):
        before_ratios = paired_ratios(before.values, _values_of(old, case.reference))
        ratios = (before_ratios, paired_ratios(after, _values_of(new, case.reference)))
        views = [ratios] if same_machine else [*views, ratios]
    effects = [math.log(median(b) / median(a)) for a, b in views]
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
