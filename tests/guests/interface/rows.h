/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of assembly that run at CPL 0 or 3, some into an exception, and what an event counts of one. */
#ifndef ROWS_H
#define ROWS_H

#include "guest.h"

enum { RFLAGS_TF = 1 << 8, VECTOR_DEBUG = 1 };

/* R13 is `page`, DX 0x80. An exception goes on where R14 points, on the stack of R15: at label 9. */
#define ROW(name, text)                                                                               \
	__attribute__((naked)) static uint64_t name(void *page __attribute__((unused)))               \
	{                                                                                             \
		__asm__ volatile("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t" \
				 "lea 9f(%rip), %r14; mov %rsp, %r15; mov %rdi, %r13; mov $0x80, %edx\n\t" \
				 text "\n"                                                            \
				 "9: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");       \
	}

/* The handler of all exceptions that rows raise. */
static inline void row_go_on(struct exception_frame *frame)
{
	frame->rflags &= ~(uint64_t)RFLAGS_TF;
	frame->rip = frame->r14;
	frame->rsp = frame->r15;
}

/*
 * What a hardware event counts at one level of a row that runs at one; all ones: an operation failed. Not inlined: what
 * is compared has the same instructions around it.
 */
static __attribute__((noinline)) uint64_t row_count(uint64_t (*run)(void *page), void *page, bool runs_user, uint64_t config, bool user)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, config, !user, user);
	struct kvm_pmu_event event;
	uint64_t ret;

	if (kvm_pmu_open(&event, &attr) || kvm_pmu_enable(&event))
		return ~0ull;
	if (runs_user)
		user_run(run, page);
	else
		run(page);
	if (kvm_pmu_disable(&event))
		return ~0ull;
	ret = kvm_pmu_count(&event);
	return kvm_pmu_close(&event) ? ~0ull : ret;
}

#endif
