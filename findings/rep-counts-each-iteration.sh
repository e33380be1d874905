#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A rep-prefixed string instruction retires once (SDM vol. 3, "Instructions Retired"), however often it iterates. Tools that
# are used to count instructions count each iteration: QEMU's plugins by number of instructions in a translated block,
# valgrind's callgrind, and ptrace's single step. They agree with each other, but for one, and not with a processor's counter.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'qemu-user=1:7.2*' 'valgrind=1:3.19*' >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" .; done
export VALGRIND_LIB="$work/usr/libexec/valgrind"
usr/bin/qemu-x86_64 --version | head -1
usr/bin/valgrind --version

cat >plugin.c <<'C'
/* What is needed of QEMU's plugin API. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

struct qemu_plugin_tb;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*cb)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int add, void *to, uint64_t n);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t, void *), void *context);

int qemu_plugin_version = 1;
static uint64_t count;

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &count, qemu_plugin_tb_n_insns(block));
}

static void done(uint64_t id, void *context)
{
	(void)id;
	(void)context;
	fprintf(stderr, "%" PRIu64 "\n", count);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, done, NULL);
	return 0;
}
C
cc -shared -fPIC -o plugin.so plugin.c

program() { # $1 iterations: seven instructions, exit status 0
	cat >program.S <<S
.globl _start
_start:	lea buffer(%rip), %rdi
	mov \$$1, %ecx
	xor %eax, %eax
	rep stosb
	mov \$231, %eax
	xor %edi, %edi
	syscall
.bss
buffer:	.skip 4096
S
	cc -nostdlib -static -o program program.S
}

of_qemu() { usr/bin/qemu-x86_64 -plugin ./plugin.so ./program 2>&1; }
of_valgrind() {
	usr/bin/valgrind --tool=callgrind --callgrind-out-file=/dev/null ./program 2>&1 | sed -n 's/.*Collected : //p'
}

program 1
qemu_1="$(of_qemu)" valgrind_1="$(of_valgrind)"
program 4001
qemu_4001="$(of_qemu)" valgrind_4001="$(of_valgrind)"
echo "one iteration -> 4001: QEMU's plugin counts $qemu_1 -> $qemu_4001, callgrind $valgrind_1 -> $valgrind_4001; a processor 7 -> 7"
((qemu_4001 - qemu_1 == 4000 && valgrind_4001 - valgrind_1 == 4000))
