/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/group.h"

#include <stddef.h>

#include "core/host/host.h"

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
	    leader->breakpoints + event->breakpoints > PV_BREAKPOINTS)
		return -PV_EINVAL;
	return leader->members < room(leader) ? 0 : -PV_ENOSPC;
}

int group_join(struct host_event *leader, struct host_event *event)
{
	int ret = join_check(leader, event);

	if (ret)
		return ret;
	event->locked_by = leader->locked_by;
	event->vm->design->hold(event->locked_by);
	leader->last->sibling = event;
	event->sibling_before = leader->last;
	leader->last = event;
	event->leader = leader;
	leader->members++;
	leader->counters += event->counters;
	leader->breakpoints += event->breakpoints;
	return 0;
}

void group_leave(struct host_event *event)
{
	struct host_event *leader = event->leader;

	event->sibling_before->sibling = event->sibling;
	if (event->sibling)
		event->sibling->sibling_before = event->sibling_before;
	else
		leader->last = event->sibling_before;
	event->sibling = event->sibling_before = NULL;
	event->leader = event;
	leader->members--;
	leader->counters -= event->counters;
	leader->breakpoints -= event->breakpoints;
}

void group_dissolve(struct host_event *leader)
{
	while (leader->sibling)
		group_leave(leader->sibling);
}
