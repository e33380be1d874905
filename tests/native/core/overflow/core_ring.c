/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's end of a sample ring: what a sound guest writes comes out whole, and a hostile one does no harm. */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../core_test.h"
#include "core/overflow/sample_ring.h"

enum { BYTES = 1024, EVENTS = 3, VCPU = 5, RACE_SAMPLES = 50000 };

struct fixture {
	struct pv_sample_ring *ring;
	struct sample_reader reader;
	uint8_t out[4 * BYTES];
};

static void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->ring = calloc(1, sizeof(*f->ring) + BYTES);
	f->reader = (struct sample_reader){
		.ring = f->ring, .ring_bytes = BYTES, .vcpu = VCPU, .events = EVENTS
	};
}

static uint64_t fixture_read(struct fixture *f)
{
	return sample_ring_read(&f->reader, f->out, sizeof(f->out));
}

/* Writes as the agent does; false if there is no room. The chain counts up from the ip. */
static bool put(struct pv_sample_ring *ring, uint32_t number, uint16_t chain)
{
	uint64_t head = ring->head, at = head & (BYTES - 1), size = sizeof(struct pv_sample) + 8ull * chain;
	uint64_t pad = size > BYTES - at ? BYTES - at : 0;
	struct pv_sample sample = { .size = (uint16_t)size, .event = (uint16_t)(number % EVENTS),
				    .chain = chain, .ip = number, .overflows = 1 };

	if (head + pad + size - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) > BYTES)
		return false;
	if (pad) {
		struct pv_sample filler = { .size = (uint16_t)pad, .kind = PV_SAMPLE_PAD };

		memcpy(ring->data + at, &filler, 8);
		at = 0;
	}
	memcpy(ring->data + at, &sample, sizeof(sample));
	for (uint64_t i = 0; i < chain; i++)
		memcpy(ring->data + at + sizeof(sample) + 8 * i, &(uint64_t){ number + i + 1 }, 8);
	__atomic_store_n(&ring->head, head + pad + size, __ATOMIC_RELEASE);
	return true;
}

/* Checks the samples at `out`, numbered from `number` on: the number behind the last. */
static uint32_t check_samples(const uint8_t *out, uint64_t bytes, uint32_t number)
{
	for (uint64_t at = 0; at < bytes; number++) {
		struct pv_sample sample;
		uint64_t caller;

		memcpy(&sample, out + at, sizeof(sample));
		CHECK_EQ(sample.ip, number);
		CHECK_EQ(sample.kind, PV_SAMPLE);
		CHECK_EQ(sample.vcpu, VCPU);
		CHECK_EQ(sample.event, number % EVENTS);
		CHECK_EQ(sample.size, sizeof(sample) + 8ull * sample.chain);
		for (uint64_t i = 0; i < sample.chain; i++) {
			memcpy(&caller, out + at + sizeof(sample) + 8 * i, 8);
			CHECK_EQ(caller, number + i + 1);
		}
		at += sample.size;
	}
	return number;
}

static void ring_order(void)
{
	struct fixture f;

	fixture_init(&f);
	CHECK_EQ(fixture_read(&f), 0);
	for (uint32_t i = 0; i < 5; i++)
		CHECK(put(f.ring, i, (uint16_t)i));
	CHECK_EQ(sample_ring_used(&f.reader), 5 * 48 + 10 * 8);
	CHECK_EQ(check_samples(f.out, fixture_read(&f), 0), 5);
	CHECK_EQ(sample_ring_used(&f.reader), 0);
	CHECK_EQ(f.ring->tail, f.ring->head);
	f.ring->lost = 7;
	CHECK_EQ(sample_ring_lost(&f.reader), 7);
	CHECK_EQ(f.reader.discarded, 0);
	free(f.ring);
}

/* Every length at every place of the ring. */
static void ring_wraps(void)
{
	struct fixture f;
	uint32_t written = 0, read = 0;

	fixture_init(&f);
	for (uint32_t round = 0; round < 2000; round++) {
		while (put(f.ring, written, (uint16_t)((written * 7) % 60)))
			written++;
		read = check_samples(f.out, fixture_read(&f), read);
		CHECK_EQ(read, written);
	}
	CHECK_EQ(f.reader.discarded, 0);
	CHECK(f.ring->head > 1000 * BYTES);
	free(f.ring);
}

/* What does not fit stays for the next time. */
static void ring_small_buffer(void)
{
	struct fixture f;
	uint32_t read = 0;

	fixture_init(&f);
	for (uint32_t i = 0; i < 10; i++)
		CHECK(put(f.ring, i, 1));
	for (uint32_t i = 0; i < 10; i++) {
		uint64_t size = sample_ring_read(&f.reader, f.out, 56 + 55);

		CHECK_EQ(size, 56);
		read = check_samples(f.out, size, read);
	}
	CHECK_EQ(read, 10);
	free(f.ring);
}

/* A record that is wrong in one way: what came before it comes out, the rest is discarded and counted. */
static void ring_malformed(void)
{
	static const struct pv_sample wrong[] = {
		{ .size = 0 },
		{ .size = 4 },
		{ .size = 44 },
		{ .size = 40 },
		{ .size = 56 },
		{ .size = 48, .chain = 1 },
		{ .size = 48 + 8 * 16, .chain = 16 },
		{ .size = 48 + 8 * 128, .chain = 128 },
		{ .size = 0xfff8, .chain = 0x1ff9 },
		{ .size = 48, .event = EVENTS },
		{ .size = 48, .event = 0xffff },
		{ .size = 48, .kind = 2 },
		{ .size = 0, .kind = PV_SAMPLE_PAD },
		{ .size = 7, .kind = PV_SAMPLE_PAD },
		{ .size = 0xfff8, .kind = PV_SAMPLE_PAD },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct fixture f;

		fixture_init(&f);
		CHECK(put(f.ring, 0, 0));
		CHECK(put(f.ring, 1, 0));
		memcpy(f.ring->data + 48, &wrong[i], sizeof(wrong[i]));
		CHECK_EQ(fixture_read(&f), 48);
		CHECK_EQ(check_samples(f.out, 48, 0), 1);
		CHECK_EQ(f.reader.discarded, 48);
		CHECK(put(f.ring, 2, 3));
		CHECK_EQ(check_samples(f.out, fixture_read(&f), 2), 3);
		free(f.ring);
	}
}

/* Any head, tail and data: nothing outside the ring is read (the address sanitizer watches), all that comes is sound. */
static void ring_garbage(void)
{
	struct rng rng = { 42 };
	struct fixture f;

	fixture_init(&f);
	for (unsigned round = 0; round < 200000; round++) {
		uint64_t step = rng_next(&rng), bytes;
		uint32_t at = rng_below(&rng, BYTES / 8) * 8;
		struct pv_sample sample = { .size = (uint16_t)(rng_below(&rng, 24) * 8),
					    .event = (uint16_t)rng_below(&rng, EVENTS + 1),
					    .chain = (uint16_t)rng_below(&rng, 16),
					    .kind = (uint8_t)rng_below(&rng, 3) };

		memcpy(f.ring->data + at, &sample, 8);
		f.ring->tail = rng_next(&rng);
		f.ring->head = step % 4 ? f.reader.tail + step % (2 * BYTES) / 8 * 8 : step;
		bytes = fixture_read(&f);
		CHECK(bytes <= BYTES);
		CHECK_EQ(f.reader.tail % 8, 0);
		for (uint64_t i = 0; i < bytes;) {
			memcpy(&sample, f.out + i, sizeof(sample));
			CHECK_EQ(sample.size, sizeof(sample) + 8ull * sample.chain);
			CHECK(sample.event < EVENTS && sample.kind == PV_SAMPLE && sample.vcpu == VCPU);
			i += sample.size >= sizeof(sample) ? sample.size : bytes;
		}
	}
	CHECK(f.reader.discarded > 0);
	free(f.ring);
}

static void *write_all(void *ring)
{
	for (uint32_t i = 0; i < RACE_SAMPLES;)
		i += put(ring, i, (uint16_t)(i % 5));
	return NULL;
}

static void ring_race(void)
{
	struct fixture f;
	pthread_t writer;
	uint32_t read = 0;

	fixture_init(&f);
	pthread_create(&writer, NULL, write_all, f.ring);
	while (read < RACE_SAMPLES)
		read = check_samples(f.out, fixture_read(&f), read);
	pthread_join(writer, NULL);
	CHECK_EQ(read, RACE_SAMPLES);
	CHECK_EQ(f.reader.discarded, 0);
	free(f.ring);
}

const struct named_test ring_tests[] = {
	{ "ring_order", ring_order, false },
	{ "ring_wraps", ring_wraps, false },
	{ "ring_small_buffer", ring_small_buffer, false },
	{ "ring_malformed", ring_malformed, false },
	{ "ring_garbage", ring_garbage, false },
	{ "ring_race", ring_race, false },
	{ NULL, NULL, false },
};
