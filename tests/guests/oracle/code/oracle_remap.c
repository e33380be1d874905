/* SPDX-License-Identifier: GPL-2.0-only */
/* Other code at the same address, LOCK against none: pages that change places, there and back. */
#include "../oracle.h"

enum { FORMS = 3, ROUNDS = 12 };

/* mov %rsi, %rax; then the same number of bytes of something else on (%rdi); ret */
static const uint8_t form[FORMS][9] = {
	{ 0x48, 0x89, 0xf0, 0xf0, 0x48, 0x0f, 0xc1, 0x07, 0xc3 }, /* lock xadd %rax, (%rdi) */
	{ 0x48, 0x89, 0xf0, 0xf0, 0x48, 0x29, 0x07, 0x90, 0xc3 }, /* lock sub %rax, (%rdi); nop */
	{ 0x48, 0x89, 0xf0, 0x48, 0x31, 0x07, 0x90, 0x90, 0xc3 }, /* xor %rax, (%rdi); nop; nop */
};

static uint8_t pages[GUEST_MAX_VCPUS][FORMS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++)
		for (unsigned i = 0; i < FORMS; i++) {
			page_split((uint64_t)pages[vcpu][i]);
			memcpy(pages[vcpu][i], form[i], sizeof(form[i]));
		}
}

static uint64_t expected(unsigned which, uint64_t word, uint64_t operand)
{
	switch (which) {
	case 0:
		return word + operand;
	case 1:
		return word - operand;
	default:
		return word ^ operand;
	}
}

/* At the address of the first page, whatever lies there now. */
static uint64_t program(unsigned vcpu)
{
	uint64_t (*call)(uint64_t *, uint64_t) = (uint64_t (*)(uint64_t *, uint64_t))pages[vcpu][0];
	uint64_t word = 1000, wrong = 0;
	unsigned there = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t before = word, operand = i + 3;
		uint64_t returned = call(&word, operand);

		wrong |= (uint64_t)(word != expected(there, before, operand)) << there;
		wrong |= (uint64_t)(returned != (there == 0 ? before : operand)) << (8 + there);
		there = (there + 1) % FORMS;
		page_swap((uint64_t)pages[vcpu][0], (uint64_t)pages[vcpu][1]); /* all move on by one */
		page_swap((uint64_t)pages[vcpu][1], (uint64_t)pages[vcpu][2]);
	}
	return wrong;
}
