/* SPDX-License-Identifier: GPL-2.0-only */
#include "group.h"

#include <stddef.h>

#include "host.h"

static unsigned members(struct host_event *leader)
{
	unsigned n = 0;

	for_each_member(event, leader)
		n++;
	return n;
}

unsigned group_breakpoints(struct host_event *leader)
{
	unsigned n = 0;

	for_each_member(event, leader)
		n += event->source.kind == SOURCE_BREAKPOINT;
	return n;
}

/* Members that the leader's guest memory has room for. */
static uint64_t room(const struct host_event *leader)
{
	if (!(leader->read_format & KVM_PV_PERF_FORMAT_GROUP))
		return UINT64_MAX;
	return (leader->guest_bytes - sizeof(struct kvm_pv_perf_event2)) / sizeof(struct kvm_pv_perf_member);
}

static int join_check(struct host_event *leader, struct host_event *event)
{
	if (!group_leads(leader) || leader->vcpu)
		return -PV_EINVAL;
	if (leader->counters + event->counters > event->vm->config.counters ||
	    group_breakpoints(leader) + group_breakpoints(event) > PV_BREAKPOINTS)
		return -PV_EINVAL;
	return members(leader) < room(leader) ? 0 : -PV_ENOSPC;
}

int group_join(struct host_event *leader, struct host_event *event)
{
	struct host_event *last = leader;
	int ret = join_check(leader, event);

	if (ret)
		return ret;
	event->locked_by = leader->locked_by;
	event->vm->design->hold(event->locked_by);
	while (last->sibling)
		last = last->sibling;
	last->sibling = event;
	event->leader = leader;
	leader->counters += event->counters;
	return 0;
}

void group_leave(struct host_event *event)
{
	struct host_event *leader = event->leader, *before = leader;

	while (before->sibling != event)
		before = before->sibling;
	before->sibling = event->sibling;
	event->sibling = NULL;
	event->leader = event;
	leader->counters -= event->counters;
}

void group_dissolve(struct host_event *leader)
{
	while (leader->sibling)
		group_leave(leader->sibling);
}
