#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A guest's LOCK prefix is not atomic between two Unicorn 2.1.4 engines that share memory (uc_mem_map_ptr), each in its
# process: `lock inc` is translated to a load, an addition and a store. QEMU, whose code it is, has translations for
# several CPUs; no call of Unicorn's asks for them. Updates are lost without a word.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
cat >"$work/lost.py" <<'PY'
import ctypes
import mmap
import multiprocessing

import unicorn
from unicorn.x86_const import UC_X86_REG_RDI

COUNT, PROCESSES, CODE, DATA = 3_000_000, 2, 0x1000, 0x100000
LOOP = b"\xb9" + COUNT.to_bytes(4, "little") + bytes.fromhex("f048ff07" "ffc9" "75f8")  # lock inc [rdi]; dec ecx; jnz


def work(memory: mmap.mmap, ready: object) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(CODE, 0x1000)
    engine.mem_map_ptr(DATA, 0x1000, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE, address)
    engine.mem_write(CODE, LOOP)
    engine.reg_write(UC_X86_REG_RDI, DATA)
    ready.wait()
    engine.emu_start(CODE, CODE + len(LOOP))


def count(processes: int) -> int:
    context = multiprocessing.get_context("fork")
    memory, ready = mmap.mmap(-1, 0x1000), context.Barrier(processes)
    children = [context.Process(target=work, args=(memory, ready)) for _ in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return int.from_bytes(memory[:8], "little")


print("unicorn", unicorn.__version__)
alone, together = count(1), count(PROCESSES)
print(f"one process:   {alone:,} of {COUNT:,} lock inc")
print(f"two processes: {together:,} of {PROCESSES * COUNT:,} lock inc")
assert alone == COUNT
assert together < PROCESSES * COUNT, "it behaves differently now (or one processor had both)"
PY
"$work/venv/bin/python" "$work/lost.py"
