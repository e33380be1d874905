# SPDX-License-Identifier: GPL-2.0-only
"""The program under Unicorn's own Python interface: what its users do to count instructions."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from emulator.bench.peers.program import BARE_ADDRESS, check_result, programs

_STACK, _STACK_BYTES = 0x200000, 0x10000
_RETURN = 0x300000  # where the program returns to, and the run ends


def seconds(iterations: int, hook: str) -> float:
    """Seconds of the program with no hook ("none"), or a Python function for each "block" or each "instruction"."""
    unicorn: Any = import_module("unicorn")
    x86_const: Any = import_module("unicorn.x86_const")
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(BARE_ADDRESS, 0x10000)
    engine.mem_map(_STACK, _STACK_BYTES)
    engine.mem_map(_RETURN, 0x1000)
    engine.mem_write(BARE_ADDRESS, programs().bare)
    stack = _STACK + _STACK_BYTES - 64 - 8  # as after a call
    engine.mem_write(stack, _RETURN.to_bytes(8, "little"))
    engine.reg_write(x86_const.UC_X86_REG_RSP, stack)
    engine.reg_write(x86_const.UC_X86_REG_RDI, iterations)
    counted = [0]

    def count(_engine: object, _address: int, size: int, _data: object) -> None:
        counted[0] += size if hook == "block" else 1

    if hook != "none":
        engine.hook_add(unicorn.UC_HOOK_BLOCK if hook == "block" else unicorn.UC_HOOK_CODE, count)
    start = time.perf_counter()
    engine.emu_start(BARE_ADDRESS, _RETURN)
    took = time.perf_counter() - start
    check_result(f"{engine.reg_read(x86_const.UC_X86_REG_RAX):x}", iterations, "Unicorn")
    return took
