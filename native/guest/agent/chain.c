/* SPDX-License-Identifier: GPL-2.0-only */
#include "chain.h"

/* A function with a frame pointer keeps its caller's at [RBP], and where it returns to behind that. */
enum { RETURN_ADDRESS = 8 };

uint32_t chain_walk(const struct guest_walk *walk, const struct pv_agent_frame *frame, uint64_t *chain, uint32_t max)
{
	uint64_t lowest = frame->rsp, rbp = frame->rbp, caller;
	uint32_t n = 0;

	while (n < max && rbp >= lowest && guest_read(walk, rbp + RETURN_ADDRESS, &chain[n]) && chain[n] &&
	       address_is_canonical(chain[n])) {
		n++;
		if (!guest_read(walk, rbp, &caller))
			break;
		lowest = rbp + 1;
		rbp = caller;
	}
	return n;
}
