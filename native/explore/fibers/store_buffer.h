/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * x86-TSO (Sewell and others 2010): a store waits in its fiber's buffer, first in, first out, until
 * it becomes visible. The fiber's own loads find it there at once. What is locked on x86 waits
 * until the buffer is empty: updates, locks, trylocks, wake-ups, the unlocking of a mutex, and the
 * way into guest mode. The unlocking of a spinlock is a plain store, and does not wait.
 *
 * Plain accesses do not go through buffers: where no data race is, nobody can tell.
 */
#ifndef EXPLORE_STORE_BUFFER_H
#define EXPLORE_STORE_BUFFER_H

#include "explore/fibers/schedule.h"

void store_buffer_reset(void);
/* The current fiber stores `size` bytes. */
void store_buffer_put(void *word, const void *value, uint32_t size, const char *where);
/* What the current fiber stored there last and nobody else can see yet; false: nothing. */
bool store_buffer_get(const void *word, void *value);
/* Is a store to this word waiting in any fiber's buffer? */
bool store_buffer_holds(const void *word);
/* The fibers whose waiting stores make a difference for the step at which `self` stands: to the word
 * that it looks at, or to one whose order with the stores that its step lets go is seen. */
uint32_t store_buffer_matters(const struct fiber *self);
/* The oldest store of a fiber becomes visible: a step of its own. */
void store_buffer_let_go(unsigned fiber);
/* All of them do, each in turn. */
void store_buffer_drain(unsigned fiber);
/* Does this step wait until the buffer is empty? */
bool store_buffer_drained_by(uint8_t kind);
/* The current fiber's stores are visible from here on. */
void store_buffer_fence(void);

#endif
