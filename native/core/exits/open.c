/* SPDX-License-Identifier: GPL-2.0-only */
/* OPEN and OPEN2 as the sound designs do them: copy, check the copy, create, insert. */
#include <errno.h>
#include <stddef.h>

#include "core/events/group.h"
#include "core/exits/perf_op.h"
#include "core/host/host.h"

/* What either of them asks for, once it is checked. */
struct opening {
	struct event_source source;
	gpa_t guest_addr;
	int32_t id;
	int32_t group; /* -1: none */
	uint32_t guest_bytes; /* 0: version 1 */
	uint32_t read_format;
};

static int guest_addr_check(const struct guest_mem *mem, gpa_t gpa, uint64_t bytes)
{
	if (!guest_range_ok(mem, gpa, bytes))
		return -PV_EFAULT;
	return gpa % 8 ? -PV_EINVAL : 0;
}

/* Reads and checks what OPEN is given, in the order in which errors are documented. */
static int open_parse(const struct guest_mem *mem, gpa_t gpa, struct opening *ret)
{
	struct kvm_pv_perf_event_param param;
	struct kvm_pv_perf_attr attr;
	int error = guest_copy_in(mem, gpa, &param, sizeof(param));

	if (error)
		return error;
	if (param.id < 0)
		return -PV_EINVAL;
	*ret = (struct opening){ .guest_addr = param.guest_event_addr, .id = param.id, .group = -1 };
	error = guest_copy_in(mem, param.attr_addr, &attr, sizeof(attr));
	if (error)
		return error;
	error = attr_validate(&attr, &ret->source);
	if (error)
		return error;
	return guest_addr_check(mem, param.guest_event_addr, sizeof(struct kvm_pv_perf_event));
}

/* How much of a kvm_pv_perf_event2 the format needs, with no siblings. */
static uint64_t bytes_needed(uint32_t read_format)
{
	if (read_format & KVM_PV_PERF_FORMAT_GROUP)
		return sizeof(struct kvm_pv_perf_event2) + sizeof(struct kvm_pv_perf_member);
	if (read_format & KVM_PV_PERF_FORMAT_ID)
		return offsetof(struct kvm_pv_perf_event2, nr);
	if (read_format & KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING)
		return offsetof(struct kvm_pv_perf_event2, id);
	if (read_format & KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED)
		return offsetof(struct kvm_pv_perf_event2, time_running);
	return offsetof(struct kvm_pv_perf_event2, time_enabled);
}

/* The attr's errors, but that these formats are supported: they are taken out of it. */
static int attr2_validate(struct kvm_pv_perf_attr *attr, struct opening *ret)
{
	const uint64_t formats = KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED | KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING |
				 KVM_PV_PERF_FORMAT_ID | KVM_PV_PERF_FORMAT_GROUP;

	ret->read_format = (uint32_t)(attr->read_format & formats);
	attr->read_format &= ~formats;
	return attr_validate(attr, &ret->source);
}

/* The same for OPEN2: what the format needs comes behind the attr's own errors. */
static int open2_parse(const struct guest_mem *mem, gpa_t gpa, struct opening *ret)
{
	struct kvm_pv_perf_event_param2 param;
	struct kvm_pv_perf_attr attr;
	int error = guest_copy_in(mem, gpa, &param, sizeof(param));

	if (error)
		return error;
	if (param.id < 0 || param.group < -1 || param.reserved)
		return -PV_EINVAL;
	*ret = (struct opening){ .guest_addr = param.guest_event_addr, .id = param.id, .group = param.group,
				 .guest_bytes = param.guest_event_bytes };
	error = guest_copy_in(mem, param.attr_addr, &attr, sizeof(attr));
	if (error)
		return error;
	error = attr2_validate(&attr, ret);
	if (error)
		return error;
	if (param.group >= 0 && ret->read_format & KVM_PV_PERF_FORMAT_GROUP)
		return -PV_EINVAL;
	if (param.guest_event_bytes < bytes_needed(ret->read_format))
		return -PV_EINVAL;
	return guest_addr_check(mem, param.guest_event_addr, param.guest_event_bytes);
}

/* Joined and inserted in one step, so that nobody finds a sibling that is none yet. */
static int insert_sibling(struct pv_vcpu *vcpu, struct host_event *leader, struct host_event *event)
{
	int ret;

	pv_point("open: leader found");
	event_check_live(leader, "locks");
	pv_mutex_lock(event_lock(leader));
	ret = leader->closed && !PV_CANARY(closed_leader_joined) ? (PV_CANARY(closed_leader_is_invalid) ? -PV_EINVAL : -PV_ENOENT) : group_join(leader, event);
	if (!ret) {
		ret = owner_insert(vcpu, event);
		if (ret)
			group_leave(event);
	}
	pv_mutex_unlock(event_lock(leader));
	return ret;
}

static int insert(struct pv_vcpu *vcpu, struct host_event *event, int32_t group)
{
	struct host_event *leader;
	int ret;

	if (group < 0)
		return owner_insert(vcpu, event);
	leader = owner_get(vcpu, group);
	if (!leader)
		return -PV_ENOENT;
	ret = insert_sibling(vcpu, leader, event);
	vcpu->vm->design->put(leader);
	return ret;
}

/* Parsed without an error. The group's errors come next, then those of the table. */
static int64_t open_parsed(struct pv_vcpu *vcpu, const struct opening *opening)
{
	struct pv_vm *vm = vcpu->vm;
	struct host_event *event;
	int ret;

	if (source_splits_clock(&opening->source))
		clock_calibrate(vm);
	event = event_create(vm, opening->id, opening->guest_addr, &opening->source);
	if (!event) {
		vm_host_error(vm, (int32_t)vcpu->index, ENOMEM, "no memory for a host event");
		return HC_NO_RESULT;
	}
	event->agent = vcpu_in_agent(vcpu);
	event->guest_bytes = opening->guest_bytes;
	event->read_format = opening->read_format;
	if (opening->guest_bytes)
		event->unique_id = pv_u64_add(&vm->unique_ids, 1);
	pv_point("open: created");
	ret = insert(vcpu, event, opening->group);
	if (ret && !PV_CANARY(refused_open_kept))
		event_put(event);
	else
		trace(vm, PV_TRACE_OPEN, vcpu->index, opening->id, 0, 0);
	return ret;
}

int64_t event_open(struct pv_vcpu *vcpu, gpa_t gpa)
{
	struct opening opening;
	int ret = open_parse(owner_mem(vcpu->vm, vcpu_in_agent(vcpu)), gpa, &opening);

	return ret ? ret : open_parsed(vcpu, &opening);
}

int64_t event_open2(struct pv_vcpu *vcpu, gpa_t gpa)
{
	struct opening opening;
	int ret = open2_parse(owner_mem(vcpu->vm, vcpu_in_agent(vcpu)), gpa, &opening);

	return ret ? ret : open_parsed(vcpu, &opening);
}
