/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/store_buffer.h"

#include <string.h>

#include "explore/fibers/record.h"

enum { ROOM = 32 }; /* a store into a full buffer lets the oldest one go first */

struct store {
	void *word;
	uint64_t value;
	const char *where;
	uint8_t size, op;
};

static struct store_buffer {
	uint32_t first, end; /* free-running */
	struct store at[ROOM];
} buffers[EXPLORE_FIBERS];

void store_buffer_reset(void)
{
	for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
		buffers[i].first = buffers[i].end = 0;
	schedule.buffered = 0;
}

bool store_buffer_drained_by(uint8_t kind)
{
	return kind != POINT_LOAD && kind != POINT_STORE && kind != POINT_RELEASE && kind != POINT_TAG;
}

static unsigned me(void)
{
	return schedule.current->number;
}

void store_buffer_put(void *word, const void *value, uint32_t size, const char *where)
{
	struct store_buffer *own = &buffers[me()];
	struct store *store;

	if (own->end - own->first == ROOM)
		store_buffer_let_go(me());
	store = &own->at[own->end++ % ROOM];
	*store = (struct store){ .word = word, .where = where, .size = (uint8_t)size, .op = schedule.current->op };
	memcpy(&store->value, value, size);
	schedule.buffered |= 1u << me();
}

/* The youngest store to the word, or NULL. */
static const struct store *find(const struct store_buffer *buffer, const void *word)
{
	for (uint32_t i = buffer->end; i != buffer->first; i--)
		if (buffer->at[(i - 1) % ROOM].word == word)
			return &buffer->at[(i - 1) % ROOM];
	return NULL;
}

bool store_buffer_get(const void *word, void *value)
{
	const struct store *store = schedule.buffered >> me() & 1 ? find(&buffers[me()], word) : NULL;

	if (store)
		memcpy(value, &store->value, store->size);
	return store != NULL;
}

bool store_buffer_holds(const void *word)
{
	for (uint32_t left = schedule.buffered; left; left &= left - 1)
		if (find(&buffers[__builtin_ctz(left)], word))
			return true;
	return false;
}

static bool share_a_word(const struct store_buffer *one, const struct store_buffer *other)
{
	for (uint32_t i = one->first; i != one->end; i++)
		if (find(other, one->at[i % ROOM].word))
			return true;
	return false;
}

/* Adds those that share a word with one that is there already, as often as that adds any. */
static uint32_t close_over(uint32_t found, uint32_t others)
{
	uint32_t before;

	do {
		before = found;
		for (uint32_t left = others & ~found; left; left &= left - 1)
			for (uint32_t in = before; in; in &= in - 1)
				if (share_a_word(&buffers[__builtin_ctz(left)], &buffers[__builtin_ctz(in)]))
					found |= left & -left;
	} while (found != before);
	return found;
}

uint32_t store_buffer_matters(const struct fiber *self)
{
	unsigned own = self->number;
	uint32_t others = schedule.buffered & ~(1u << own), found = 0;
	bool drained = store_buffer_drained_by(self->kind);

	if (!others || (!drained && (self->kind != POINT_LOAD || find(&buffers[own], self->object))))
		return 0;
	for (uint32_t left = others; left; left &= left - 1)
		if (find(&buffers[__builtin_ctz(left)], self->object))
			found |= left & -left;
	if (drained)
		found |= 1u << own & schedule.buffered;
	return close_over(found, others) & others;
}

void store_buffer_let_go(unsigned fiber)
{
	struct store_buffer *buffer = &buffers[fiber];
	const struct store *store = &buffer->at[buffer->first++ % ROOM];
	struct fiber stands = { .kind = POINT_VISIBLE, .op = store->op, .where = store->where };

	memcpy(store->word, &store->value, store->size);
	if (buffer->first == buffer->end)
		schedule.buffered &= ~(1u << fiber);
	record_step(fiber, &stands);
}

void store_buffer_drain(unsigned fiber)
{
	while (schedule.buffered >> fiber & 1)
		store_buffer_let_go(fiber);
}

void store_buffer_fence(void)
{
	if (schedule.buffered)
		store_buffer_drain(schedule.current->number);
}
