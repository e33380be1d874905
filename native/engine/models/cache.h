/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache model: two levels, private to a vCPU, that see its data accesses and nothing
 * else, neither fetches nor page walks. True LRU; write-allocate; write-back, but a line
 * written back touches nothing. Neither level includes the other: what one evicts stays
 * in the other. Indexed by gpa, so that it does not matter through which mapping memory
 * is reached. The same accesses always give the same hits.
 */
#ifndef PV_CACHE_H
#define PV_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"
#include "engine/models/config.h"

struct cache {
	uint64_t *way; /* line number + 1, or 0: empty; set by set, in each the last used first */
	uint32_t sets, ways;
	uint32_t line_bits;
};

struct caches {
	struct cache l1d, llc;
};

/* What a number of accesses did. */
struct cache_traffic {
	uint32_t references; /* lines asked of the last level: not in L1D */
	uint32_t misses;     /* of them, lines that it did not have either */
};

/* 0, or -EINVAL for a geometry that makes no cache, or -ENOMEM. A configuration of zeros is the default. */
int caches_create(struct caches *caches, const struct pv_cache_config *l1d, const struct pv_cache_config *llc);
void caches_destroy(struct caches *caches);
/* As after power-on: nothing is in them. */
void caches_empty(struct caches *caches);
/* An access to each line of [gpa, gpa + size), in ascending order: adds to *traffic. */
void caches_access(struct caches *caches, gpa_t gpa, uint32_t size, struct cache_traffic *traffic);

#endif
