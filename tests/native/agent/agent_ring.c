/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ring ring_create(uint32_t bytes)
{
	struct pv_sample_ring *shared = calloc(1, sizeof(*shared) + bytes);

	if (!shared)
		abort();
	return (struct ring){ .shared = shared, .bytes = bytes };
}

void ring_destroy(const struct ring *ring)
{
	free(ring->shared);
}

/* Fills all of it: a sanitizer sees what is not the ring's. */
bool ring_write(const struct ring *ring, uint16_t size, uint64_t sequence)
{
	struct pv_sample *record = ring_reserve(ring, size);

	if (!record)
		return false;
	memset((uint8_t *)record, (int)sequence, size);
	record->size = size;
	record->kind = PV_SAMPLE;
	record->count = sequence;
	ring_commit(ring, record);
	return true;
}

bool ring_read(const struct ring *ring, struct pv_sample *ret)
{
	struct pv_sample_ring *shared = ring->shared;
	const struct pv_sample *record;
	bool found = false;

	while (!found && shared->tail != __atomic_load_n(&shared->head, __ATOMIC_ACQUIRE)) {
		record = (const struct pv_sample *)(shared->data + shared->tail % ring->bytes);
		CHECK(record->size && record->size % 8 == 0);
		found = record->kind != PV_SAMPLE_PAD;
		if (found)
			*ret = *record;
		if (found && record->size > sizeof(*record))
			CHECK_EQ(((const uint8_t *)record)[record->size - 1], (uint8_t)record->count);
		__atomic_store_n(&shared->tail, shared->tail + record->size, __ATOMIC_RELEASE);
	}
	return found;
}

static uint16_t random_size(uint64_t *seed)
{
	return (uint16_t)(sizeof(struct pv_sample) + 8 * (random_next(seed) % (PV_SAMPLE_MAX_CHAIN + 1)));
}

/* Records of all sizes, in order, never across the end, however full the ring is. */
void test_ring_wraps(void)
{
	struct ring ring = ring_create(4096);
	uint64_t seed = 1, written = 0, read = 0, full = 0;
	struct pv_sample record;

	while (written < 200000) {
		if (random_next(&seed) % 2) {
			if (ring_write(&ring, random_size(&seed), written))
				written++;
			else
				full++;
		} else if (ring_read(&ring, &record)) {
			CHECK_EQ(record.count, read);
			read++;
		}
	}
	while (ring_read(&ring, &record)) {
		CHECK_EQ(record.count, read);
		read++;
	}
	CHECK_EQ(read, written);
	CHECK_EQ(ring.shared->lost, full);
	CHECK(full > 0);
	ring_destroy(&ring);
}

void test_ring_full(void)
{
	struct ring ring = ring_create(4096);
	struct pv_sample record;
	uint64_t n = 0;

	for (; ring_write(&ring, 64, n); n++)
		;
	CHECK_EQ(n, 64);
	CHECK_EQ(ring.shared->head, 4096);
	CHECK_EQ(ring.shared->lost, 1);
	CHECK(ring_read(&ring, &record));
	CHECK(!ring_write(&ring, 72, n)); /* 8 more than what is free */
	CHECK(ring_write(&ring, 64, n));
	CHECK_EQ(ring.shared->lost, 2);
	while (ring_read(&ring, &record))
		;
	CHECK(ring_write(&ring, 56, 0));
	for (n = 1; n < 63; n++)
		CHECK(ring_write(&ring, 64, n));
	CHECK(ring_read(&ring, &record));
	CHECK(ring_read(&ring, &record));
	/* 8 are left to the end, and 184 in front: behind a pad of 8. */
	CHECK(!ring_write(&ring, 192, n));
	CHECK_EQ(ring.shared->head % 4096, 4096 - 8); /* no pad for what then does not fit */
	CHECK(ring_write(&ring, 184, n));
	CHECK_EQ(ring.shared->head - ring.shared->tail, 4096);
	for (n = 2; n < 64; n++)
		CHECK(ring_read(&ring, &record) && record.count == n);
	CHECK(!ring_read(&ring, &record));
	ring_destroy(&ring);
}

/* Whatever the guest has put into the words of its ring: all stays within. */
void test_ring_hostile(void)
{
	struct ring ring = ring_create(4096);
	uint64_t seed = 2, granted = 0;
	bool ok;

	for (unsigned i = 0; i < 200000; i++) {
		uint64_t used, near = ring.shared->head + random_next(&seed) % 16;

		ring.shared->head = random_next(&seed) % 2 ? random_next(&seed) : near;
		ring.shared->tail = random_next(&seed) % 4 ? ring.shared->head - random_next(&seed) % 5000 :
							     random_next(&seed);
		used = (ring.shared->head & ~7ull) - ring.shared->tail;
		ok = ring_write(&ring, random_size(&seed), i);
		CHECK(!ok || used < ring.bytes); /* what cannot be is full */
		granted += ok;
	}
	CHECK(granted > 0);
	ring_destroy(&ring);
}

enum { RACE_RECORDS = 200000 };

static void *race_write(void *arg)
{
	const struct ring *ring = arg;
	uint64_t seed = 3;

	for (uint64_t i = 0; i < RACE_RECORDS; i++)
		ring_write(ring, random_size(&seed), i);
	ring_write(ring, sizeof(struct pv_sample), RACE_RECORDS);
	return NULL;
}

/* A reader beside the writer sees whole records, in order; those missing are those lost. */
void test_ring_race(void)
{
	struct ring ring = ring_create(16384);
	uint64_t next = 0, read = 0;
	struct pv_sample record;
	pthread_t writer;

	CHECK_EQ((uint64_t)pthread_create(&writer, NULL, race_write, &ring), 0);
	while (read + __atomic_load_n(&ring.shared->lost, __ATOMIC_RELAXED) < RACE_RECORDS + 1) {
		if (!ring_read(&ring, &record))
			continue;
		CHECK(record.count >= next);
		next = record.count + 1;
		read++;
	}
	pthread_join(writer, NULL);
	CHECK(!ring_read(&ring, &record));
	CHECK_EQ(read + ring.shared->lost, RACE_RECORDS + 1);
	CHECK(read > 0);
	ring_destroy(&ring);
}
