/* SPDX-License-Identifier: GPL-2.0-only */
/* The same LOCK at CPL 3 and at CPL 0, in turns: translated for each, from the same bytes. */
#include "../oracle.h"

enum { ROUNDS = 300 };

static uint64_t word[GUEST_MAX_VCPUS];

static void prepare(void)
{
}

static __attribute__((noinline)) uint64_t add(void *arg)
{
	__asm__ volatile("lock incq %0" : "+m"(*(uint64_t *)arg));
	return 0;
}

static uint64_t at_both(void *arg)
{
	add(arg);
	return user_call_kernel(add, arg);
}

static uint64_t program(unsigned vcpu)
{
	word[vcpu] = 0;
	for (unsigned i = 0; i < ROUNDS; i++)
		user_run(at_both, &word[vcpu]);
	return word[vcpu] != 2 * ROUNDS;
}
