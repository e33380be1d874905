#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# MXCSR.FTZ belongs to SSE. In Unicorn 2.1.4 it acts on the x87 unit instead: a product of SSE that is too small keeps its
# denormal value, and the same product of x87, which MXCSR has no say in, becomes 0 as it is stored. The processor does it the
# other way round. A program that gcc linked with -ffast-math sets the bit at its start: its results differ, with no error.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import ctypes
import mmap
import struct

import unicorn
from unicorn.x86_const import UC_X86_REG_RDI

CODE = bytes.fromhex(
    "0fae5f20 0fae5724"  # stmxcsr [rdi+32]; ldmxcsr [rdi+36]
    "dd07 dc4f08 dd5f10"  # fld qword [rdi]; fmul qword [rdi+8]; fstp qword [rdi+16]
    "f20f1007 f20f594708 f20f114718"  # movsd xmm0, [rdi]; mulsd xmm0, [rdi+8]; movsd [rdi+24], xmm0
    "0fae5720"  # ldmxcsr [rdi+32]
)
DEFAULT, FTZ = 0x1F80, 0x8000


def data(mxcsr: int) -> bytes:
    return struct.pack("<ddddII", 1e-300, 1e-10, -1, -1, 0, mxcsr)


def products(after: bytes) -> tuple[float, float]:
    return struct.unpack_from("<dd", after, 16)


def emulated(mxcsr: int) -> tuple[float, float]:
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(0x1000, 0x2000)
    engine.mem_write(0x1000, CODE)
    engine.mem_write(0x2000, data(mxcsr))
    engine.reg_write(UC_X86_REG_RDI, 0x2000)
    engine.emu_start(0x1000, 0x1000 + len(CODE))
    return products(engine.mem_read(0x2000, 40))


def executed(mxcsr: int) -> tuple[float, float]:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE + b"\xc3")
    buffer = ctypes.create_string_buffer(data(mxcsr), 40)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))(ctypes.addressof(buffer))
    return products(buffer.raw)


print("unicorn", unicorn.__version__)
small = emulated(DEFAULT)
print("1e-300 * 1e-10, by x87 and by SSE")
print("without FTZ: Unicorn", *small, " processor", *executed(DEFAULT))
flushed, right = emulated(DEFAULT | FTZ), executed(DEFAULT | FTZ)
print("with FTZ:    Unicorn", *flushed, " processor", *right)
assert small == executed(DEFAULT)
assert small[0] == small[1] > 0
assert right == (small[0], 0)
assert flushed == (0, small[1]), "it behaves differently now"
PY
