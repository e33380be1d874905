/* SPDX-License-Identifier: GPL-2.0-only */
/* A store that is not aligned, into the block that it is in or into none, three times; then 2n others. */
#include "guest.h"

enum { ROUNDS = 3 };

static uint8_t code[4096] __attribute__((aligned(4096)));
static volatile uint64_t words[8];

int guest_main(void)
{
	static const uint8_t storing[] = { 0x89, 0x3d, 1, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov %edi, 1f+1(%rip); 1: mov $0, %eax; ret */
	static const uint8_t other[] = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3 };
	uint32_t (*call)(uint32_t) = (uint32_t (*)(uint32_t))code;
	uint64_t n, rewrites;

	option_only("n", "rewrites", NULL);
	n = option_number("n", 1000);
	rewrites = option_number("rewrites", 1);
	for (unsigned i = 0; i < sizeof(storing); i++)
		code[i] = rewrites ? storing[i] : other[i];
	for (uint32_t i = 1; i <= ROUNDS; i++)
		if (call(i) != (rewrites ? i : 0))
			return 1;
	for (uint64_t i = 0; i < n; i++) {
		words[i % 8] = i;
		words[(i + 1) % 8] = i;
	}
	return 0;
}
