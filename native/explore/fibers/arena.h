/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of the machine. It is filled once, while the VM is created; a schedule then
 * begins with a copy of what it was, which takes less time than one malloc(). Within a
 * schedule what is released is never given out again, and is looked at when it ends.
 */
#ifndef EXPLORE_ARENA_H
#define EXPLORE_ARENA_H

#include <stdbool.h>
#include <stdint.h>

enum { ARENA_BYTES = 256 * 1024 };

void arena_reset(void);
/* Zeroed memory, or NULL when all is used. */
void *arena_alloc(void *context, uint64_t size);
/* Fills it with poison. Releasing twice is a violation. */
void arena_release(void *context, void *memory);
/* What is there now is what each schedule begins with. */
void arena_keep(void);
/* The `fail`-th allocation from now on gets nothing; 0: none. */
void arena_restore(uint32_t fail);
bool arena_is_poison(const uint8_t *memory, uint64_t size);
/* A violation if something wrote to memory that had been released. */
void arena_check(void);
/* From the arena's begin; 0 for what lies outside of it. */
uint32_t arena_offset(const void *memory);

#endif
