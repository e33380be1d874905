/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which vCPU process has translated what of RAM, for the others, whose stores may change it: behind the platform's part of the
 * segment. Lines and vCPUs are set before code is read, and looked at behind each store, so that one of both sides sees the
 * other; a change is told in a ring, and heeded where a processor would have to: when it serialises, or is interrupted.
 */
#ifndef PV_CODE_MAP_H
#define PV_CODE_MAP_H

#include <stdint.h>

#include "run_page.h"

enum {
	PV_CODE_CHANGES = 8192, /* in the ring */
	PV_CODE_MAP_BYTES_A_PAGE = 16,
	PV_CODE_MAP_BYTES = 73728, /* beside, for the whole: pages */
};

struct pv_code_map {
	uint64_t asked; /* how often a page has come to hold code, so that nobody may store there without a look */
	uint64_t pad0[7];
	uint64_t head; /* changes so far */
	uint64_t pad1[7];
	struct pv_code_seen {
		uint64_t asked; /* how far this vCPU has followed; UINT64_MAX: it executes nothing */
		uint64_t pad[7];
	} seen[PV_MAX_VCPUS];
	/* RAM's page << 40 | vCPU << 32 | how often the ring has been filled, plus 1. */
	uint64_t change[PV_CODE_CHANGES];
	uint64_t pages[]; /* by page: lines that hold code, 64 bytes each; behind them all, vCPUs that have translated some */
};
_Static_assert(sizeof(struct pv_code_map) <= PV_CODE_MAP_BYTES, "as much as is kept free for it");

#endif
