#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Unicorn 2.1.4 takes the 16 bits that RET releases from the stack as signed: from 0x8000 on RSP goes down by what is
# missing to 0x10000 instead of up. The SDM (vol. 2, RET) and every processor take them as they are.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import unicorn
from unicorn.x86_const import UC_X86_REG_RSP

CODE, BACK, STACK = 0x1000, 0x1800, 0x30000


def released(number: int) -> int:
    """By how much `ret number` moves RSP, the address that it takes aside."""
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(CODE, 0x1000)
    engine.mem_map(STACK, 0x1000)
    engine.mem_write(CODE, b"\xc2" + number.to_bytes(2, "little"))
    engine.mem_write(STACK, BACK.to_bytes(8, "little"))
    engine.reg_write(UC_X86_REG_RSP, STACK)
    engine.emu_start(CODE, BACK)
    return engine.reg_read(UC_X86_REG_RSP) - STACK - 8


print("unicorn", unicorn.__version__)
seen = {number: released(number) for number in (0x10, 0x7FF8, 0x8000, 0xFFF0)}
for number, by in seen.items():
    print(f"ret {number:#06x}: RSP {by:+#x}; right: {number:+#x}")
assert seen == {0x10: 0x10, 0x7FF8: 0x7FF8, 0x8000: -0x8000, 0xFFF0: -0x10}, "it behaves differently now"
PY
