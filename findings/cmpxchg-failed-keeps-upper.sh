#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Each write of a 32-bit register clears the upper half of the 64-bit one. A `cmpxchg %edx, %ecx` that fails does not write ECX, so the
# processor keeps RCX's upper half and clears that of RAX; one that succeeds does not write EAX and keeps RAX's. In Unicorn 2.1.4 and
# valgrind 3.19, which share no code, either way both registers lose it.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'valgrind=1:3.19*' >/dev/null || { echo "it needs Debian 12's package valgrind, from its archive" >&2; exit 1; }
dpkg-deb -x valgrind_*.deb .
export VALGRIND_LIB="$work/usr/libexec/valgrind"
usr/bin/valgrind --version
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install 'unicorn==2.1.4'

cat >program.c <<'C'
/* Argument: what EAX and the low half of RCX have; the exchange succeeds if they are equal. Upper halves are all ones. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	unsigned long ones = 0xffffffff00000000, rax = ones | strtoul(argv[1], NULL, 0), rcx = ones | strtoul(argv[2], NULL, 0);

	(void)argc;
	__asm__("cmpxchg %%edx, %%ecx" : "+a"(rax), "+c"(rcx) : "d"(5) : "cc");
	printf("rax %#lx rcx %#lx\n", rax, rcx);
	return 0;
}
C
cc -O1 -o program program.c
cat >program.py <<'PY'
import sys

import unicorn
from unicorn.x86_const import UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX

ONES = 0xFFFFFFFF00000000
engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
engine.mem_map(0x1000, 0x1000)
engine.mem_write(0x1000, bytes.fromhex("0fb1d1"))  # cmpxchg ecx, edx
engine.reg_write(UC_X86_REG_RAX, ONES | int(sys.argv[1]))
engine.reg_write(UC_X86_REG_RCX, ONES | int(sys.argv[2]))
engine.reg_write(UC_X86_REG_RDX, 5)
engine.emu_start(0x1000, 0x1003)
print(f"rax {engine.reg_read(UC_X86_REG_RAX):#x} rcx {engine.reg_read(UC_X86_REG_RCX):#x}")
PY

declare -A seen
for operands in "1 1" "1 2"; do
	read -ra both <<<"$operands"
	seen["processor $operands"]="$(./program "${both[@]}")"
	seen["valgrind $operands"]="$(usr/bin/valgrind -q --tool=none ./program "${both[@]}")"
	seen["unicorn $operands"]="$(venv/bin/python program.py "${both[@]}")"
	for who in processor valgrind unicorn; do
		echo "eax ${both[0]}, ecx ${both[1]}: $who: ${seen["$who $operands"]}"
	done
done
[[ "${seen["processor 1 1"]}" == "rax 0xffffffff00000001 rcx 0x5" ]]
[[ "${seen["processor 1 2"]}" == "rax 0x2 rcx 0xffffffff00000002" ]]
for who in valgrind unicorn; do
	[[ "${seen["$who 1 1"]}" == "rax 0x1 rcx 0x5" && "${seen["$who 1 2"]}" == "rax 0x2 rcx 0x2" ]]
done
