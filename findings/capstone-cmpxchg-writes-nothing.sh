#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Capstone's regs_access() lists what an instruction reads and writes, implicit registers too: RAX, RDX and the flags of cmpxchg16b, RCX of
# pcmpistri. For the plain cmpxchg, which every lock is made of, it knows no written register at all, and for syscall, xadd,
# xlatb and pcmpistrm it leaves out others. Whoever keeps a register over such an instruction because of it, has a stale one.
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

CASES = {  # what is written, but for memory (SDM vol. 2)
    "480fc70f": {"rax", "rdx", "rflags"},  # cmpxchg16b [rdi]
    "480fb10f": {"rax", "rflags"},  # cmpxchg [rdi], rcx
    "f0480fc10f": {"rcx", "rflags"},  # lock xadd [rdi], rcx
    "0f05": {"rcx", "r11", "rax"},  # syscall; RAX by Linux
    "d7": {"al"},  # xlatb
    "660f3a62c100": {"xmm0", "rflags"},  # pcmpistrm xmm0, xmm1, 0
}


def exchanged(rax: int, memory: int) -> int:
    """RAX behind `cmpxchg [rdi], rcx`, by the processor."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("488b4708 480fb10f 48894708 c3"))  # mov rax, [rdi+8]; cmpxchg; mov [rdi+8], rax; ret
    words = (ctypes.c_uint64 * 2)(memory, rax)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))(ctypes.addressof(words))
    return words[1]


decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
decoder.detail = True
print("capstone", importlib.metadata.version("capstone"))
missing = {}
for code, right in CASES.items():
    (instruction,) = decoder.disasm(bytes.fromhex(code), 0x1000)
    written = {instruction.reg_name(register) for register in instruction.regs_access()[1]}
    missing[instruction.mnemonic] = right - written
    name = f"{instruction.mnemonic} {instruction.op_str}"
    print(f"{name:36} writes {', '.join(sorted(written)) or 'nothing'}; left out: {', '.join(sorted(right - written)) or 'nothing'}")
assert exchanged(rax=1, memory=2) == 2
assert not missing["cmpxchg16b"]
assert missing["cmpxchg"] == {"rax", "rflags"}, "it behaves differently now"
assert all(missing[name] for name in missing if name != "cmpxchg16b"), "it behaves differently now"
PY
