/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/sample_ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { PAD_BYTES = 8 };

/* What is next in the ring. The guest may change it while we look: only the copy is checked and used. */
struct next {
	struct pv_sample sample;
	const uint8_t *chain; /* behind it, in the ring */
	uint64_t chain_bytes;
};

static bool sample_is_sound(const struct sample_reader *reader, const struct pv_sample *sample)
{
	return sample->kind == PV_SAMPLE && sample->chain <= PV_SAMPLE_MAX_CHAIN &&
	       sample->size == sizeof(*sample) + sample->chain * sizeof(uint64_t) &&
	       sample->event < reader->events;
}

/* `left` bytes follow, at least PAD_BYTES, all within the ring: false if they are no record. */
static bool next_read(const struct sample_reader *reader, const uint8_t *at, uint64_t left,
		      struct next *ret)
{
	struct pv_sample *sample = &ret->sample;

	memcpy(sample, at, PAD_BYTES);
	if (sample->size % 8 || sample->size < PAD_BYTES || sample->size > left)
		return false;
	if (sample->kind == PV_SAMPLE_PAD)
		return true;
	if (!sample_is_sound(reader, sample))
		return false;
	memcpy((uint8_t *)sample + PAD_BYTES, at + PAD_BYTES, sizeof(*sample) - PAD_BYTES);
	sample->vcpu = reader->vcpu;
	ret->chain = at + sizeof(*sample);
	ret->chain_bytes = sample->size - sizeof(*sample);
	return true;
}

uint64_t sample_ring_read(struct sample_reader *reader, uint8_t *to, uint64_t size)
{
	const uint64_t bytes = reader->ring_bytes;
	uint64_t head = __atomic_load_n(&reader->ring->head, __ATOMIC_ACQUIRE);
	uint64_t tail = reader->tail, done = 0;
	struct next next;

	while (tail != head) {
		uint64_t used = head - tail, whole = bytes - (tail & (bytes - 1));

		if (used > bytes || used % 8 ||
		    !next_read(reader, reader->ring->data + (tail & (bytes - 1)),
			       used < whole ? used : whole, &next)) {
			reader->discarded += used > bytes ? bytes : used;
			tail = head & ~7ull;
			break;
		}
		if (next.sample.kind == PV_SAMPLE) {
			if (next.sample.size > size - done)
				break;
			memcpy(to + done, &next.sample, sizeof(next.sample));
			memcpy(to + done + sizeof(next.sample), next.chain, next.chain_bytes);
			done += next.sample.size;
		}
		tail += next.sample.size;
	}
	reader->tail = tail;
	__atomic_store_n(&reader->ring->tail, tail, __ATOMIC_RELEASE);
	return done;
}

uint64_t sample_ring_used(const struct sample_reader *reader)
{
	return __atomic_load_n(&reader->ring->head, __ATOMIC_ACQUIRE) - reader->tail;
}

uint64_t sample_ring_lost(const struct sample_reader *reader)
{
	return __atomic_load_n(&reader->ring->lost, __ATOMIC_RELAXED);
}
