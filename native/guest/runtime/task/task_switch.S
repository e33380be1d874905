/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * void task_switch(uint64_t *save, uint64_t load): stores RSP in *save with what a
 * function must preserve on the stack, and goes on where `load` was stored.
 * A new task's stack holds six words and task_entry.
 */
	.text
	.globl task_switch
task_switch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

	.globl task_entry
task_entry:
	xor %ebp, %ebp
	call task_main
	ud2

	.section .note.GNU-stack, "", @progbits
