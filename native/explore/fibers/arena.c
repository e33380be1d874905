/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/arena.h"

#include <string.h>

#include "explore/fibers/schedule.h"
#include "explore/fibers/store_buffer.h"

enum { POISON = 0x6b };

struct block {
	uint32_t size; /* without this header */
	uint32_t freed;
	uint64_t pad;
};

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));
static uint8_t kept[ARENA_BYTES];
static uint32_t used, kept_bytes;
static uint32_t fails_in;
static bool any_freed;

void arena_reset(void)
{
	used = kept_bytes = 0;
	any_freed = false;
}

void *arena_alloc(void *context, uint64_t size)
{
	uint64_t whole = sizeof(struct block) + (size + 15) / 16 * 16;
	struct block *block = (void *)(arena + used);

	(void)context;
	if ((fails_in && !--fails_in) || whole > ARENA_BYTES - used)
		return NULL;
	*block = (struct block){ .size = (uint32_t)(whole - sizeof(*block)) };
	used += (uint32_t)whole;
	return memset(block + 1, 0, block->size);
}

void arena_release(void *context, void *memory)
{
	struct block *block = (struct block *)memory - 1;

	(void)context;
	if (!memory)
		return;
	store_buffer_fence(); /* the poison is no store that could come after those that wait */
	if (block->freed && schedule.current)
		schedule_violation(EXPLORE_MEMORY, "%s frees memory twice", schedule.current->thread.name);
	block->freed = 1;
	any_freed = true;
	memset(memory, POISON, block->size);
}

void arena_keep(void)
{
	memcpy(kept, arena, used);
	kept_bytes = used;
}

void arena_restore(uint32_t fail)
{
	fails_in = fail;
	memcpy(arena, kept, kept_bytes);
	used = kept_bytes;
	any_freed = false;
}

/* Of one byte over and over: each is the one before it. */
bool arena_is_poison(const uint8_t *memory, uint64_t size)
{
	return !size || (memory[0] == POISON && !memcmp(memory, memory + 1, size - 1));
}

void arena_check(void)
{
	for (uint32_t at = kept_bytes; any_freed && at < used;) {
		const struct block *block = (const void *)(arena + at);

		if (block->freed && !arena_is_poison((const uint8_t *)(block + 1), block->size))
			schedule_violation(EXPLORE_MEMORY, "memory was written to after it was freed");
		at += (uint32_t)sizeof(*block) + block->size;
	}
}

uint32_t arena_offset(const void *memory)
{
	uintptr_t offset = (uintptr_t)memory - (uintptr_t)arena;

	return offset < ARENA_BYTES ? (uint32_t)offset : 0;
}
