/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The head of an image, struct image, and the way into its program and back: from known registers, on a stack of its
 * own, and with what is in them behind it saved at once. The same instructions in a guest and in a process, but for TF.
 */
	.section .image, "awx", @progbits
	.quad enter, behind, image_data, image_bss, image_end, program_text
steps:	.byte 0
wide:	.byte 0
	.skip 6
saved:	.quad 0
registers:
	.skip 8 * 16 + 16
fxsave:	.skip 512
upper:	.skip 16 * 16

	.balign 16
initial: /* FXRSTOR: all empty, exceptions masked */
	.short 0x37f, 0
	.skip 20
	.long 0x1f80
	.skip 484

enter:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, saved(%rip)
	fxrstor initial(%rip)
	cmpb $0, wide(%rip)
	jz 1f
	vzeroall
1:	xor %eax, %eax
	mov $0x1111111111111111, %rcx
	mov $0x2222222222222222, %rdx
	mov $0x3333333333333333, %rbx
	mov $0x5555555555555555, %rbp
	mov $0x6666666666666666, %rsi
	mov $0x7777777777777777, %rdi
	mov $0x8888888888888888, %r8
	mov $0x9999999999999999, %r9
	mov $0xaaaaaaaaaaaaaaaa, %r10
	mov $0xbbbbbbbbbbbbbbbb, %r11
	mov $0xcccccccccccccccc, %r12
	mov $0xdddddddddddddddd, %r13
	mov $0xeeeeeeeeeeeeeeee, %r14
	mov $0xffffffffffffffff, %r15
	lea stack_top(%rip), %rsp
	cmpb $0, steps(%rip)
	jz 2f
	pushfq
	orq $0x100, (%rsp)
	popfq
2:	cmp %eax, %eax
	call program
behind:
	mov %rax, 0 + registers(%rip)
	mov %rcx, 8 + registers(%rip)
	mov %rdx, 16 + registers(%rip)
	mov %rbx, 24 + registers(%rip)
	mov %rsp, 32 + registers(%rip)
	mov %rbp, 40 + registers(%rip)
	mov %rsi, 48 + registers(%rip)
	mov %rdi, 56 + registers(%rip)
	mov %r8, 64 + registers(%rip)
	mov %r9, 72 + registers(%rip)
	mov %r10, 80 + registers(%rip)
	mov %r11, 88 + registers(%rip)
	mov %r12, 96 + registers(%rip)
	mov %r13, 104 + registers(%rip)
	mov %r14, 112 + registers(%rip)
	mov %r15, 120 + registers(%rip)
	fxsave fxsave(%rip)
	cmpb $0, wide(%rip)
	jz 3f
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vextractf128 $1, %ymm\n, 16 * \n + upper(%rip)
	.endr
	vzeroupper
3:	fxrstor initial(%rip)
	cld
	mov saved(%rip), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

	.bss
	.balign 64
	.skip 65536
stack_top:

	.section .note.GNU-stack, "", @progbits
