#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# pcmpistri in its mode "equal ordered" is made for strstr: a match that begins in the last bytes of a chunk and goes on in the next
# is reported as one, by where it begins (SDM vol. 2, "Aggregation Operation"). Unicorn 2.1.4 reports matches that fit as a whole, and none
# that is cut: such a strstr finds a string or not, depending on where it lies in its 16 bytes.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import ctypes
import mmap

import unicorn
from unicorn.x86_const import UC_X86_REG_RDI

# movdqu xmm0, [rdi]; movdqu xmm1, [rdi+16]; pcmpistri xmm0, xmm1, 0x0c; mov [rdi+32], rcx
CODE = bytes.fromhex("f30f6f07 f30f6f4f10 660f3a63c10c 48894f20")
SOUGHT = b"ab".ljust(16, b"\0")


def emulated(chunk: bytes) -> int:
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(0x1000, 0x2000)
    engine.mem_write(0x1000, CODE)
    engine.mem_write(0x2000, SOUGHT + chunk)
    engine.reg_write(UC_X86_REG_RDI, 0x2000)
    engine.emu_start(0x1000, 0x1000 + len(CODE))
    return int.from_bytes(engine.mem_read(0x2020, 8), "little")


def executed(chunk: bytes) -> int:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE + b"\xc3")
    buffer = ctypes.create_string_buffer(SOUGHT + chunk, 40)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))(ctypes.addressof(buffer))
    return int.from_bytes(buffer.raw[32:], "little")


print("unicorn", unicorn.__version__)
seen = {}
for chunk in (b"xxxxxxxxxxxxxabx", b"xxxxxxxxxxxxxxab", b"xxxxxxxxxxxxxxxa", b"xxxxxxxxxxxxxxxx"):
    seen[chunk] = emulated(chunk), executed(chunk)
    print(f'"ab" in "{chunk.decode()}": Unicorn {seen[chunk][0]}, processor {seen[chunk][1]} (16: not there)')
assert list(seen.values()) == [(13, 13), (14, 14), (16, 15), (16, 16)], "it behaves differently now"
PY
