/* SPDX-License-Identifier: GPL-2.0-only */
/* String instructions with the direction flag set. */
#include "../oracle.h"

static uint8_t bytes[GUEST_MAX_VCPUS][256];

static void prepare(void)
{
}

/* Moves [0, 100) up by 10, from its end, as memmove does. */
static uint64_t program(unsigned vcpu)
{
	uint8_t *s = bytes[vcpu] + 99, *d = bytes[vcpu] + 109;
	uint64_t n = 100, wrong = 0;

	for (unsigned i = 0; i < 100; i++)
		bytes[vcpu][i] = (uint8_t)i;
	__asm__ volatile("std\n\t"
			 "rep movsb\n\t"
			 "cld"
			 : "+S"(s), "+D"(d), "+c"(n) : : "memory");
	for (unsigned i = 0; i < 100; i++)
		wrong |= bytes[vcpu][i + 10] != i;
	d = bytes[vcpu] + 96;
	n = 3;
	__asm__ volatile("std\n\t"
			 "stosq\n\t"
			 "rep stosq\n\t"
			 "cld"
			 : "+D"(d), "+c"(n) : "a"(7ull) : "memory");
	return wrong | (uint64_t)(d != bytes[vcpu] + 64) << 1 | (uint64_t)(bytes[vcpu][72] != 7) << 2;
}
