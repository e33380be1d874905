/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_PERF_OP: open, close, enable, disable, read. Operations on one group are
 * serialised by its lock, over the write to the guest too, so that counts in guest
 * memory never go backwards and nothing is written once close has returned.
 */
#include "core/exits/perf_op.h"

#include <errno.h>

#include "core/events/group.h"
#include "core/events/reading.h"
#include "core/host/host.h"
#include "core/overflow/delivery.h"
#include "core/vcpu/vcpu.h"

/* An id as the guest passes it: a zero- or sign-extended s32. */
static bool id_parse(uint64_t rcx, int32_t *ret)
{
	*ret = (int32_t)(uint32_t)rcx;
	return rcx <= UINT32_MAX || rcx == (uint64_t)(int64_t)*ret;
}

static int64_t op_open(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	if (rcx > UINT32_MAX || rdx > UINT32_MAX)
		return -PV_EINVAL;
	return vcpu->vm->design->open(vcpu, rcx | rdx << 32);
}

static int64_t op_open2(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	if (!vcpu->vm->design->open2 || rcx > UINT32_MAX || rdx > UINT32_MAX)
		return -PV_EINVAL;
	return vcpu->vm->design->open2(vcpu, rcx | rdx << 32);
}

/* Lock held: takes the group off its vCPU, if it is on one. False: the VM is over. */
static bool detach(struct host_event *leader)
{
	struct pv_vcpu *on = leader->vcpu;

	if (!on)
		return true;
	if (!vcpu_hold(on))
		return false;
	pmu_detach(on, leader);
	vcpu_release(on);
	for_each_member(event, leader)
		if (!PV_CANARY(detached_keeps_reference))
			event->vm->design->put(event); /* the PMU's reference; who is open, or being closed, has another */
	return true;
}

/* Lock held: takes one sibling out of its group, and off its vCPU. False: the VM is over. */
static bool leave(struct host_event *sibling)
{
	struct pv_vcpu *on = sibling->vcpu;

	if (!on) {
		group_leave(sibling);
		return true;
	}
	if (!vcpu_hold(on))
		return false;
	pmu_leave(on, sibling);
	vcpu_release(on);
	sibling->vm->design->put(sibling);
	return true;
}

/* Lock held, attached nowhere: gives the guest what these have counted. */
static int64_t finish(struct pv_vcpu *vcpu, struct host_event *first)
{
	uint64_t delivered;
	int64_t ret = 0;

	for (struct host_event *event = first; event && !ret; event = event->sibling) {
		inject_forget(event);
		ret = event->vm->design->finish(owner_mem(event->vm, event->agent), event, &event->sum, &delivered);
		trace(event->vm, PV_TRACE_FINISH, vcpu->index, event->id, delivered, 0);
	}
	return ret;
}

/* The event's vCPU in host mode, its event_mutex held. The caller's own is there already. */
static bool hold_place(struct pv_vcpu *vcpu, struct pv_vcpu *place)
{
	if (place != vcpu)
		return vcpu_hold(place);
	vcpu_hold_own(vcpu);
	return true;
}

/* Before a group leaves where it is: a move that is refused changes nothing. */
static int64_t promise(struct pv_vcpu *vcpu, struct pv_vcpu *place, struct host_event *leader)
{
	int64_t ret;

	if (!leader->vcpu || !leader->breakpoints)
		return 0;
	if (!hold_place(vcpu, place))
		return HC_NO_RESULT;
	ret = pmu_promise(place, leader);
	vcpu_release(place);
	return ret;
}

static int64_t enable_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pv_vcpu *place = event->vm->design->place(vcpu, event);
	int64_t ret;

	if (!group_leads(event))
		return -PV_EINVAL;
	if (event->vcpu == place)
		return 0;
	ret = promise(vcpu, place, event);
	if (ret)
		return ret;
	if (!detach(event))
		return HC_NO_RESULT;
	pv_point("enable: between two vCPUs");
	if (!hold_place(vcpu, place))
		return HC_NO_RESULT;
	ret = pmu_attach(place, event);
	vcpu_release(place);
	return ret;
}

static int64_t disable_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (!group_leads(event))
		return -PV_EINVAL;
	return detach(event) ? finish(vcpu, event) : HC_NO_RESULT;
}

/* Written with the event_mutex held: a sync that comes later writes later, too. */
static int64_t read_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pv_vcpu *on = event->vcpu;
	struct pmu_value value;
	int64_t ret;

	(void)vcpu;
	if (!on)
		return deliver_count(owner_mem(event->vm, event->agent), event, &event->sum);
	if (!vcpu_hold(on))
		return HC_NO_RESULT;
	value = pmu_read(on, event);
	ret = deliver_count(owner_mem(event->vm, event->agent), event, &value);
	vcpu_release(on);
	return ret;
}

/* The event under the id that a guest passes, to be given back with put(). NULL: there is none. */
static struct host_event *find(struct pv_vcpu *vcpu, uint64_t rcx)
{
	int32_t id;

	return id_parse(rcx, &id) ? owner_get(vcpu, id) : NULL;
}

/* An event that was closed between find and lock is gone as far as the guest can tell. False: so it is. */
static bool lock_open(struct pv_vcpu *vcpu, struct host_event *event)
{
	event_check_live(event, "locks");
	if (PV_CANARY(closed_seen_without_lock) && event->closed)
		pv_point("op: closed");
	pv_mutex_lock(event_lock(event));
	event_check_live(event, "uses");
	fault_delay(vcpu->vm);
	return !event->closed || PV_CANARY(closed_not_looked_at);
}

/* Runs an operation on an open event under its lock. */
static int64_t with_event(struct pv_vcpu *vcpu, uint64_t rcx,
			  int64_t (*op)(struct pv_vcpu *vcpu, struct host_event *event))
{
	const struct pv_design *design = vcpu->vm->design;
	struct host_event *event = find(vcpu, rcx);
	int64_t ret;

	if (!event)
		return -PV_ENOENT;
	pv_point("op: found");
	ret = lock_open(vcpu, event) ? op(vcpu, event) : -PV_ENOENT;
	if (PV_CANARY(put_before_unlock))
		design->put(event);
	pv_mutex_unlock(event_lock(event));
	if (!PV_CANARY(put_before_unlock))
		design->put(event);
	return ret;
}

static int64_t op_enable(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	(void)rdx;
	return with_event(vcpu, rcx, enable_locked);
}

static int64_t op_disable(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	(void)rdx;
	return with_event(vcpu, rcx, disable_locked);
}

static int64_t op_read(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	(void)rdx;
	return with_event(vcpu, rcx, read_locked);
}

/* A leader's siblings are stopped with it, and told what they have counted. False: the VM is over. */
static bool stop_for_good(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (!group_leads(event))
		return leave(event);
	if (!detach(event))
		return false;
	finish(vcpu, event->sibling);
	group_dissolve(event);
	return true;
}

/* It leaves the table under its lock, too: nobody finds it gone while its group still knows it. */
static int64_t close_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pv_vm *vm = vcpu->vm;
	bool stopped;

	owner_remove(vcpu, event->id);
	event->closed = true;
	stopped = stop_for_good(vcpu, event);
	if (stopped)
		closed_times_note(owner_closed(vm, event->agent), event->id, &event->times);
	trace(vm, PV_TRACE_CLOSE, vcpu->index, event->id, pv_u64_load(&event->shadow.overflows), 0);
	return stopped ? 0 : HC_NO_RESULT; /* what is still on a vCPU goes with the VM */
}

static int64_t op_close(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	const struct pv_design *design = vcpu->vm->design;
	struct host_event *event = find(vcpu, rcx);
	int64_t ret;

	(void)rdx;
	if (!event)
		return -PV_ENOENT;
	pv_point("close: found");
	ret = lock_open(vcpu, event) ? close_locked(vcpu, event) : -PV_ENOENT;
	pv_mutex_unlock(event_lock(event));
	design->put(event);
	pv_point("close: closed");
	if (!ret)
		design->release(event); /* what the table had */
	return ret;
}

static int64_t (*const ops[KVM_PV_PERF_OP_MAX])(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx) = {
	[KVM_PV_PERF_OP_OPEN] = op_open,
	[KVM_PV_PERF_OP_CLOSE] = op_close,
	[KVM_PV_PERF_OP_ENABLE] = op_enable,
	[KVM_PV_PERF_OP_DISABLE] = op_disable,
	[KVM_PV_PERF_OP_READ] = op_read,
	[KVM_PV_PERF_OP_OPEN2] = op_open2,
};

static const char *const op_names[KVM_PV_PERF_OP_MAX] = {
	[KVM_PV_PERF_OP_OPEN] = "OPEN",
	[KVM_PV_PERF_OP_CLOSE] = "CLOSE",
	[KVM_PV_PERF_OP_ENABLE] = "ENABLE",
	[KVM_PV_PERF_OP_DISABLE] = "DISABLE",
	[KVM_PV_PERF_OP_READ] = "READ",
	[KVM_PV_PERF_OP_OPEN2] = "OPEN2",
};

int64_t perf_op(struct pv_vcpu *vcpu, uint64_t op, uint64_t rcx, uint64_t rdx)
{
	bool known = op < KVM_PV_PERF_OP_MAX && ops[op];
	struct pv_thread *self = pv_self();
	const char *outer = self->doing;
	int64_t ret;

	pv_u64_count(&vcpu->figures.hypercalls[known ? op : 0], 1);
	if (!known)
		return -PV_EINVAL;
	self->doing = op_names[op];
	ret = ops[op](vcpu, rcx, rdx);
	self->doing = outer;
	return ret;
}

/* Times need no exact counts, so the vCPU is not paused for them. */
static void times_locked(struct host_event *event, struct pv_event_times *ret)
{
	struct pv_vcpu *on = event->vcpu;

	*ret = event->times;
	if (!on)
		return;
	pv_mutex_lock(&on->event_mutex);
	*ret = pmu_times_at(event, pmu_now(on));
	pv_mutex_unlock(&on->event_mutex);
}

int event_times(struct pv_vm *vm, bool agent, int32_t id, struct pv_event_times *ret)
{
	struct host_event *event;

	if (agent && !vm->agent_events.table)
		return -ENOENT;
	event = agent ? table_get(vm->agent_events.table, vm->design, id) : vm->design->get(vm, NULL, id);
	if (!event)
		return closed_times_find(owner_closed(vm, agent), id, ret);
	pv_mutex_lock(event_lock(event));
	times_locked(event, ret);
	pv_mutex_unlock(event_lock(event));
	vm->design->put(event);
	return 0;
}
