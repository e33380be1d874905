/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether stores go the short way of fast_store.h. */
#ifndef PV_STORES_H
#define PV_STORES_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "engine/interposed/fast_store.h"

struct stores {
	struct fast_stores fast;
	bool able; /* they were seen to work */
};

/* Where the guest's stores go: `code_lines` as in struct fast_stores. */
struct stores_ram {
	uint8_t *ram;
	uint64_t size;
	const uint64_t *code_lines;
};

/* Finds out, on this page and the next two, whether stores can go the short way. */
void stores_calibrate(struct stores *stores, uc_engine *uc, uint64_t page, const struct stores_ram *ram);
/* Other processes have to know of stores: as in struct fast_stores. False: they cannot be told. */
bool stores_share(struct stores *stores, const struct fast_stores *with);
/* As parallel_choose(). */
void stores_choose(struct stores *stores, bool accesses_hooked);
void stores_destroy(struct stores *stores);
/* All of them, to pages with code? Of one engine in a process alone. */
bool stores_are_looked_at(const struct stores *stores);
/* This page, in which there was none, holds code. */
void stores_look(const struct stores *stores, uc_engine *uc);

#endif
