/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * processor_enter(function, data, registers): registers with known values, RBX = data, then the function, and what it
 * leaves in them into the array, in the processor's order without RSP. Within processor_step() with TF set.
 */
	.text
	.globl processor_enter
processor_enter:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	mov %rdi, target(%rip)
	mov %rsi, %rbx
	mov $0x1122334455667788, %rax
	mov $0x0000000012345678, %rcx
	mov $0x00000000000000ff, %rdx
	mov $0x7fffffffffffffff, %rbp
	mov $0x8000000000000000, %rsi
	mov $0x0000000000000003, %rdi
	mov $0xfedcba9876543210, %r8
	mov $0x00000000ffffffff, %r9
	mov $0x0101010101010101, %r10
	mov $0x5555555555555555, %r11
	mov $0x0000000000000010, %r12
	mov $0xaaaaaaaaaaaaaaaa, %r13
	mov %rsp, stack(%rip)
	cmpb $0, processor_steps(%rip)
	jz 1f
	pushfq
	orq $0x100, (%rsp)
	popfq
1:	call *target(%rip)
	.globl processor_behind
processor_behind:
	mov stack(%rip), %rsp
	push %rdx
	mov 8(%rsp), %rdx
	mov %rax, 0(%rdx)
	mov %rcx, 8(%rdx)
	pop 16(%rdx)
	mov %rbx, 24(%rdx)
	mov %rbp, 32(%rdx)
	mov %rsi, 40(%rdx)
	mov %rdi, 48(%rdx)
	mov %r8, 56(%rdx)
	mov %r9, 64(%rdx)
	mov %r10, 72(%rdx)
	mov %r11, 80(%rdx)
	mov %r12, 88(%rdx)
	mov %r13, 96(%rdx)
	add $8, %rsp
	cld
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

	.bss
	.balign 8
target:	.skip 8
stack:	.skip 8

	.section .note.GNU-stack, "", @progbits
