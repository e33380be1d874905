/* SPDX-License-Identifier: GPL-2.0-only */
/* To CPL 3 and back by iretq and int 0x80, calls to the kernel from there. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t at_kernel(void *arg)
{
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return (uint64_t)arg + (cs & 3) * 1000;
}

static uint64_t at_user(void *arg)
{
	uint64_t sum = 0;
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	for (uint64_t i = 0; i < 5; i++)
		sum += user_call_kernel(at_kernel, arg);
	return sum + (cs & 3) * 1000;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	(void)vcpu;
	for (uint64_t i = 0; i < 10; i++)
		wrong |= user_run(at_user, (void *)i) != 5 * i + 3000;
	return wrong;
}
