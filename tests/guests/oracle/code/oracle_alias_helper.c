/* SPDX-License-Identifier: GPL-2.0-only */
/* An instruction whose store is no plain one, through an address of code at which that may not be executed, at both CPLs;
 * then plain stores into the code, through that address. */
#include "oracle_alias.h"

enum { ELSEWHERE = PAGE_BYTES / 2 };

struct place {
	uint32_t (*call)(void);
	uint8_t *alias;
};

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t alias[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	alias_prepare(code, alias);
}

/* How many of these plain stores are not executed. */
static uint64_t missed(const struct place *place, uint32_t first)
{
	uint64_t ret = 0;

	for (uint32_t i = first; i < first + 3; i++) {
		*(volatile uint32_t *)(place->alias + NUMBER) = i;
		ret += place->call() != i;
	}
	return ret;
}

#define BEHIND(text, ...)                                                                          \
	do {                                                                                       \
		__asm__ volatile(text : : "r"(place->alias + ELSEWHERE), ##__VA_ARGS__ : "memory", "cc"); \
		wrong += missed(place, next += 5);                                                 \
	} while (0)

static uint64_t all(void *arg)
{
	const struct place *place = arg;
	uint32_t next = 0;
	uint64_t wrong = missed(place, next);

	BEHIND("fldz; fstpt (%0)");
	BEHIND("fxsave (%0)");
	BEHIND("fnstenv (%0)");
	BEHIND("movbe %%rbx, (%0)");
	BEHIND("cmpxchg16b (%0)", "a"(0), "d"(0), "b"(1), "c"(2));
	BEHIND("lock cmpxchg16b (%0)", "a"(1), "d"(2), "b"(3), "c"(4));
	BEHIND("lock incl (%0)");
	BEHIND("sidt (%0)");
	return wrong;
}

static uint64_t program(unsigned vcpu)
{
	struct place place = { (uint32_t (*)(void))code[vcpu], alias[vcpu] };
	uint64_t wrong = 0;

	alias_set_no_execute(true);
	alias_flush();
	for (unsigned i = 0; i < 3; i++) {
		wrong += all(&place);
		wrong += user_run(all, &place) << 8;
	}
	return wrong;
}
