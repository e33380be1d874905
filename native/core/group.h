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

#include "event.h"

/* The leader first. The event may leave the group meanwhile. */
#define for_each_member(event, leader) \
	for (struct host_event *event = (leader), *next_ = event->sibling; event; \
	     event = next_, next_ = event ? event->sibling : NULL)

static inline bool group_leads(const struct host_event *event)
{
	return event->leader == event;
}

static inline struct pv_mutex *event_lock(struct host_event *event)
{
	return &event->locked_by->lock;
}

#endif
