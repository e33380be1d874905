/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/touched.h"

#include <string.h>

#include "explore/fibers/arena.h"

/* By word of the arena: a bit for each fiber that touched it. */
enum { CHANGED = 1 << 31, WORD = 4 };
static uint32_t touched[ARENA_BYTES / WORD];

bool touched_changes(uint8_t kind)
{
	return kind != POINT_LOAD && kind != POINT_WAIT;
}

void touched_forget(void)
{
	memset(touched, 0, sizeof(touched));
}

static bool is_shared(uint32_t mask)
{
	uint32_t by = mask & ~(uint32_t)CHANGED;

	return mask & CHANGED && by & (by - 1);
}

bool touched_by_one(const struct fiber *self)
{
	uint32_t offset = arena_offset(self->object), before, *mask = &touched[offset / WORD];

	if (!offset || self->kind == POINT_WAIT)
		return false;
	before = *mask;
	*mask |= 1u << self->number;
	if (touched_changes(self->kind))
		*mask |= CHANGED;
	schedule.grown = schedule.grown || is_shared(*mask) != is_shared(before);
	return !is_shared(*mask);
}

bool touched_conflict(const struct fiber *a, const struct fiber *b)
{
	return a->object && a->object == b->object &&
	       (touched_changes(a->kind) || touched_changes(b->kind));
}
