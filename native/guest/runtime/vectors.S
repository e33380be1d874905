/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 256 entry stubs, 16 bytes apart, and their common part: builds a struct
 * exception_frame and calls exception_dispatch() with it. The CPU aligns the stack
 * to 16 bytes before its own pushes, so that the frame of 22 words is aligned too.
 * All of that twice: once AVX is in use, the upper halves of YMM are saved as well.
 */
	.text
	.macro stubs name, common
	.balign 16
	.globl \name
\name:
	vector = 0
	.rept 256
	.balign 16
	.if (vector != 8) && (vector != 10) && (vector != 11) && (vector != 12) && \
	    (vector != 13) && (vector != 14) && (vector != 17) && (vector != 21)
	push $0
	.endif
	push $vector
	jmp \common
	vector = vector + 1
	.endr
	.balign 16
	.endm

	.macro common upper
	cld
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	/* Of the FPU what a handler may use: see guest/build.py. */
	sub $(16 * 16 + 16), %rsp
	stmxcsr 16 * 16(%rsp)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps %xmm\n, 16 * \n(%rsp)
	.endr
	.if \upper
	sub $(16 * 16), %rsp
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vextractf128 $1, %ymm\n, 16 * \n(%rsp)
	.endr
	vzeroupper
	.endif
	call exception_dispatch
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.if \upper
	vmovdqa 16 * 16 + 16 * \n(%rsp), %xmm\n
	vinsertf128 $1, 16 * \n(%rsp), %ymm\n, %ymm\n
	.else
	movaps 16 * \n(%rsp), %xmm\n
	.endif
	.endr
	.if \upper
	add $(16 * 16), %rsp
	.endif
	ldmxcsr 16 * 16(%rsp)
	add $(16 * 16 + 16), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq
	.endm

	stubs vector_stubs, vector_common
vector_common:
	common 0

	stubs vector_stubs_avx, vector_common_avx
vector_common_avx:
	common 1

	.section .note.GNU-stack, "", @progbits
