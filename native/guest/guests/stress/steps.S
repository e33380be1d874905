/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steps_run(first, behind_last, clock, at): all that a vCPU does in a round, in code of which each way's length is known
 * (layout.h), so that the guest knows what an event must have counted without having counted. Handlers of NMIs are
 * outside: counters are frozen in them.
 */
#include "layout.h"

/* What the event looks like. `ended` first and `begun` last: they are equal if nobody took overflows meanwhile. */
.macro look to
	mov	STEP_TARGET(%r12), %rsi
	mov	WATCHED_ENDED(%rsi), %rax
	mov	%rax, \to(%r12)
	mov	WATCHED_OVERFLOWS(%rsi), %rax
	mov	%rax, \to+8(%r12)
	mov	WATCHED_EVENT(%rsi), %rax
	mov	%rax, \to+16(%r12)
	.set	word, 0
	.rept	12
	mov	WATCHED_EVENT+16+8*word(%rsi), %rax
	mov	%rax, \to+24+8*word(%r12)
	.set	word, word + 1
	.endr
	mov	WATCHED_OVERFLOWS(%rsi), %rax
	mov	%rax, \to+120(%r12)
	mov	WATCHED_TAKEN(%rsi), %rax
	mov	%rax, \to+128(%r12)
	mov	WATCHED_BEGUN(%rsi), %rax
	mov	%rax, \to+136(%r12)
.endm

.macro tick to
	mov	$1, %eax
	lock xadd %rax, (%r14)
	mov	%rax, \to(%r12)
.endm

.macro stamp to
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, \to(%r12)
.endm

	.text
	.globl	steps_run
	.type	steps_run, @function
steps_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rdx, %r14
	mov	%rcx, %r15
.Lstep:
	mov	%r12, (%r15)
	mov	STEP_SPIN(%r12), %rcx
1:	dec	%rcx
	jnz	1b
	look	STEP_BEFORE
	tick	STEP_INVOKED
	stamp	STEP_BEGAN
	mov	STEP_KIND(%r12), %rax
	jmp	*.Lkinds(, %rax, 8)

.Lstop:	/* for who enabled it last */
	mov	STEP_MARK(%r12), %rdi
	mov	(%rdi), %rax
	cmp	STEP_ME(%r12), %rax
	jne	.Lskip
.Lcall:
	mov	STEP_ARGUMENTS(%r12), %rax
	mov	STEP_ARGUMENTS+8(%r12), %rbx
	mov	STEP_ARGUMENTS+16(%r12), %rcx
	mov	STEP_ARGUMENTS+24(%r12), %rdx
	vmcall
	mov	%rax, STEP_RESULT(%r12)
	mov	STEP_MARK(%r12), %rdi
	mov	STEP_ME(%r12), %rax
	mov	%rax, (%rdi)
	jmp	.Ldone

.Lskip:
	movq	$RESULT_SKIPPED, STEP_RESULT(%r12)
	jmp	.Ldone

.Ltake:	/* arguments: a list, and how many */
	mov	STEP_ARGUMENTS(%r12), %rsi
	mov	STEP_ARGUMENTS+8(%r12), %rcx
2:	mov	(%rsi), %rdi
	lock incq WATCHED_BEGUN(%rdi)
	xor	%eax, %eax
	xchg	%eax, WATCHED_OVERFLOWS(%rdi)
	lock add %rax, WATCHED_TAKEN(%rdi)
	lock incq WATCHED_ENDED(%rdi)
	add	$8, %rsi
	dec	%rcx
	jnz	2b
	jmp	.Ldone

.Lwait:	/* arguments: where to arrive, and how many have to */
	mov	STEP_ARGUMENTS(%r12), %rdi
	lock incq (%rdi)
	xor	%ecx, %ecx
3:	inc	%rcx
	pause
	mov	(%rdi), %rax
	cmp	STEP_ARGUMENTS+8(%r12), %rax
	jb	3b
	mov	%rcx, STEP_RESULT(%r12)
	jmp	.Ldone

.Ldone:
	look	STEP_AFTER
	stamp	STEP_ENDED
	tick	STEP_RETURNED
	add	$STEP_SIZE, %r12
	cmp	%r13, %r12
	jb	.Lstep
	movq	$0, (%r15)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	steps_run, . - steps_run

	.section .rodata
	.balign	8
.Lkinds:
	.quad	.Ldone, .Lcall, .Lstop, .Ltake, .Lwait
	.section .note.GNU-stack, "", @progbits
