/* SPDX-License-Identifier: GPL-2.0-only */
/* A page fault in the midst of rep, resumed; and one where rep begins. */
#include "../oracle.h"

enum { PAGES = 3 };

static uint8_t memory[GUEST_MAX_VCPUS][PAGES * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint64_t gone[GUEST_MAX_VCPUS];

static void give_back(struct exception_frame *frame)
{
	unsigned vcpu = cpu_index();

	(void)frame;
	oracle_faults[vcpu]++;
	if (exception_address() / PAGE_BYTES * PAGE_BYTES != gone[vcpu])
		guest_exit(STATUS_CRASHED);
	page_set_present(gone[vcpu], true);
}

static void prepare(void)
{
	exception_set(VECTOR_PAGE_FAULT, give_back);
	for (unsigned v = 0; v < cpu_count(); v++)
		page_split((uint64_t)memory[v] + PAGE_BYTES);
}

static void take_page(unsigned vcpu)
{
	gone[vcpu] = (uint64_t)memory[vcpu] + PAGE_BYTES;
	page_set_present(gone[vcpu], false);
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], wrong = 0, n = 300;
	uint8_t *d = memory[vcpu] + PAGE_BYTES - 100, *s = memory[vcpu];

	take_page(vcpu);
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(0x5a) : "memory");
	wrong |= n != 0 || memory[vcpu][PAGE_BYTES + 199] != 0x5a;
	take_page(vcpu);
	n = 200;
	d = memory[vcpu] + PAGE_BYTES;
	__asm__ volatile("rep movsb" : "+S"(s), "+D"(d), "+c"(n) : : "memory");
	wrong |= (uint64_t)(n != 0) << 1;
	take_page(vcpu);
	n = PAGE_BYTES;
	d = memory[vcpu] + 8;
	memset(memory[vcpu], 0, PAGE_BYTES);
	__asm__ volatile("repe scasb" : "+D"(d), "+c"(n) : "a"(0) : "memory", "cc");
	take_page(vcpu);
	n = 64;
	s = memory[vcpu] + PAGE_BYTES - 8 * 10 - 4;
	d = memory[vcpu] + 2 * PAGE_BYTES;
	__asm__ volatile("rep movsq" : "+S"(s), "+D"(d), "+c"(n) : : "memory");
	wrong |= (uint64_t)(n != 0) << 2;
	return wrong | (uint64_t)(oracle_faults[vcpu] - before != 4) << 3;
}
