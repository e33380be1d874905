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

#include "inside.h"

enum { LEAST_ENTRIES = 64 };

static struct inside_tlb *tlb_now(struct pv_engine *e)
{
	return inside_tlb_of(e->stores.env);
}

/* Is each table as long as it says, in both its parts, and does a flush count itself? */
static bool is_known(struct pv_engine *e)
{
	const struct inside_tlb *tlb = tlb_now(e);
	uint64_t flushes = tlb->flushes + tlb->partly_flushed + tlb->not_flushed;

	for (unsigned i = 0; i < INSIDE_TABLES; i++) {
		uint64_t n = tlb->table[i].mask / sizeof(struct inside_entry) + 1;
		const struct inside_description *description = &tlb->description[i];

		if (description->used > n ||
		    malloc_usable_size(description->more) < n * sizeof(*description->more))
			return false;
	}
	uc_ctl_flush_tlb(e->uc);
	return tlb->flushes + tlb->partly_flushed + tlb->not_flushed > flushes;
}

static bool make(struct inside_tlb *tlb)
{
	for (unsigned i = 0; i < INSIDE_TABLES; i++) {
		struct inside_description *description = &tlb->description[i];
		const size_t bytes = LEAST_ENTRIES * sizeof(struct inside_entry);

		description->large_page = description->large_page_mask = UINT64_MAX;
		memset(description->victim, 0xff, sizeof(description->victim));
		description->more = calloc(LEAST_ENTRIES, sizeof(*description->more));
		tlb->table[i].mask = bytes - sizeof(struct inside_entry);
		tlb->table[i].entries = malloc(bytes);
		if (!description->more || !tlb->table[i].entries)
			return false;
		memset(tlb->table[i].entries, 0xff, bytes);
	}
	return true;
}

static void unmake(struct inside_tlb *tlb)
{
	for (unsigned i = 0; i < INSIDE_TABLES; i++) {
		free(tlb->description[i].more);
		free(tlb->table[i].entries);
	}
	free(tlb);
}

int tlb_create(struct pv_engine *e)
{
	struct inside_tlb *tlb;

	if (!e->stores_able || !is_known(e))
		return 0;
	tlb = aligned_alloc(_Alignof(struct inside_tlb), sizeof(*tlb));
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
	struct inside_tlb before;

	if (!e->agent.tlb)
		return;
	before = *tlb_now(e);
	*tlb_now(e) = *e->agent.tlb;
	*e->agent.tlb = before;
}
