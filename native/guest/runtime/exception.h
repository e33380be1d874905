/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions, NMI and software interrupts: a table of handlers, the same for all vCPUs. */
#ifndef GUEST_EXCEPTION_H
#define GUEST_EXCEPTION_H

#include <stdint.h>

enum {
	VECTOR_DIVIDE = 0,
	VECTOR_NMI = 2,
	VECTOR_BREAKPOINT = 3,
	VECTOR_INVALID_OPCODE = 6,
	VECTOR_DOUBLE_FAULT = 8,
	VECTOR_PROTECTION = 13,
	VECTOR_PAGE_FAULT = 14,
	VECTOR_USER = 0x80, /* int 0x80 from CPL 3: user.c */
	VECTORS = 256,
};

/* What vectors.S saves, lowest address first. A handler may change any of it. */
struct exception_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rdx, rcx, rbx, rax;
	uint64_t vector, error; /* error: 0 where the CPU gives none */
	uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * Runs at CPL 0 with interrupts off; XMM registers and MXCSR are saved around it, and behind avx_start() all of YMM.
 * There is no x87: guests
 * are compiled without, and `long double` does not link. A handler of NMIs must raise no exception: the
 * IRET of that would let in the next NMI, which begins on the same stack.
 */
typedef void (*exception_handler)(struct exception_frame *frame);

/* The handler of a vector; NULL: it ends the VM again, with STATUS_CRASHED. Returns the one before. */
exception_handler exception_set(unsigned vector, exception_handler handler);
/* The address that the last page fault of this vCPU was about. */
uint64_t exception_address(void);
/* Loads the IDT on this vCPU. */
void exception_load(void);
/* From now on handlers may use the upper halves of YMM: avx_start(). */
void exception_save_avx(void);

#endif
