/* SPDX-License-Identifier: GPL-2.0-only */
/* More translations than the engine keeps at a time: a function that is rewritten before each call. */
#include "../oracle.h"

enum { REWRITES = 12000 }; /* two blocks each, and the run of the oracle has ORACLE_ROUNDS of them */

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static const uint8_t function[] = {
	0xb8, 0x00, 0x00, 0x00, 0x00, /* mov $0, %eax: the number is written over */
	0xeb, 0x00,                   /* jmp to the next */
	0xc3,                         /* ret */
};

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	memcpy(code[vcpu], function, sizeof(function));
	for (uint32_t i = 0; i < REWRITES; i++) {
		memcpy(code[vcpu] + 1, &i, sizeof(i));
		code[vcpu][sizeof(function) - 1] = 0xc3; /* the same byte, and yet its block is translated anew */
		wrong |= ((uint32_t (*)(void))code[vcpu])() != i;
	}
	return wrong;
}
