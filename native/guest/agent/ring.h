/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The writing end of a vCPU's sample ring (sample.h). One writer, the vCPU itself; the
 * reader is the host process, at any time.
 */
#ifndef AGENT_RING_H
#define AGENT_RING_H

#include "sample.h"

struct ring {
	struct pv_sample_ring *shared;
	uint32_t bytes; /* of its data, a power of 2 */
};

/* Room for one record of up to `size` bytes, a multiple of 8; NULL, and one more lost, when there is none. */
struct pv_sample *ring_reserve(const struct ring *ring, uint32_t size);
/* Hands over the record that was reserved last: of it, record->size bytes. */
void ring_commit(const struct ring *ring, const struct pv_sample *record);

#endif
