/* SPDX-License-Identifier: GPL-2.0-only */
/* Vector clocks, as FastTrack has them (Flanagan and Freund 2009), behind the calls that -fsanitize=thread makes. */
#include "explore/fibers/race.h"

#ifdef EXPLORE_RACES
#include <string.h>

#include "explore/fibers/arena.h"
#include "explore/fibers/schedule.h"

enum { STEP = 4, CELLS = ARENA_BYTES };

struct clock {
	uint32_t of[EXPLORE_FIBERS];
};

/* What happened last to the memory that begins here. Only what is of this schedule counts. */
static struct cell {
	uint32_t schedule;
	uint32_t write_clock; /* 0: none */
	uint32_t read_clock[EXPLORE_FIBERS];
	unsigned writer;
	const char *write_where, *read_where[EXPLORE_FIBERS];
} cells[CELLS];

static struct object {
	uint32_t schedule;
	struct clock clock;
} objects[ARENA_BYTES / STEP];

static struct clock fibers[EXPLORE_FIBERS];
static uint32_t this_schedule;

void race_begin(void)
{
	this_schedule++;
	memset(fibers, 0, sizeof(fibers));
	for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
		fibers[i].of[i] = 1;
}

static unsigned me(void)
{
	return schedule.current->number;
}

static void join(struct clock *to, const struct clock *from)
{
	for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
		if (from->of[i] > to->of[i])
			to->of[i] = from->of[i];
}

static struct object *object_of(const void *address)
{
	uint32_t offset = arena_offset(address);
	struct object *object = &objects[offset / STEP];

	if (!schedule.controlled || !offset)
		return NULL;
	if (object->schedule != this_schedule)
		*object = (struct object){ .schedule = this_schedule };
	return object;
}

void race_acquire(const void *address)
{
	const struct object *object = object_of(address);

	if (object)
		join(&fibers[me()], &object->clock);
}

void race_release(const void *address)
{
	struct object *object = object_of(address);

	if (!object)
		return;
	join(&object->clock, &fibers[me()]);
	fibers[me()].of[me()]++;
}

static _Noreturn void race(const char *what, const char *before, unsigned other, const char *where)
{
	schedule_violation(EXPLORE_RACE, "%s %s memory after %s, which %s %s after %s, and nothing orders the two",
			   schedule.current->thread.name, what, schedule.current->where,
			   schedule.fiber[other].thread.name, before, where);
}

static struct cell *cell_of(uint32_t offset)
{
	struct cell *cell = &cells[offset];

	if (cell->schedule != this_schedule) {
		cell->schedule = this_schedule;
		cell->write_clock = 0;
		memset(cell->read_clock, 0, sizeof(cell->read_clock));
	}
	return cell;
}

static void access(uint32_t offset, bool write)
{
	struct cell *cell = cell_of(offset);
	unsigned self = me();
	const struct clock *now = &fibers[self];

	if (cell->write_clock && cell->writer != self && cell->write_clock > now->of[cell->writer])
		race(write ? "writes" : "reads", "wrote", cell->writer, cell->write_where);
	for (unsigned i = 0; write && i < schedule.fibers; i++)
		if (i != self && cell->read_clock[i] > now->of[i])
			race("writes", "read", i, cell->read_where[i]);
	if (write) {
		cell->writer = self;
		cell->write_clock = now->of[self];
		cell->write_where = schedule.current->where;
	} else {
		cell->read_clock[self] = now->of[self];
		cell->read_where[self] = schedule.current->where;
	}
}

static void see(const void *address, uint64_t size, bool write)
{
	uint32_t offset = arena_offset(address);

	if (!schedule.controlled || !offset)
		return;
	for (uint64_t at = 0; at < size; at += size > 8 ? STEP : size)
		access(offset + (uint32_t)at, write);
}

/* The sanitizer's calls: gcc/sanitizer.def. */
#define SEEN(name, size, write)                                                                   \
	void name(void *address);                                                                 \
	void name(void *address)                                                                  \
	{                                                                                         \
		see(address, size, write);                                                        \
	}
SEEN(__tsan_read1, 1, false)
SEEN(__tsan_read2, 2, false)
SEEN(__tsan_read4, 4, false)
SEEN(__tsan_read8, 8, false)
SEEN(__tsan_read16, 16, false)
SEEN(__tsan_write1, 1, true)
SEEN(__tsan_write2, 2, true)
SEEN(__tsan_write4, 4, true)
SEEN(__tsan_write8, 8, true)
SEEN(__tsan_write16, 16, true)
SEEN(__tsan_unaligned_read2, 2, false)
SEEN(__tsan_unaligned_read4, 4, false)
SEEN(__tsan_unaligned_read8, 8, false)
SEEN(__tsan_unaligned_read16, 16, false)
SEEN(__tsan_unaligned_write2, 2, true)
SEEN(__tsan_unaligned_write4, 4, true)
SEEN(__tsan_unaligned_write8, 8, true)
SEEN(__tsan_unaligned_write16, 16, true)
#undef SEEN

void __tsan_read_range(void *address, unsigned long size);
void __tsan_read_range(void *address, unsigned long size)
{
	see(address, size, false);
}

void __tsan_write_range(void *address, unsigned long size);
void __tsan_write_range(void *address, unsigned long size)
{
	see(address, size, true);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* Atomics outside of pv_sync.h are those on guest memory, which no lock guards: they are done, and no more. */
#define ATOMIC(bits, type)                                                                        \
	type __tsan_atomic##bits##_load(const volatile type *word, int order);                    \
	type __tsan_atomic##bits##_load(const volatile type *word, int order)                     \
	{                                                                                         \
		(void)order;                                                                      \
		return *word;                                                                     \
	}                                                                                         \
	void __tsan_atomic##bits##_store(volatile type *word, type value, int order);             \
	void __tsan_atomic##bits##_store(volatile type *word, type value, int order)              \
	{                                                                                         \
		(void)order;                                                                      \
		*word = value;                                                                    \
	}                                                                                         \
	type __tsan_atomic##bits##_exchange(volatile type *word, type value, int order);          \
	type __tsan_atomic##bits##_exchange(volatile type *word, type value, int order)           \
	{                                                                                         \
		type old = *word;                                                                 \
                                                                                                  \
		(void)order;                                                                      \
		*word = value;                                                                    \
		return old;                                                                       \
	}                                                                                         \
	type __tsan_atomic##bits##_fetch_add(volatile type *word, type value, int order);         \
	type __tsan_atomic##bits##_fetch_add(volatile type *word, type value, int order)          \
	{                                                                                         \
		type old = *word;                                                                 \
                                                                                                  \
		(void)order;                                                                      \
		*word = (type)(old + value);                                                      \
		return old;                                                                       \
	}                                                                                         \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *word, type *old, type value, \
							  int order, int failed);                 \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *word, type *old, type value, \
							  int order, int failed)                  \
	{                                                                                         \
		bool same = *word == *old;                                                        \
                                                                                                  \
		(void)order;                                                                      \
		(void)failed;                                                                     \
		if (same)                                                                         \
			*word = value;                                                            \
		else                                                                              \
			*old = *word;                                                             \
		return same;                                                                      \
	}
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
#undef ATOMIC
#endif
