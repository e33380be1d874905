/* SPDX-License-Identifier: GPL-2.0-only */
/* String instructions with rep: none, one and many, widths, early ends, a count of 0. */
#include "../oracle.h"

static uint8_t from[GUEST_MAX_VCPUS][512], to[GUEST_MAX_VCPUS][512];

static void prepare(void)
{
	for (unsigned v = 0; v < GUEST_MAX_VCPUS; v++)
		for (unsigned i = 0; i < 512; i++)
			from[v][i] = (uint8_t)(i * 7 + 1);
}

#define MOVE(suffix, count)                                                                           \
	do {                                                                                          \
		const void *s = from[vcpu];                                                           \
		void *d = to[vcpu];                                                                   \
		uint64_t c = (count);                                                                 \
		__asm__ volatile("rep movs" suffix : "+S"(s), "+D"(d), "+c"(c) : : "memory");         \
	} while (0)
#define STORE(suffix, count)                                                                          \
	do {                                                                                          \
		void *d = to[vcpu];                                                                   \
		uint64_t c = (count);                                                                 \
		__asm__ volatile("rep stos" suffix : "+D"(d), "+c"(c) : "a"(~0ull) : "memory");       \
	} while (0)

static uint64_t compare(unsigned vcpu, uint64_t count)
{
	const void *s = from[vcpu], *d = to[vcpu];

	__asm__ volatile("cmp %%rax, %%rax\n\t"
			 "repe cmpsb"
			 : "+S"(s), "+D"(d), "+c"(count) : : "memory", "cc");
	return count;
}

static uint64_t scan(const void *at, uint64_t count, uint8_t byte)
{
	__asm__ volatile("repne scasb" : "+D"(at), "+c"(count) : "a"(byte) : "memory", "cc");
	return count;
}

static uint64_t scan_while(const void *at, uint64_t count)
{
	__asm__ volatile("repe scasq" : "+D"(at), "+c"(count) : "a"(~0ull) : "memory", "cc");
	return count;
}

static uint64_t program(unsigned vcpu)
{
	static const unsigned counts[] = { 0, 1, 2, 50 };
	uint64_t wrong = 0, rest;

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		STORE("b", counts[i]);
		STORE("w", counts[i]);
		STORE("l", counts[i]);
		STORE("q", counts[i]);
		wrong |= scan_while(to[vcpu], counts[i]) != 0;
		MOVE("b", counts[i]);
		MOVE("w", counts[i]);
		MOVE("l", counts[i]);
		MOVE("q", counts[i]);
		wrong |= (uint64_t)(compare(vcpu, counts[i] * 8) != 0) << 1;
	}
	to[vcpu][100] ^= 1;
	wrong |= (uint64_t)(compare(vcpu, 300) != 300 - 101) << 2;
	wrong |= (uint64_t)(scan(from[vcpu], 300, from[vcpu][20]) != 300 - 21) << 3;
	wrong |= (uint64_t)(scan(from[vcpu], 1, from[vcpu][0]) != 0) << 4;
	wrong |= (uint64_t)(scan(from[vcpu], 0, 5) != 0) << 5;
	__asm__ volatile("mov $30, %%ecx\n\t"
			 "rep lodsb\n\t"
			 "mov $2, %%ecx\n"
			 "1: lodsw\n\t"
			 "loop 1b"
			 : "=S"(rest) : "0"(from[vcpu]) : "rax", "rcx", "memory");
	return wrong | (uint64_t)(rest != (uint64_t)from[vcpu] + 34) << 6;
}
