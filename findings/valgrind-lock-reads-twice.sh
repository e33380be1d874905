#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# For valgrind's cachegrind, callgrind and lackey, `lock inc` refers to memory twice and `inc` once: a LOCK prefix is translated to a load,
# the operation, and a compare-and-swap, and both ends are counted. The number of instructions does not change. So the data
# references, hits and miss rates of code with atomics are those of a translation, not those of the program.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'valgrind=1:3.19*' >/dev/null || { echo "it needs Debian 12's package valgrind, from its archive" >&2; exit 1; }
dpkg-deb -x valgrind_*.deb .
export VALGRIND_LIB="$work/usr/libexec/valgrind"
usr/bin/valgrind --version

program() { # $1 prefix of the inc
	cat >program.S <<S
.globl _start
_start:	lea word(%rip), %rdi
	mov \$1000, %ecx
1:	$1 incq (%rdi)
	dec %ecx
	jnz 1b
	mov \$231, %eax
	xor %edi, %edi
	syscall
.data
word:	.quad 0
S
	cc -nostdlib -static -o program program.S
}

of_cachegrind() {
	usr/bin/valgrind --tool=cachegrind --cache-sim=yes --cachegrind-out-file=/dev/null ./program 2>&1 |
		awk '/ [ID] *refs:/ { gsub(",", ""); printf "%s ", $4 } END { print "" }'
}
of_lackey() { usr/bin/valgrind --tool=lackey --trace-mem=yes ./program 2>&1 | grep -cE '^ [LSM] '; }

program ""
read -r instructions plain < <(of_cachegrind)
plain_traced="$(of_lackey)"
program lock
read -r locked_instructions locked < <(of_cachegrind)
locked_traced="$(of_lackey)"
echo "1000 x inc:      $instructions instructions, data references: cachegrind $plain, lackey $plain_traced"
echo "1000 x lock inc: $locked_instructions instructions, data references: cachegrind $locked, lackey $locked_traced"
((instructions == locked_instructions && plain == 1000 && locked == 2000 && plain_traced == 1000 && locked_traced == 2000))
