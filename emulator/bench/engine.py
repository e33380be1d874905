# SPDX-License-Identifier: GPL-2.0-only
"""Guest speed with instructions and branches counted, against Unicorn with an empty block hook and with none."""

from __future__ import annotations

from collections.abc import Callable

from emulator.bench.measure import Row, Sample, interleave, ratio

#: Without LOCK in their loops, so that they cost the same whether or not it is atomic.
GUESTS = ("spin", "matmul", "memwalk", "branchy", "hello", "user", "pingpong", "readloop")
#: All LOCK: what counting costs is seen beside what making it atomic between processes costs.
LOCKED = "locks"


def _run(guest: str, hook: str, atomics: str = "host") -> Callable[[], float]:
    """Seconds from the guest's entry to its exit, on one vCPU."""

    def once() -> float:
        from emulator.events import parse_events
        from emulator.machine import VirtualMachine

        events = parse_events("instructions,branches") if hook == "count" else ()
        with VirtualMachine(smp=1, hook=hook, atomics=atomics) as vm:
            return vm.run(guest, events=events).elapsed_s

    return once


def _rows(what: str, samples: dict[str, Sample], *, target: str, bare_target: str = "") -> list[Row]:
    counted, empty, none = samples["count"], samples["empty"], samples["none"]
    return [
        Row(f"{what}: speed against an empty block hook", ratio(empty, counted), "x", target, counted.seconds),
        Row(f"{what}: speed against no hook", ratio(none, counted), "x", bare_target, none.seconds),
    ]


def measure(*, rounds: int) -> list[Row]:
    rows = []
    for guest in GUESTS:
        samples = interleave({hook: _run(guest, hook) for hook in ("count", "empty", "none")}, rounds=rounds)
        rows += _rows(guest, samples, target=">= 0.85", bare_target=">= 0.7" if guest == "matmul" else "")
    contenders = {hook: _run(LOCKED, hook) for hook in ("count", "empty", "none")}
    samples = interleave(contenders | {"plain": _run(LOCKED, "count", "none")}, rounds=rounds)
    rows += _rows(LOCKED, samples, target="")
    samples["count"] = samples["plain"]
    rows += _rows(f"{LOCKED}, LOCK not atomic", samples, target=">= 0.85")[:1]
    return rows
