/* SPDX-License-Identifier: GPL-2.0-only */
/* A robin-hood table and a cuckoo table with the same words in them: they come, are counted, and go. */
#include "program.h"

enum { SLOTS = 512, WORDS = 900 };

struct slot {
	uint64_t key; /* 0: free */
	uint32_t count;
};

static struct slot robin[SLOTS], cuckoo[2][SLOTS];

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

static unsigned distance(unsigned at, uint64_t key)
{
	return (at - (unsigned)mix(key)) % SLOTS;
}

static void robin_add(uint64_t key)
{
	struct slot carried = { key, 1 };

	for (unsigned at = (unsigned)mix(key) % SLOTS, far = 0;; at = (at + 1) % SLOTS, far++) {
		struct slot *slot = &robin[at];

		if (slot->key == carried.key) {
			slot->count += carried.count;
			return;
		}
		if (!slot->key) {
			*slot = carried;
			return;
		}
		if (distance(at, slot->key) < far) {
			struct slot richer = *slot;

			far = distance(at, slot->key);
			*slot = carried;
			carried = richer;
		}
	}
}

static struct slot *robin_find(uint64_t key)
{
	for (unsigned at = (unsigned)mix(key) % SLOTS, far = 0;; at = (at + 1) % SLOTS, far++) {
		if (robin[at].key == key)
			return &robin[at];
		if (!robin[at].key || distance(at, robin[at].key) < far)
			return NULL;
	}
}

static void robin_remove(uint64_t key)
{
	struct slot *slot = robin_find(key);

	if (!slot)
		return;
	for (unsigned at = (unsigned)(slot - robin);; at = (at + 1) % SLOTS) {
		unsigned next = (at + 1) % SLOTS;

		robin[at] = robin[next];
		if (!robin[next].key || distance(next, robin[next].key) == 0) {
			robin[at] = (struct slot){ 0 };
			return;
		}
	}
}

static unsigned nest(unsigned table, uint64_t key)
{
	return (unsigned)(mix(key) >> (table ? 40 : 16)) % SLOTS;
}

static struct slot *cuckoo_find(uint64_t key)
{
	for (unsigned table = 0; table < 2; table++)
		if (cuckoo[table][nest(table, key)].key == key)
			return &cuckoo[table][nest(table, key)];
	return NULL;
}

static bool cuckoo_add(uint64_t key)
{
	struct slot *found = cuckoo_find(key), carried = { key, 1 };

	if (found) {
		found->count++;
		return true;
	}
	for (unsigned tries = 0; tries < 64; tries++) {
		struct slot *slot = &cuckoo[tries % 2][nest(tries % 2, carried.key)], out = *slot;

		*slot = carried;
		if (!out.key)
			return true;
		carried = out;
	}
	return false;
}

/* Zipf's law, about: word n as often as n is small. */
static uint64_t word(struct random *random)
{
	uint32_t n = random_below(random, 320);

	n = n * random_below(random, 320) / 320;
	return (n + 1) * 0x9e3779b97f4a7c15;
}

void program(void)
{
	struct random random = { 13 };
	uint64_t sum = 0;
	unsigned kinds = 0;

	for (unsigned i = 0; i < WORDS; i++) {
		uint64_t key = word(&random);

		robin_add(key);
		check(cuckoo_add(key), "no nest");
		if (i % 5 == 0) {
			struct slot *slot;

			key = word(&random);
			slot = cuckoo_find(key);
			check((slot != NULL) == (robin_find(key) != NULL), "both or none");
			robin_remove(key);
			if (slot)
				slot->key = 0;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct slot *slot = &robin[i], *other = slot->key ? cuckoo_find(slot->key) : NULL;

		if (!slot->key)
			continue;
		check(other && other->count == slot->count, "the same count");
		kinds++;
		sum += slot->key * slot->count;
	}
	print_number(kinds);
	print_hex(sum);
}
