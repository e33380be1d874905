/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions that lie across two pages, at every one of their bytes. */
#include "../oracle.h"

enum { LONGEST = 10 };

static uint8_t code[GUEST_MAX_VCPUS][2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
}

/* movabs $value, %rax; inc %rax; jmp over int3; ret: with its first byte `back` before the boundary. */
static uint64_t call_across(unsigned vcpu, unsigned back, uint64_t value)
{
	uint8_t *at = code[vcpu] + PAGE_BYTES - back;

	memcpy(at, "\x48\xb8", 2);
	memcpy(at + 2, &value, 8);
	memcpy(at + 10, "\x48\xff\xc0\xeb\x01\xcc\xc3", 7);
	return ((uint64_t (*)(void))at)();
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	for (unsigned back = 0; back <= LONGEST + 6; back++)
		for (uint64_t value = 0; value < 3; value++)
			wrong |= (uint64_t)(call_across(vcpu, back, value << 33) != (value << 33) + 1) << back;
	return wrong;
}
