/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's NMI handler has a TLB of its own. With one alone, each NMI would cost the guest all of its own: twice as
 * much as everything else, with 100 pages in use; and Unicorn makes a TLB smaller that is flushed while it holds little.
 *
 * Unicorn has one, as a structure in front of the CPU, which holds pointers to its tables: it is exchanged as it is,
 * with what it knows of itself. What Unicorn remembers of translated code by virtual address it forgets with a
 * flush, so the agent's TLB, which holds little, is flushed at both changes: that is what writing CR3 does.
 */
#include "state.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES = PV_STORE_TABLES, VICTIMS = 8, LEAST_ENTRIES = 64, COUNTER_BYTES = 16 };

/* Unicorn 2.1.4's CPUTLB, which lies between the CPU's model and a counter in front of the CPU. */
struct tlb_entry {
	uint64_t words[8];
};

struct tlb {
	uint16_t dirty;
	uint64_t flushes, partly_flushed, not_flushed;
	struct description {
		uint64_t large_page, large_page_mask;
		int64_t window_begin;
		uint64_t window_most, used, next_victim;
		struct tlb_entry victim[VICTIMS];
		uint64_t victims_more[VICTIMS][2];
		uint64_t (*more)[2];
	} description[TABLES];
	struct fast {
		uint64_t mask;
		struct tlb_entry *entries;
	} __attribute__((aligned(16))) fast[TABLES];
};
_Static_assert(sizeof(struct description) == 696 && sizeof(struct tlb) == 2176, "as in that release");

static struct tlb *tlb_now(struct pv_engine *e)
{
	return (struct tlb *)(void *)((uint8_t *)e->stores.env - COUNTER_BYTES) - 1;
}

/* Is each table as long as it says, in both its parts, and does a flush count itself? */
static bool is_known(struct pv_engine *e)
{
	const struct tlb *tlb = tlb_now(e);
	uint64_t flushes = tlb->flushes + tlb->partly_flushed + tlb->not_flushed;

	for (unsigned i = 0; i < TABLES; i++) {
		uint64_t n = tlb->fast[i].mask / sizeof(struct tlb_entry) + 1;
		const struct description *description = &tlb->description[i];

		if (description->used > n || description->next_victim > n * n ||
		    malloc_usable_size(description->more) < n * sizeof(*description->more))
			return false;
	}
	uc_ctl_flush_tlb(e->uc);
	return tlb->flushes + tlb->partly_flushed + tlb->not_flushed > flushes;
}

static bool make(struct tlb *tlb)
{
	for (unsigned i = 0; i < TABLES; i++) {
		struct description *description = &tlb->description[i];
		const size_t bytes = LEAST_ENTRIES * sizeof(struct tlb_entry);

		description->large_page = description->large_page_mask = UINT64_MAX;
		memset(description->victim, 0xff, sizeof(description->victim));
		description->more = calloc(LEAST_ENTRIES, sizeof(*description->more));
		tlb->fast[i].mask = bytes - sizeof(struct tlb_entry);
		tlb->fast[i].entries = malloc(bytes);
		if (!description->more || !tlb->fast[i].entries)
			return false;
		memset(tlb->fast[i].entries, 0xff, bytes);
	}
	return true;
}

static void unmake(struct tlb *tlb)
{
	for (unsigned i = 0; i < TABLES; i++) {
		free(tlb->description[i].more);
		free(tlb->fast[i].entries);
	}
	free(tlb);
}

int tlb_create(struct pv_engine *e)
{
	struct tlb *tlb;

	if (!e->stores_able || !is_known(e))
		return 0;
	tlb = aligned_alloc(_Alignof(struct tlb), sizeof(*tlb));
	if (!tlb)
		return -ENOMEM;
	memset(tlb, 0, sizeof(*tlb));
	if (!make(tlb)) {
		unmake(tlb);
		return -ENOMEM;
	}
	e->agent.tlb = tlb;
	return 0;
}

void tlb_destroy(struct pv_engine *e)
{
	if (!e->agent.tlb)
		return;
	if (e->agent.in_service)
		tlb_exchange(e);
	unmake(e->agent.tlb);
}

void tlb_exchange(struct pv_engine *e)
{
	struct tlb before;

	if (!e->agent.tlb)
		return;
	before = *tlb_now(e);
	*tlb_now(e) = *e->agent.tlb;
	*e->agent.tlb = before;
}
