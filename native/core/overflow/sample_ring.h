/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's end of a vCPU's sample ring. The ring lies in guest memory, where a guest that
 * means harm can write anything at any moment: what comes out of here is well-formed all the same.
 */
#ifndef PV_SAMPLE_RING_H
#define PV_SAMPLE_RING_H

#include "abi/sample.h"

/* Host memory. `tail` is the truth; the ring's own is a copy for the guest. */
struct sample_reader {
	struct pv_sample_ring *ring;
	uint32_t ring_bytes; /* of its data, a power of 2, at least 8 */
	uint32_t vcpu;
	uint32_t events;     /* a sample of another event than these is malformed */
	uint32_t pad;
	uint64_t tail;
	uint64_t discarded;  /* bytes that made no sense, or were behind such */
};

/*
 * Moves as many whole samples as there are and as `size` holds to `to`: returns their bytes. Of each,
 * kind is PV_SAMPLE, size fits the chain, the event is known, the vCPU is the ring's. Pads are left
 * out. At the first malformed record the rest of the ring is discarded.
 */
uint64_t sample_ring_read(struct sample_reader *reader, uint8_t *to, uint64_t size);
/* Bytes that the guest has written and nobody has read: more than the ring holds if it lies. */
uint64_t sample_ring_used(const struct sample_reader *reader);
/* Samples that found no room, as the guest says. */
uint64_t sample_ring_lost(const struct sample_reader *reader);

#endif
