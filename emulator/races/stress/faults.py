# SPDX-License-Identifier: GPL-2.0-only
"""What goes wrong in a boot: what was asked for, or else what the seed draws, and what the scenario itself needs."""

from __future__ import annotations

import random
from dataclasses import replace

from emulator.races.explore.machine import Setup
from emulator.vm.machine import parse_faults

#: Where a scenario has one certain allocation fail, a VM has so many fail, of 1000.
_FAIL_ALLOC_PERMILLE = 200
_PERMILLE_OF = {
    "trylock": "trylock_permille",
    "guest-write": "write_permille",
    "alloc": "alloc_permille",
    "delay": "delay_permille",
}


def draw_faults(design: str, seed: int, boot: int, *, ends: bool = True) -> str:
    """As part of the noise, by seed: every second boot loses trylocks, some threads are delayed while they hold a
    lock, and now and then there is no memory, if that may be what `ends` the VM. Guest memory fails in the scenarios
    that say so; and, in `posted`, so does memory, for what that does there would come before all else."""
    rng = random.Random(f"faults:{seed}:{boot}")
    faults = ["trylock=10%"] if boot % 2 == 0 else []
    if rng.random() < 0.5:
        faults.append(rng.choice(("delay=0.2%", "delay=1%")))
    if ends and boot % 8 == 7 and design != "posted":
        faults.append("alloc=0.2%")
    return ",".join(faults)


def fault_text(fault: str, setup: Setup) -> str:
    """For a VM: what the scenario's machine needs comes on top of `fault`, which it does not replace."""
    faults = parse_faults(fault)
    if setup.write_permille:
        faults.setdefault("guest-write", setup.write_permille)
    if setup.fail_alloc:
        faults.setdefault("alloc", _FAIL_ALLOC_PERMILLE)
    return ",".join(f"{name}={permille / 10:g}%" for name, permille in faults.items())


def with_faults(setup: Setup, fault: str) -> Setup:
    """For the core alone, and for the explorer: the same in the machine's own terms."""
    permille = {_PERMILLE_OF[name]: value for name, value in parse_faults(fault).items()}
    return replace(setup, **permille)  # type: ignore[arg-type]
