/* SPDX-License-Identifier: GPL-2.0-only */
/* What counts its own loop, on whichever vCPU it is called. */
#ifndef LEG_H
#define LEG_H

#include "guest.h"

enum {
	LEG_SETUP = 1 + 3, /* instructions that count around the loop: a mov, and those of window.c */
	LEG_LOOP = 2,
};

struct leg {
	int32_t id;
	uint64_t iterations; /* of two instructions, one of them a branch */
	int64_t error;
};

/* Enables, works, disables, in one piece. */
static inline void leg_run(void *arg)
{
	struct leg *leg = arg;
	uint64_t n = leg->iterations;
	int64_t enabled, disabled;

	__asm__ volatile("mov $3, %%eax\n\t"
			 "mov $3, %%ebx\n\t"
			 "mov %k[id], %%ecx\n\t"
			 "vmcall\n\t"
			 "mov %%rax, %[enabled]\n"
			 "1: dec %[n]\n\t"
			 "jnz 1b\n\t"
			 "mov $3, %%eax\n\t"
			 "mov $4, %%ebx\n\t"
			 "mov %k[id], %%ecx\n\t"
			 "vmcall"
			 : [enabled] "=&r"(enabled), [n] "+&r"(n), "=&a"(disabled)
			 : [id] "r"((uint64_t)(uint32_t)leg->id)
			 : "rbx", "rcx", "rdx", "memory", "cc");
	leg->error = enabled ? enabled : disabled;
}

#endif
