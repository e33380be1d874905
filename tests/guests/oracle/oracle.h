/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frame of the small programs whose instruction and branch counts are compared with
 * those of an oracle that steps one instruction at a time. Every vCPU runs the same
 * code on data of its own; each program also checks its results, given as one number.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "guest.h"

/* Defined by each program: runs it, and returns 0, or a bit for each wrong result. */
static uint64_t program(unsigned vcpu);
/* What vCPU 0 does before all run. */
static void prepare(void);

enum { ORACLE_ROUNDS = 3 }; /* the first translates, the others find it translated */

static uint64_t oracle_wrong[GUEST_MAX_VCPUS];
/* Where a handler of faults goes on, and how many it has seen. */
static uint64_t oracle_resume[GUEST_MAX_VCPUS], oracle_faults[GUEST_MAX_VCPUS];

/* A handler that goes on at oracle_resume. */
static inline void oracle_skip(struct exception_frame *frame)
{
	unsigned vcpu = cpu_index();

	oracle_faults[vcpu]++;
	frame->rip = oracle_resume[vcpu];
}

/* Runs the text of one instruction that faults; label 9 is where it goes on. */
#define ORACLE_FAULT(text, ...)                                                              \
	__asm__ volatile("lea 9f(%%rip), %%rax\n\t"                                          \
			 "mov %%rax, %0\n\t"                                                 \
			 text "\n"                                                           \
			 "9:"                                                                \
			 : "=m"(oracle_resume[cpu_index()]) : __VA_ARGS__ : "rax", "rcx", "rdx", "memory", "cc")

static void oracle_run(void *arg)
{
	unsigned vcpu = cpu_index();

	(void)arg;
	for (unsigned i = 0; i < ORACLE_ROUNDS; i++)
		oracle_wrong[vcpu] |= program(vcpu);
}

int guest_main(void)
{
	prepare();
	smp_run_all(oracle_run, NULL);
	for (unsigned i = 0; i < cpu_count(); i++)
		report(!oracle_wrong[i], "vCPU %u: wrong 0x%lx", i, oracle_wrong[i]);
	return report_summary();
}

#endif
