/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's memory under stress: what is released is poisoned, kept for a while, and looked at. */
#ifndef STRESS_MEMORY_H
#define STRESS_MEMORY_H

#include <stdint.h>

void *memory_alloc(void *context, uint64_t size);
/* Releasing twice is a host panic. */
void memory_release(void *context, void *memory);
/* The `n`-th allocation from now on gets nothing; 0: none. */
void memory_fail(uint32_t n);
/* Allocations that are not released. */
uint64_t memory_live(void);
/* What is kept goes for good. */
void memory_forget(void);

#endif
