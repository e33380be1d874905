/* SPDX-License-Identifier: GPL-2.0-only */
/* A function that is patched between calls, and one assembled anew each time. */
#include "../oracle.h"

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
}

/* mov $value, %eax; ret */
static uint32_t call_constant(uint8_t *at, uint32_t value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
	return ((uint32_t (*)(void))at)();
}

/* A chain of inc %eax as long as asked for. */
static uint32_t call_chain(uint8_t *at, unsigned n)
{
	memcpy(at, "\x31\xc0", 2);
	for (unsigned i = 0; i < n; i++)
		memcpy(at + 2 + 2 * i, "\xff\xc0", 2);
	at[2 + 2 * n] = 0xc3;
	return ((uint32_t (*)(void))at)();
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < 40; i++) {
		wrong |= call_constant(code[vcpu], i * 3) != i * 3;
		wrong |= (uint64_t)(call_chain(code[vcpu] + 64, i) != i) << 1;
		wrong |= (uint64_t)(call_chain(code[vcpu] + 64, 40 - i) != 40 - i) << 2;
	}
	return wrong;
}
