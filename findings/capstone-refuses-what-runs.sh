#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Capstone does not decode some encodings that any x86-64 executes: reserved nops (0F 1C is what newer compilers hint with), pause
# with an operand-size prefix, bsf with F2, and the second encoding of fxch. It says nothing, the disassembly just ends:
# for whoever takes lengths from it, valid code becomes data. Each is run here by the processor itself.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'capstone==5.0.9'
"$work/venv/bin/python" - <<'PY'
import ctypes
import importlib.metadata
import mmap

import capstone

CASES = {
    "0f1cc0": "nop with a modrm byte (0F 1C /0)",
    "0f1ac1": "the same of 0F 1A",
    "66f390": "pause with an operand-size prefix",
    "f20fbcc1": "bsf with F2",
    "ddc9": "fxch st(1), by its second encoding",
}
RETURN = b"\xc3"


def run(code: bytes) -> None:
    """By the processor: an illegal instruction would end this process."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xd9\xee\xd9\xe8" + code + b"\xdd\xd8\xdd\xd8" + RETURN)  # fldz, fld1, the code, two fstp
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
print("capstone", importlib.metadata.version("capstone"))
for text, name in CASES.items():
    code = bytes.fromhex(text)
    run(code)
    decoded = [instruction.mnemonic for instruction in decoder.disasm(code, 0x1000)]
    print(f"{text:9} {name}: the processor runs it; Capstone: {decoded or 'nothing'}")
    assert not decoded, "it behaves differently now"
PY
