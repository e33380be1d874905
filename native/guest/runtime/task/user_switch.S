/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To CPL 3 and back. user_enter(fn, arg, user RSP, save, code, data) stores RSP in
 * *save and goes to user_entry at CPL 3 with these selectors; user_leave(value, saved
 * RSP) makes it return.
 */
	.text
	.globl user_enter
user_enter:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rcx)
	push %r9
	push %rdx
	pushfq
	push %r8
	lea user_entry(%rip), %rax
	push %rax
	iretq

/* CPL 3: RDI function, RSI its argument. Request 0 of int 0x80 brings RAX's successor, RSI, back. */
user_entry:
	mov %rdi, %rax
	mov %rsi, %rdi
	xor %ebp, %ebp
	call *%rax
	mov %rax, %rsi
	xor %eax, %eax
	int $0x80
	ud2

	.globl user_leave
user_leave:
	mov %rsi, %rsp
	mov %rdi, %rax
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

	.section .note.GNU-stack, "", @progbits
