/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/clock_heap.h"

#include <stddef.h>

#include "core/events/event.h"

static uint32_t distance_of(const struct host_event *event)
{
	return event ? event->clock.distance : 0;
}

/* The farther child stands on the left; so the way down on the right is at most log n long. */
static void settle(struct clock_node *node)
{
	struct host_event *left = node->left;

	if (distance_of(left) < distance_of(node->right)) {
		node->left = node->right;
		node->right = left;
	}
	node->distance = distance_of(node->right) + 1;
}

/* Two heaps become one. */
static struct host_event *merge(struct host_event *a, struct host_event *b)
{
	struct host_event *first;

	if (!a || !b)
		return a ? a : b;
	first = b->clock.key < a->clock.key ? b : a;
	first->clock.right = merge(first->clock.right, first == a ? b : a);
	first->clock.right->clock.above = first;
	settle(&first->clock);
	return first;
}

void clock_heap_add(struct host_event **first, struct host_event *event, uint64_t key)
{
	event->clock = (struct clock_node){ .key = key, .distance = 1 };
	*first = merge(*first, event);
	(*first)->clock.above = NULL;
}

/* The place of the event, as a link. */
static struct host_event **link_to(struct host_event **first, struct host_event *event)
{
	struct host_event *above = event->clock.above;

	if (!above)
		return first;
	return above->clock.left == event ? &above->clock.left : &above->clock.right;
}

/* From each place on, up to where nothing changes any more. */
static void settle_upwards(struct host_event *event)
{
	for (uint32_t before; event; event = event->clock.above) {
		before = event->clock.distance;
		settle(&event->clock);
		if (event->clock.distance == before)
			return;
	}
}

void clock_heap_remove(struct host_event **first, struct host_event *event)
{
	struct host_event *below = merge(event->clock.left, event->clock.right);

	*link_to(first, event) = below;
	if (below)
		below->clock.above = event->clock.above;
	settle_upwards(event->clock.above);
}
