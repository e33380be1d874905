/* SPDX-License-Identifier: GPL-2.0-only */
/* Port input into the block that it is in, between LOCK and mfence. */
#include "../oracle.h"

enum { ROUNDS = 200, NUMBER = 12, BEHIND = 4, PORT = 0x99 }; /* nothing answers there: ones are read */

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static const uint8_t function[] = {
	0xff, 0xc1,       /* inc %ecx */
	0x0f, 0xae, 0xf0, /* mfence */
	0x6c,             /* insb: into the mov */
	0xff, 0xc1,       /* inc %ecx */
	0x0f, 0xae, 0xf0, /* mfence */
	0xb0, 0x00,       /* mov $0, %al */
	0xf0, 0xff, 0x06, /* lock incl (%rsi) */
	0x0f, 0xae, 0xf0, /* mfence */
	0x6d,             /* insl: over the lock, which is behind */
	0x90, 0xc3,       /* nop; ret */
};

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;
	uint32_t added = 0;

	memcpy(code[vcpu], function, sizeof(function));
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t rax = 0;
		void *to = code[vcpu] + NUMBER;

		__asm__ volatile("call *%[call]"
				 : "+a"(rax), "+D"(to)
				 : [call] "r"(code[vcpu]), "S"(&added), "d"(PORT)
				 : "rcx", "memory", "cc");
		wrong |= (rax & 0xff) != 0xff;
		memcpy(code[vcpu] + NUMBER, function + NUMBER, 1 + BEHIND);
	}
	return wrong | (uint64_t)(added != ROUNDS) << 1;
}
