/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/strategies/coverage.h"

#include <string.h>

#include "explore/fibers/arena.h"
#include "explore/fibers/touched.h"
#include "explore/play/world.h"

enum { WORD = 4, NAMES = 1024, PLACES = 256, ALL_OF_FIRST = 2048, BETWEEN = 16 };

/* By word of the arena: who touched it last, in the schedule of that number. */
struct last {
	uint32_t schedule;
	uint8_t fiber, kind;
	uint8_t place;
};
static struct last last[ARENA_BYTES / WORD];
/* The number of the schedule, if it is one of those that are looked at; else 0. */
static uint32_t number;
static uint32_t looked_at;
static bool results_too;

/* The same text may stand at several addresses. */
static struct { const char *text; uint8_t place; } names[NAMES];
static const char *places[PLACES];
static unsigned named, placed;

static uint8_t met[PLACES][PLACES]; /* 1: the first one came first */
/* A bit for each operation of a vCPU that returned later. */
static uint32_t ordered[EXPLORE_VCPUS][EXPLORE_OPS][EXPLORE_VCPUS];
static struct explore_pair pairs[PLACES * 16];

void coverage_forget(void)
{
	memset(met, 0, sizeof(met));
	memset(ordered, 0, sizeof(ordered));
}

static uint8_t find_place(const char *where)
{
	for (unsigned i = 0; i < placed; i++)
		if (!strcmp(places[i], where))
			return (uint8_t)i;
	if (placed == PLACES - 1) /* the last one stands for all that do not fit */
		return PLACES - 1;
	places[placed] = where;
	return (uint8_t)placed++;
}

static uint8_t place_of(const char *where)
{
	unsigned at = (unsigned)(mix64((uintptr_t)where) % NAMES);

	while (names[at].text && names[at].text != where)
		at = (at + 1) % NAMES;
	if (!names[at].text) {
		if (named == NAMES - 1)
			return PLACES - 1;
		named++;
		names[at].text = where;
		names[at].place = find_place(where);
	}
	return names[at].place;
}

/* Who lets a lock go says nothing of the order in which it was taken. */
static bool counts(uint8_t kind)
{
	return kind <= POINT_TRYLOCK || kind == POINT_WAKE;
}

static void look_at(const struct fiber *self)
{
	uint8_t fiber = self->number, place;
	uint32_t offset = arena_offset(self->object);
	struct last *before = &last[offset / WORD];

	if (!offset || !counts(self->kind))
		return;
	place = place_of(self->where);
	if (before->schedule == number && before->fiber != fiber &&
	    (touched_changes(self->kind) || touched_changes(before->kind)))
		met[before->place][place] = 1;
	*before = (struct last){ number, fiber, self->kind, place };
}

void coverage_begin(uint64_t at)
{
	number = mix64(at) % BETWEEN ? 0 : ++looked_at;
	schedule.seen = number ? look_at : NULL;
	results_too = number || at < ALL_OF_FIRST;
}

void coverage_end(void)
{
	const struct explore_result *results = world.results;

	if (!results_too)
		return;
	for (uint32_t i = 0; i < world.result_count; i++)
		for (uint32_t j = 0; j < world.result_count; j++)
			if (results[i].returned < results[j].returned && results[j].returned != UINT32_MAX)
				ordered[results[i].fiber][results[i].op][results[j].fiber] |= 1u << results[j].op;
	number = 0;
	schedule.seen = NULL;
	results_too = false;
}

uint32_t explore_ordered(uint32_t fiber, uint32_t op, uint32_t other_fiber, uint32_t other_op)
{
	return ordered[fiber][op][other_fiber] >> other_op & 1;
}

const struct explore_pair *explore_pairs(uint32_t *n)
{
	*n = 0;
	for (unsigned a = 0; a < placed; a++)
		for (unsigned b = 0; b <= a; b++) {
			if (!(met[a][b] || met[b][a]) || *n == sizeof(pairs) / sizeof(*pairs))
				continue;
			pairs[(*n)++] = (struct explore_pair){ .first = places[met[b][a] ? b : a],
							       .second = places[met[b][a] ? a : b],
							       .both = met[a][b] && met[b][a] };
		}
	return pairs;
}
