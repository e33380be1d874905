/* SPDX-License-Identifier: GPL-2.0-only */
/* Kicks of itself, and halts. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	for (unsigned i = 0; i < 20; i++) {
		kick(vcpu);
		__asm__ volatile("nop\n\t"
				 "hlt\n\t"
				 "nop"
				 : : : "memory");
	}
	return 0;
}
