/* SPDX-License-Identifier: GPL-2.0-only */
/* CR2 of faults whose instruction ends where nothing can be executed behind it. */
#include "../oracle.h"

enum { ROUNDS = 4, BYTES = 8 };

static const uint8_t function[4][BYTES] = { /* loads from (%rdi), or the like; ret */
	{ 0x90, 0x90, 0x90, 0x90, 0x48, 0x8b, 0x07, 0xc3 }, /* mov (%rdi), %rax */
	{ 0x90, 0x90, 0x90, 0xf0, 0x48, 0xff, 0x07, 0xc3 }, /* lock incq (%rdi) */
	{ 0x90, 0x90, 0x90, 0x48, 0x83, 0x07, 0x01, 0xc3 }, /* addq $1, (%rdi) */
	{ 0x90, 0x90, 0x90, 0x90, 0x48, 0x87, 0x07, 0xc3 }, /* xchg %rax, (%rdi) */
};
static uint8_t pages[GUEST_MAX_VCPUS][2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint64_t cr2[GUEST_MAX_VCPUS];

/* Goes on behind the call. */
static void on_fault(struct exception_frame *frame)
{
	unsigned vcpu = cpu_index();

	oracle_faults[vcpu]++;
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2[vcpu]));
	frame->rip = *(uint64_t *)frame->rsp;
	frame->rsp += sizeof(uint64_t);
}

static void prepare(void)
{
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		page_split((uint64_t)pages[vcpu]);
		page_split((uint64_t)pages[vcpu] + PAGE_BYTES);
		*page_entry((uint64_t)pages[vcpu] + PAGE_BYTES) &= ~1ull;
	}
	exception_set(VECTOR_PAGE_FAULT, on_fault);
}

static uint64_t program(unsigned vcpu)
{
	uint8_t *at = pages[vcpu] + PAGE_BYTES - BYTES, *absent = pages[vcpu] + PAGE_BYTES;
	uint64_t wrong = 0, before = oracle_faults[vcpu];

	for (unsigned i = 0; i < ARRAY_SIZE(function); i++)
		for (unsigned round = 1; round <= ROUNDS; round++) {
			memcpy(at, function[i], BYTES);
			cr2[vcpu] = 0;
			((void (*)(void *))at)(absent + 8 * round);
			wrong |= (uint64_t)(cr2[vcpu] != (uint64_t)absent + 8 * round) << i;
		}
	return wrong | (uint64_t)(oracle_faults[vcpu] - before != ARRAY_SIZE(function) * ROUNDS) << 8;
}
