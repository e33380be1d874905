/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small guests of the engine's tests, position-independent, loaded at GUEST_CODE. Each sets its
 * IDT and TSS up, makes the hypercall CALL_START, does what it is named for, and makes CALL_END. Those that do port
 * I/O, the handlers, and the agent's side are included at the end: they have to lie in the same bytes.
 */
GUEST_IDTR = 0x7000
DATA = 0x80000
USER_STACK = 0x98000
CALL_START = 0x1001
CALL_END = 0x1002
CALL_POINT = 0x1003

.macro LABEL name
	.globl \name
\name:
.endm

.macro HYPERCALL number
	movl $\number, %eax
	vmcall
.endm

.macro BEGIN
	lidt GUEST_IDTR
	movl $0x28, %eax
	ltr %ax
	HYPERCALL CALL_START
.endm

.macro END
	HYPERCALL CALL_END
1:	jmp 1b
.endm

	.section .rodata
	.balign 4096
LABEL guest_blob

/* Blocks of 1 to 12 instructions. */
LABEL guest_straight
	BEGIN
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11
	.rept \n
	nop
	.endr
	jmp 1f
	nop
1:
	.endr
	END

LABEL guest_loop
	BEGIN
	movl $60, %ecx
1:	addl $3, %eax
	xorl %eax, %ebx
	testb $1, %cl
	jz 2f
	imull $7, %ebx, %ebx
2:	decl %ecx
	jnz 1b
	END

LABEL guest_rep
	BEGIN
	cld
	movl $4, %edx
1:	movl $DATA, %edi
	movl $17, %ecx
	xorl %eax, %eax
	rep stosb
	nop
	movl $DATA, %esi
	movl $DATA + 0x100, %edi
	movl $9, %ecx
	rep movsq
	xorl %ecx, %ecx
	rep movsb
	movl $DATA, %esi
	movl $DATA + 0x100, %edi
	movl $5, %ecx
	repe cmpsb
	rep stosb
	decl %edx
	jnz 1b
	END

LABEL guest_faults
	BEGIN
	movl $6, %edx
1:	nop
	nop
	ud2
	nop
	movq 0x40000000, %rax
	nop
	ud2
	ud2
	decl %edx
	jnz 1b
	END

/* Each round stores into its own block, before and behind the store. */
LABEL guest_rewrite
	BEGIN
	movl $12, %edx
1:	nop
	movb %dl, 2f + 1(%rip)
	nop
2:	movb $0, %al
	movb %dl, 1b(%rip)
	movb $0x90, 1b(%rip)
	nop
	decl %edx
	jnz 1b
	END

LABEL guest_user
	BEGIN
	pushq $0x1b
	pushq $USER_STACK
	pushq $0x202
	pushq $0x23
	leaq 1f(%rip), %rax
	pushq %rax
	iretq
1:	movl $7, %ecx
2:	nop
	leal (%rcx, %rcx), %eax
	int $0x80
	nop
	decl %ecx
	jnz 2b
	ud2
	nop
	movq 0x40000000, %rax
	int $0x81
	ud2

LABEL guest_syscalls
	BEGIN
	movl $0xc0000081, %ecx
	xorl %eax, %eax
	movl $0x00100008, %edx
	wrmsr
	movl $0xc0000082, %ecx
	leaq 3f(%rip), %rax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000080, %ecx
	rdmsr
	orl $1, %eax
	wrmsr
	movl $6, %ebx
	leaq 1f(%rip), %rcx
	movl $0x202, %r11d
	sysretq
1:	nop
	nop
	decl %ebx
	jz 2f
	syscall
	jmp 1b
2:	int $0x81
3:	nop
	jmp 4f
4:	nop
	nop
	jmp 5f
5:	nop
	sysretq

LABEL guest_locked
	BEGIN
	movl $8, %ecx
	movl $DATA, %edi
1:	lock incq (%rdi)
	nop
	lock xaddl %eax, 8(%rdi)
	xchgl %eax, 16(%rdi)
	pause
	decl %ecx
	jnz 1b
	END

LABEL guest_io
	BEGIN
	movl $5, %esi
	movl $0x80, %edx
1:	nop
	outb %al, $0x80
	nop
	inb $0x80, %al
	outl %eax, %dx
	xorl %eax, %eax
	cpuid
	movl $0x80, %edx
	HYPERCALL CALL_POINT
	nop
	decl %esi
	jnz 1b
	END

/* CPUID, which serialises, in the blocks of a rep and of a store into the block itself. */
LABEL guest_anew
	BEGIN
	cld
	movl $4, %esi
1:	movl $DATA, %edi
	xorl %eax, %eax
	cpuid
	movl $5, %ecx
	rep stosb
	xorl %eax, %eax
	cpuid
	nop
	movl %esi, 2f + 1(%rip)
	nop
2:	movl $0, %eax
	decl %esi
	jnz 1b
	END

LABEL guest_calls
	BEGIN
	movl $5, %ecx
1:	call 2f
	HYPERCALL CALL_POINT
	HYPERCALL CALL_POINT
	nop
	loop 1b
	END
2:	nop
	call 3f
	ret
3:	jmp 4f
4:	ret

/* Two million instructions and two. */
LABEL guest_long
	BEGIN
	movl $500000, %ecx
1:	addq $1, %rbx
	xorq %rbx, %rax
	decl %ecx
	jnz 1b
	END

/* Loops that the engine looks at again and again for reasons of their own. */
LABEL guest_iret_loop
	BEGIN
1:	movq %rsp, %rax
	pushq $0x10
	pushq %rax
	pushq $2
	pushq $8
	leaq 1b(%rip), %rax
	pushq %rax
	iretq

LABEL guest_syscall_loop
	BEGIN
	movl $0xc0000081, %ecx
	xorl %eax, %eax
	movl $0x00100008, %edx
	wrmsr
	movl $0xc0000082, %ecx
	leaq 1f(%rip), %rax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000080, %ecx
	rdmsr
	orl $1, %eax
	wrmsr
1:	syscall

LABEL guest_int_loop
	BEGIN
1:	int $0x80
	jmp 1b

LABEL guest_locked_loop
	BEGIN
1:	lock incq DATA
	jmp 1b

/* Goes round a hundred pages. */
LABEL guest_walk
	BEGIN
	movl $20000, %ecx
1:	movl $0x200000, %esi
2:	movq (%rsi), %rax
	addq $0x1000, %rsi
	cmpq $0x264000, %rsi
	jb 2b
	decl %ecx
	jnz 1b
	END

LABEL guest_spin
	BEGIN
1:	incq DATA
	jmp 1b

LABEL guest_shadow
	BEGIN
	movl $0x10, %ebx
	HYPERCALL CALL_POINT
LABEL guest_shadow_begin
	movl %ebx, %ss
LABEL guest_shadow_inside
	nop
LABEL guest_shadow_end
	nop
	END

/* The agent's hypercall, made by a guest. */
LABEL guest_agent_iret
	BEGIN
	HYPERCALL 0x50560002
	END

/* What page 0x600000 holds is summed up again and again. */
LABEL guest_mapped
	BEGIN
	movl $2000, %ecx
	xorl %ebx, %ebx
1:	addq 0x600000, %rbx
	nop
	decl %ecx
	jnz 1b
	HYPERCALL CALL_POINT
	END

LABEL guest_hlt
	BEGIN
	hlt
LABEL guest_behind_hlt
	nop
	END

/* In the shadow of sti, and in that of a mov to ss. */
LABEL guest_sti_hlt
	BEGIN
	movl $0x10, %ebx
	HYPERCALL CALL_POINT
	sti
	hlt
LABEL guest_behind_sti_hlt
	cli
	HYPERCALL CALL_POINT
	movl %ebx, %ss
	hlt
LABEL guest_behind_ss_hlt
	nop
	END

/* Its breakpoints: an instruction of its own, and one of the agent's NMI handler. Each #DB adds 1 to RBX. */
LABEL guest_debug
	BEGIN
	leaq 2f(%rip), %rax
	movq %rax, %dr0
	movq $0x410000 + agent_trivial - guest_blob, %rax
	movq %rax, %dr1
	movl $0x405, %eax
	movq %rax, %dr7
	xorl %ebx, %ebx
	movl $20, %ecx
1:	nop
	jmp 2f
2:
LABEL guest_debugged
	nop
	decl %ecx
	jle 3f
	leaq 1b(%rip), %rax
	jmp *%rax /* Unicorn does not reset RF at a direct jump */
3:	movq %dr7, %rdx
	xorl %ecx, %ecx
	HYPERCALL CALL_POINT
	movl $0x400, %eax
	movq %rax, %dr7
	END

LABEL guest_stosb
	BEGIN
	movl $DATA, %edi
	movl $1000, %ecx
	rep stosb
	END

/* What an agent's NMI might spoil: general registers are 1 to 15, the rest is loaded, then it loops. */
LABEL guest_state
	BEGIN
	movl $0x12345678, %eax
	movq %rax, %xmm3
	pshufd $0, %xmm3, %xmm7
	fninit
	fldpi
	movl $0xc0000101, %ecx
	movl $0x1111, %eax
	movl $0x2222, %edx
	wrmsr
	movl $0xc0000102, %ecx
	movl $0x3333, %eax
	wrmsr
	pushq $0x1fa0
	ldmxcsr (%rsp)
	popq %rax
	movl $0x18, %eax
	movl %eax, %fs
	.irp r, rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	movq $DATA, %\r
	.endr
	movl $100000, %ecx
	stc
	std
1:	leaq -1(%rcx), %rcx
	jrcxz 2f
	nop
	jmp 1b
2:	cld
	HYPERCALL CALL_POINT
	END

#include "engine_ports.inc"
#include "engine_handlers.inc"
#include "engine_agent.inc"
#include "engine_reach.inc"

LABEL guest_blob_end
	.section .note.GNU-stack, "", @progbits
