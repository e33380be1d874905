/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To CPL 3 with all registers of a case, and back. differential_enter(state, XSAVE mask or 0, rsp0, CS, SS): exceptions begin below
 * what it saves, which it notes in *rsp0; differential_leave(*rsp0) makes it return. IRETQ serialises, as changed code asks for.
 */
	.text
	.globl differential_enter
differential_enter:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdx)
	push %r8
	pushq 32(%rdi)
	pushq 136(%rdi)
	push %rcx
	pushq 128(%rdi)
	test %esi, %esi
	jz 1f
	mov %esi, %eax
	xor %edx, %edx
	xrstor64 192(%rdi)
	jmp 2f
1:	fxrstor64 192(%rdi)
2:	mov 0(%rdi), %rax
	mov 8(%rdi), %rcx
	mov 16(%rdi), %rdx
	mov 24(%rdi), %rbx
	mov 40(%rdi), %rbp
	mov 48(%rdi), %rsi
	mov 64(%rdi), %r8
	mov 72(%rdi), %r9
	mov 80(%rdi), %r10
	mov 88(%rdi), %r11
	mov 96(%rdi), %r12
	mov 104(%rdi), %r13
	mov 112(%rdi), %r14
	mov 120(%rdi), %r15
	mov 56(%rdi), %rdi
	iretq

	.globl differential_leave
differential_leave:
	mov %rdi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

	.section .note.GNU-stack, "", @progbits
