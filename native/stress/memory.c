/* SPDX-License-Identifier: GPL-2.0-only */
#include "stress/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "explore/fibers/arena.h"
#include "core/locks/panic.h"
#include "explore/fibers/schedule.h"

enum { POISON = 0x6b, KEPT = 32 };

struct block {
	uint64_t size; /* without this header */
	uint64_t freed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *kept[KEPT];
static uint64_t released, live;
static uint32_t fails_in;

void *memory_alloc(void *context, uint64_t size)
{
	struct block *block;
	bool fails;

	(void)context;
	pthread_mutex_lock(&lock);
	fails = fails_in && !--fails_in;
	live += !fails;
	pthread_mutex_unlock(&lock);
	block = fails ? NULL : calloc(1, sizeof(*block) + size);
	if (!block)
		return NULL;
	block->size = size;
	return block + 1;
}

void memory_release(void *context, void *memory)
{
	struct block *block, *oldest = NULL;
	bool twice;

	(void)context;
	if (!memory)
		return;
	block = (struct block *)memory - 1;
	pthread_mutex_lock(&lock);
	twice = block->freed++;
	if (!twice) {
		oldest = kept[released % KEPT];
		kept[released++ % KEPT] = block;
		live--;
		memset(memory, POISON, block->size);
	}
	pthread_mutex_unlock(&lock);
	if (twice)
		pv_panic("%s frees memory that was freed", pv_self()->name);
	free(oldest);
}

void memory_fail(uint32_t n)
{
	fails_in = n;
}

uint64_t memory_live(void)
{
	return live;
}

void memory_forget(void)
{
	for (unsigned i = 0; i < KEPT; i++) {
		free(kept[i]);
		kept[i] = NULL;
	}
}

bool arena_is_poison(const uint8_t *memory, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (memory[i] != POISON)
			return false;
	return true;
}

/* arena.h's, as oracle.c calls it: all is quiet. */
void arena_check(void)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i] && !arena_is_poison((const uint8_t *)(kept[i] + 1), kept[i]->size))
			schedule_violation(EXPLORE_MEMORY, "memory was written to after it was freed");
}
