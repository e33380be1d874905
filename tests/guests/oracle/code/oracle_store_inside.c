/* SPDX-License-Identifier: GPL-2.0-only */
/* A store into its own block, again and again, until the engine has no room for more translations. */
#include "../oracle.h"

enum {
	ROUNDS = 20000,
	FILL = 20, /* makes the block so long that its translations fill the room before too many are known */
	STORE = 6, INC = 2, MOV = 5,
};

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	static const uint8_t store[STORE] = { 0x89, 0x3d, FILL * INC + 1 }; /* mov %edi, into the number of the mov */
	static const uint8_t inc[INC] = { 0xff, 0xc1 };                     /* inc %ecx */
	static const uint8_t end[MOV + 1] = { 0xb8, 0, 0, 0, 0, 0xc3 };     /* mov $0, %eax; ret */

	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], store, sizeof(store));
		for (unsigned i = 0; i < FILL; i++)
			memcpy(code[vcpu] + STORE + i * INC, inc, sizeof(inc));
		memcpy(code[vcpu] + STORE + FILL * INC, end, sizeof(end));
	}
}

static uint64_t program(unsigned vcpu)
{
	volatile uint8_t *first = code[vcpu];
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		*first = *first; /* the block is translated anew */
		wrong |= ((uint32_t (*)(uint32_t))code[vcpu])(i) != i;
	}
	return wrong;
}
