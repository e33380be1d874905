# SPDX-License-Identifier: GPL-2.0-only
"""1 to 64 vCPUs on this machine: what they get done together, and how evenly it is shared among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from emulator.bench.measuring.case import Case, Contender, Effort, Group, Plot, Ratio
from emulator.bench.measuring.vm import count_vcpus, printed_figures, run_guest, tsc_hz

_VCPUS = (1, 2, 4, 8, 16, 32, 64)
_WORKS = {"spin": ("guest code", "M/s", 1e-6), "read": ("READ", "k/s", 1e-3)}


def groups(effort: Effort) -> Iterator[Group]:
    """Guest code that never leaves, and nothing but hypercalls."""
    for work, (what, unit, factor) in _WORKS.items():
        contenders = []
        vcpus = _VCPUS[:: effort.pick(1, 3)]
        for smp in vcpus:
            cases = (
                Case(
                    name=f"{what}, {count_vcpus(smp)}",
                    unit=unit,
                    higher_is_better=True,
                    labels={"vCPUs": smp, "of": "speed"},
                ),
                Case(
                    name=f"fairness, {count_vcpus(smp)}",
                    unit="Jain",
                    higher_is_better=True,
                    labels={"vCPUs": smp, "of": "fair"},
                ),
            )
            contenders.append(Contender(cases, _share(work, smp, effort.pick(500, 100), factor)))
        plots = [
            Plot(title=f"{what}: all vCPUs together", x="vCPUs", where={"of": "speed"}, log_x=True),
            Plot(
                title=f"{what}: fairness between vCPUs (1: all the same)", x="vCPUs", where={"of": "fair"}, log_x=True
            ),
        ]
        last, first = f"{what}, {count_vcpus(vcpus[-1])}", f"{what}, {count_vcpus(1)}"
        ratios = [Ratio(f"{what}: {vcpus[-1]} vCPUs together / one alone", last, first)]
        about = f"{what} in the same stretch of time, all vCPUs together; Jain's index of fairness"
        yield Group(name=f"scale, {what}", about=about, contenders=contenders, ratios=ratios, plots=plots)


def _share(work: str, smp: int, ms: int, factor: float) -> Callable[[], Sequence[float]]:
    """How much is done in a second by all, and how evenly."""

    def once() -> Sequence[float]:
        ticks = int(tsc_hz() * ms * 1e-3)
        lines = printed_figures(run_guest("share", [f"work={work}", f"ticks={ticks}"], smp=smp))
        done = [int(line["done"]) for line in lines]
        longest = max(int(line["ticks"]) for line in lines)
        return sum(done) / (max(longest, ticks) / tsc_hz()) * factor, jain(done)

    return once


def jain(shares: Sequence[float]) -> float:
    """Jain's index: 1 if all have the same, 1/n if one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))
