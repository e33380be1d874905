/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the one known release of Unicorn keeps what its API does not show. Who uses this finds out first whether it is so. */
#ifndef PV_INSIDE_H
#define PV_INSIDE_H

#include <stdint.h>

enum {
	INSIDE_RELEASE = 2 << 24 | 1 << 16 | 4 << 8 | 255, /* 2.1.4, as uc_version() says it */
	INSIDE_CPU = 55,              /* the CPU's address among the words of a uc_struct */
	INSIDE_STATE_BEHIND_CPU = 0x8a50, /* what helpers are handed as the CPU: CPUX86State */
	INSIDE_COUNTER_BYTES = 16,    /* between the TLB and that */
	INSIDE_TABLES = 3,            /* of a TLB: one for each kind of privilege */
	INSIDE_VICTIMS = 8,
};

/* CPUTLBEntry: addresses as the guest's, with flags; all ones: none. */
struct inside_entry {
	uint64_t read, write, code, gpa, addend, unused[3];
};

/* CPUTLB, which lies in front of the state. */
struct inside_tlb {
	uint16_t dirty; /* tables that are not empty */
	uint64_t flushes, partly_flushed, not_flushed;
	struct inside_description {
		uint64_t large_page, large_page_mask;
		int64_t window_begin;
		uint64_t window_most, used, next_victim;
		struct inside_entry victim[INSIDE_VICTIMS];
		uint64_t victim_more[INSIDE_VICTIMS][2];
		uint64_t (*more)[2]; /* of each entry */
	} description[INSIDE_TABLES];
	struct inside_table {
		uint64_t mask; /* of an entry's offset */
		struct inside_entry *entries;
	} __attribute__((aligned(16))) table[INSIDE_TABLES];
};

_Static_assert(sizeof(struct inside_entry) == 64, "as in that release");
_Static_assert(sizeof(struct inside_description) == 696, "as in that release");
_Static_assert(sizeof(struct inside_tlb) == 2176, "as in that release");

/* Unicorn's own function of this name, in front of which another one is found; kept in *known. */
void *inside_next(void **known, const char *name);

static inline struct inside_tlb *inside_tlb_of(void *state)
{
	return (struct inside_tlb *)(void *)((uint8_t *)state - INSIDE_COUNTER_BYTES) - 1;
}

#endif
