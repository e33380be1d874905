# SPDX-License-Identifier: GPL-2.0-only
"""Proportional set size: what a VM needs, what a further vCPU adds, and what an open event adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from emulator.bench.measuring.case import Case, Contender, Effort, Group, Plot, single
from emulator.bench.measuring.vm import count_vcpus, run_guest

_VCPUS = (1, 2, 4, 8, 16, 32)
_EVENTS = 65_536


def groups(effort: Effort) -> Iterator[Group]:
    """Measured when the guest has ended and its vCPU processes still wait."""
    contenders: list[Contender] = []
    for smp in _VCPUS[:: effort.pick(1, 3)]:
        labels = {"vCPUs": smp}
        cases = (
            Case(name=f"whole VM, {count_vcpus(smp)}", unit="MiB", labels=labels | {"of": "whole VM"}),
            Case(
                name=f"each vCPU process, {count_vcpus(smp)}", unit="MiB", labels=labels | {"of": "each vCPU process"}
            ),
        )
        contenders.append(Contender(cases, _processes(smp)))
    contenders.append(single(Case(name="an open event adds", unit="bytes"), _per_event))
    plot = Plot(title="Proportional set size", x="vCPUs", series="of", log_x=True, log_y=True)
    yield Group(
        name="memory", about="proportional set size of a VM with 64 MiB of RAM", contenders=contenders, plots=[plot]
    )


def _pss(smp: int, *args: str, **config: Any) -> dict[str, int]:
    """By process, KiB."""
    return run_guest("ops", ["calls=1", *args], smp=smp, measure_memory=True, **config).pss_kib


def _processes(smp: int) -> Callable[[], list[float]]:
    def once() -> list[float]:
        sizes = _pss(smp)
        vcpus = [size for name, size in sizes.items() if name.startswith("vcpu")]
        return [sum(sizes.values()) / 1024, sum(vcpus) / len(vcpus) / 1024]

    return once


def _per_event() -> float:
    """Host memory and guest memory of one that is open."""
    few, many = (sum(_pss(1, f"events={n}", max_events=_EVENTS + 1).values()) for n in (1, _EVENTS))
    return (many - few) * 1024 / (_EVENTS - 1)
