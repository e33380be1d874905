/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks to switch between, all on the calling thread: a few ns where a thread takes microseconds. */
#ifndef EXPLORE_FIBER_H
#define EXPLORE_FIBER_H

#include <stdint.h>

enum { FIBER_STACK_BYTES = 64 * 1024 };

/* A stack with a guard page below it; NULL: no memory. Its highest address is returned. */
uint8_t *fiber_stack_create(void);
/* A context that calls entry() on this stack once it is switched to; entry() never returns. */
void *fiber_context(uint8_t *top, void (*entry)(void));
/* Stores the caller's context in *save, and goes on in `load`. */
void fiber_switch(void **save, void *load);

#endif
