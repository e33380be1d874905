/* SPDX-License-Identifier: GPL-2.0-only */
#include "ring.h"

enum { RECORD_ALIGN = 8 };

/* Everything up to there may be read. */
static void publish(const struct ring *ring, uint64_t head)
{
	__atomic_store_n(&ring->shared->head, head, __ATOMIC_RELEASE);
}

/* Its words belong to the guest: whatever they say, nothing but the ring's own bytes is touched. */
struct pv_sample *ring_reserve(const struct ring *ring, uint32_t size)
{
	struct pv_sample_ring *shared = ring->shared;
	uint64_t head = shared->head & -(uint64_t)RECORD_ALIGN;
	uint64_t used = head - __atomic_load_n(&shared->tail, __ATOMIC_ACQUIRE);
	uint32_t at = (uint32_t)head & (ring->bytes - 1);
	uint32_t pad = size > ring->bytes - at ? ring->bytes - at : 0;
	struct pv_sample *record = (struct pv_sample *)(shared->data + at);

	if (used > ring->bytes || (uint64_t)pad + size > ring->bytes - used) {
		__atomic_store_n(&shared->lost, shared->lost + 1, __ATOMIC_RELAXED);
		return 0;
	}
	if (pad) {
		record->size = (uint16_t)pad;
		record->kind = PV_SAMPLE_PAD;
		publish(ring, head + pad);
		record = (struct pv_sample *)shared->data;
	}
	return record;
}

void ring_commit(const struct ring *ring, const struct pv_sample *record)
{
	publish(ring, (ring->shared->head & -(uint64_t)RECORD_ALIGN) + record->size);
}
