/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clocks in the order in which they are to be looked at: a leftist heap, threaded through the events, so that it needs
 * no memory. To add one, and to take any of n out, costs log n.
 */
#ifndef PV_CLOCK_HEAP_H
#define PV_CLOCK_HEAP_H

#include <stdint.h>

struct host_event;

/* In an event. */
struct clock_node {
	struct host_event *above, *left, *right;
	uint32_t distance; /* to the nearest place without a child, down the right side */
	uint64_t key;
};

/* `first` is the heap: the event with the smallest key, or NULL. */
void clock_heap_add(struct host_event **first, struct host_event *event, uint64_t key);
void clock_heap_remove(struct host_event **first, struct host_event *event);

#endif
