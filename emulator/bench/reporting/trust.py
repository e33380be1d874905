# SPDX-License-Identifier: GPL-2.0-only
"""Why a result cannot be trusted, if there is a reason: each warning names its cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from emulator.bench.measuring.result import GroupResult
from emulator.bench.measuring.statistic import signed_rank

#: Exit status of a measurement that cannot be trusted.
UNTRUSTED = 7
#: What is said of a result that was measured by less than it takes.
QUICK = "a quick look: not for quoting"
MIN_ROUNDS = 10
MAX_STOLEN = 0.01
MAX_OTHERS = 0.05
#: Half of the interval, as a share of the value.
MAX_HALF_WIDTH = 0.10
_NAMED = 3


def warnings(groups: Sequence[GroupResult], *, rounds: int, seed: int, governor: str) -> list[str]:
    """A sentence for each cause, none for a result that can be trusted."""
    found = []
    if rounds < MIN_ROUNDS:
        found.append(f"too few rounds: {rounds}, and an interval needs {MIN_ROUNDS}")
    if governor and governor != "performance":
        found.append(f"the clock frequency may change: the governor is {governor}, not performance")
    found += _of_machine(groups)
    found += _of_intervals(groups, seed)
    found += _of_drift(groups)
    return found


def of_everything(warnings: Sequence[str]) -> list[str]:
    """Of these warnings, those that are of the whole measurement, and not of single figures."""
    return [warning for warning in warnings if not warning.startswith(("intervals wider", "drift:"))]


def failures(groups: Sequence[GroupResult], *, ended: str = "") -> list[str]:
    """What is not there although it was to be measured, also in a quick look: a sentence for each group, and why the
    last one was."""
    found = []
    for group in groups:
        failed = dict.fromkeys(result.failed for result in group.cases if result.failed)
        names = [next(result.case.name for result in group.cases if result.failed == why) for why in failed]
        said = [f"{name}: {why}" for name, why in zip(names, failed, strict=True)] + group.failed
        if said:
            found.append(f"failed: {group.name}: {_some(said)}")
    return [*found, *([f"it was ended by {ended}: what came later was not measured"] if ended else [])]


def _of_machine(groups: Sequence[GroupResult]) -> list[str]:
    seconds = sum(group.conditions.seconds for group in groups)
    if not seconds:
        return []
    stolen = sum(group.conditions.stolen * group.conditions.seconds for group in groups) / seconds
    others = sum(group.conditions.others * group.conditions.seconds for group in groups) / seconds
    found = []
    if stolen > MAX_STOLEN:
        found.append(f"steal: the hypervisor below took {stolen:.1%} of the CPU time away")
    if others > MAX_OTHERS:
        found.append(f"load: other processes used {others:.1%} of the CPU time")
    return found


def doubts(group: GroupResult, seed: int) -> dict[str, str]:
    """What of a group cannot be trusted by itself, by the name of the case or ratio, and why."""
    found = {name: f"+-{width:.0%}" for name, width in _wide(group, seed)}
    return found | {name: f"{change:+.0%} from half to half" for name, change in _drifted(group)}


def _wide(group: GroupResult, seed: int) -> Iterator[tuple[str, float]]:
    """Of our own figures, and of every ratio that has a target: half of an interval that is too wide."""
    for result in group.cases:
        if len(result.values) > 1 and not result.case.peer:
            width = group.estimate(result, seed).half_width
            if width > MAX_HALF_WIDTH:
                yield result.case.name, width
    for ratio in group.ratio_results(seed):
        if ratio.ratio.target and len(ratio.values) > 1 and ratio.estimate.half_width > MAX_HALF_WIDTH:
            yield ratio.ratio.name, ratio.estimate.half_width


def _drifted(group: GroupResult) -> Iterator[tuple[str, float]]:
    """Cases that went up or down from the first half of the rounds to the second, beyond chance, and by how much."""
    for result in group.cases:
        values = result.values
        half = len(values) // 2
        if half < MIN_ROUNDS // 2 or result.case.peer:
            continue
        first, second = values[:half], values[-half:]
        change = median(second) / median(first) - 1 if median(first) else 0.0
        if abs(change) > MAX_HALF_WIDTH and signed_rank([b - a for a, b in zip(first, second, strict=True)]) < 0.1:
            yield result.case.name, change


def _of_intervals(groups: Sequence[GroupResult], seed: int) -> list[str]:
    wide = sorted(
        ((width, f"{group.name}: {name}") for group in groups for name, width in _wide(group, seed)), reverse=True
    )
    if not wide:
        return []
    return [f"intervals wider than +-{MAX_HALF_WIDTH:.0%}: {_some([f'{name} (+-{w:.0%})' for w, name in wide])}"]


def _of_drift(groups: Sequence[GroupResult]) -> list[str]:
    found = sorted(
        (
            (abs(change), f"{group.name}: {name} ({change:+.0%})")
            for group in groups
            for name, change in _drifted(group)
        ),
        reverse=True,
    )
    if not found:
        return []
    return [f"drift: between the first and the second half of the rounds moved {_some([name for _, name in found])}"]


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
