/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event groups: a leader and its siblings, which run all together or not at all. An event
 * alone leads a group of one.
 *
 * A group has one lock, its leader's. Who joins takes it for life, with a reference to the
 * event whose lock it is, also when that event is closed and the group is no more.
 */
#ifndef PV_GROUP_H
#define PV_GROUP_H

#include "core/events/event.h"

/* The leader first. The event may leave the group meanwhile. */
#define for_each_member(event, leader) \
	for (struct host_event *event = (leader), *next_ = event->sibling; event; \
	     event = next_, next_ = event ? event->sibling : NULL)

static inline bool group_leads(const struct host_event *event)
{
	return event->leader == event;
}

/* The lock of its group; whose it is may have been freed by a design that counts no references. */
static inline struct pv_mutex *event_lock(struct host_event *event)
{
	event_check_live(event->locked_by, "locks");
	return &event->locked_by->lock;
}

/*
 * The leader's lock held, and nobody else knows the event yet. 0, or in this order -PV_EINVAL for
 * what leads no group, or runs, or would need more than a vCPU has;
 * -PV_ENOSPC for a leader whose guest memory has no room for one more.
 */
int group_join(struct host_event *leader, struct host_event *event);
/* Lock held, and event_mutex while it is attached: the sibling is an event of its own. */
void group_leave(struct host_event *event);
/* Lock held, attached nowhere: all members are events of their own. */
void group_dissolve(struct host_event *leader);

#endif
