/* SPDX-License-Identifier: GPL-2.0-only */
/* One vCPU's part in struct pv_code_map: what of RAM it has translated, and what the others have changed of that. */
#ifndef PV_SHARE_H
#define PV_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "abi/code_map.h"
#include "abi/platform.h"

enum { SHARE_LATER = 8 };

struct share {
	struct pv_code_map *map; /* NULL: nobody shares RAM with this vCPU */
	const struct pv_vm_page *page;
	struct pv_ipi *ipi;
	uint64_t *lines, *who, pages;
	uint32_t vcpu;
	uint64_t tail;    /* changes that were heeded */
	uint64_t flushed; /* `asked` when the TLB was flushed last */
	uint64_t later[SHARE_LATER]; /* pages that are being stored to, and are to be told of between two blocks */
	unsigned laters;
};

void share_create(struct share *share, struct pv_code_map *map, uint64_t pages);
/* Code is about to be read from these lines of a page: returns when nobody stores there unseen any more. */
void share_mark(struct share *share, uc_engine *uc, uint64_t page, uint64_t lines);
/* Has this vCPU translated any of that page? */
bool share_has(const struct share *share, uint64_t page);
/* RAM has been stored to, at this offset: who has translated it is told. */
void share_stored(struct share *share, uint64_t offset, unsigned size);
/* It is about to be, in the midst of an instruction. */
void share_stores(struct share *share, uint64_t offset, unsigned size);
/* Tells what was stored meanwhile. */
void share_tell(struct share *share);

/* A page has come to hold code: no store that was let pass may go on so. Between two instructions. */
void share_look(struct share *share, uc_engine *uc);
static inline bool share_is_changed(const struct share *share)
{
	return share->map && __atomic_load_n(&share->map->head, __ATOMIC_ACQUIRE) != share->tail;
}
/* Drops translations of what has been changed; while nothing is executed. */
void share_heed(struct share *share, uc_engine *uc);
/* From here on the vCPU executes nothing; and it does again. */
void share_leave(struct share *share);
void share_return(struct share *share, uc_engine *uc);

#endif
