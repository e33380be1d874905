# SPDX-License-Identifier: GPL-2.0-only
"""Guest speed with instructions and branches counted, against Unicorn with an empty block hook and with none."""

from __future__ import annotations

from collections.abc import Callable

from emulator.bench.measure import Row, interleave, ratio

#: Guests that run on one vCPU without LOCK: what is not counted must still run the same.
GUESTS = ("spin", "matmul", "memwalk", "branchy", "hello", "user", "pingpong", "locks")


def _run(guest: str, hook: str) -> Callable[[], float]:
    def once() -> float:
        from emulator.events import parse_events
        from emulator.machine import VirtualMachine

        events = parse_events("instructions,branches") if hook == "count" else ()
        with VirtualMachine(smp=1, hook=hook) as vm:
            return vm.run(guest, events=events).elapsed_s

    return once


def measure(*, rounds: int) -> list[Row]:
    rows = []
    for guest in GUESTS:
        samples = interleave({hook: _run(guest, hook) for hook in ("count", "empty", "none")}, rounds=rounds)
        counted = samples["count"]
        rows.append(
            Row(
                f"{guest}: speed against an empty block hook",
                ratio(samples["empty"], counted),
                "x",
                ">= 0.85",
                counted.seconds,
            )
        )
        rows.append(
            Row(
                f"{guest}: speed against no hook",
                ratio(samples["none"], counted),
                "x",
                ">= 0.7" if guest == "matmul" else "",
                samples["none"].seconds,
            )
        )
    return rows
