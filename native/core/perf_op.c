/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_PERF_OP: open, close, enable, disable, read. Operations on one event are
 * serialised by its lock, over the write to the guest too, so that counts in guest
 * memory never go backwards and nothing is written once close has returned.
 */
#include <errno.h>

#include "host.h"

/* An id as the guest passes it: a zero- or sign-extended s32. */
static bool id_parse(uint64_t rcx, int32_t *ret)
{
	*ret = (int32_t)(uint32_t)rcx;
	return rcx <= UINT32_MAX || rcx == (uint64_t)(int64_t)*ret;
}

static int guest_addr_check(const struct guest_mem *mem, gpa_t gpa)
{
	if (!guest_range_ok(mem, gpa, sizeof(struct kvm_pv_perf_event)))
		return -PV_EFAULT;
	return gpa % 8 ? -PV_EINVAL : 0;
}

/* Reads and checks what OPEN is given, in the order in which errors are documented. */
static int open_parse(const struct guest_mem *mem, gpa_t gpa, struct kvm_pv_perf_event_param *param,
		      struct event_source *source)
{
	struct kvm_pv_perf_attr attr;
	int ret = guest_copy_in(mem, gpa, param, sizeof(*param));

	if (ret)
		return ret;
	if (param->id < 0)
		return -PV_EINVAL;
	ret = guest_copy_in(mem, param->attr_addr, &attr, sizeof(attr));
	if (ret)
		return ret;
	ret = attr_validate(&attr, source);
	if (ret)
		return ret;
	return guest_addr_check(mem, param->guest_event_addr);
}

static bool splits_by_level(const struct event_source *source)
{
	return (source->kind == SOURCE_CPU_CLOCK || source->kind == SOURCE_TASK_CLOCK) &&
	       source->kernel != source->user;
}

/* The agent's memory is not there for the guest. */
static struct guest_mem memory_of(const struct pv_vcpu *vcpu)
{
	struct guest_mem mem = vcpu->vm->mem;

	if (pv_u32_load(&vcpu->stage) == STAGE_GUEST)
		mem.size = vcpu->vm->config.guest_ram_size;
	return mem;
}

static int64_t op_open(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	struct pv_vm *vm = vcpu->vm;
	struct guest_mem mem = memory_of(vcpu);
	struct kvm_pv_perf_event_param param;
	struct event_source source;
	struct host_event *event;
	int ret;

	if (rcx > UINT32_MAX || rdx > UINT32_MAX)
		return -PV_EINVAL;
	ret = open_parse(&mem, rcx | rdx << 32, &param, &source);
	if (ret)
		return ret;
	if (splits_by_level(&source))
		clock_calibrate(vm);
	event = event_create(vm, param.id, param.guest_event_addr, &source);
	if (!event) {
		vm_host_error(vm, (int32_t)vcpu->index, ENOMEM, "no memory for a host event");
		return HC_NO_RESULT;
	}
	pv_point("open: created");
	ret = vm->design->insert(vm, vcpu, event);
	if (ret && !PV_CANARY(refused_open_kept))
		event_put(event);
	return ret;
}

/* Event lock held. Gives the guest the count that the value stands for. A clock's kernel
 * share is a difference of two clocks, whose rates differ by a hair: never backwards. */
static int64_t write_count(struct host_event *event, const struct pmu_value *value)
{
	uint64_t count = pmu_count(event, value);

	if (event->source.kind != SOURCE_COUNTER && count < event->written)
		count = event->written;
	event->written = count;
	return guest_store_u64(&event->vm->mem, event->guest_addr, count);
}

/* Event lock held: takes the event off its vCPU, if it is on one. False: the VM is over. */
static bool detach(struct host_event *event)
{
	struct pv_vcpu *on = event->vcpu;

	if (!on)
		return true;
	if (!vcpu_hold(on))
		return false;
	pmu_detach(on, event);
	vcpu_release(on);
	if (!PV_CANARY(detached_keeps_reference))
		event_put(event); /* the PMU's reference; the caller has its own */
	return true;
}

static int64_t enable_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (event->vcpu == vcpu)
		return 0;
	if (!detach(event))
		return HC_NO_RESULT;
	pv_point("enable: between two vCPUs");
	if (!PV_CANARY(attached_without_reference))
		event_get(event);
	pv_mutex_lock(&vcpu->event_mutex);
	pmu_attach(vcpu, event);
	pv_mutex_unlock(&vcpu->event_mutex);
	return 0;
}

static int64_t disable_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	(void)vcpu;
	if (!detach(event))
		return HC_NO_RESULT;
	return write_count(event, &event->sum);
}

static int64_t read_locked(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pv_vcpu *on = event->vcpu;
	struct pmu_value value = event->sum;

	(void)vcpu;
	if (on) {
		if (!vcpu_hold(on))
			return HC_NO_RESULT;
		value = pmu_read(on, event);
		vcpu_release(on);
	}
	return write_count(event, &value);
}

/* Runs an operation on an open event under its lock. An event that was closed between
 * find and lock is gone as far as the guest can tell. */
static int64_t with_event(struct pv_vcpu *vcpu, uint64_t rcx,
			  int64_t (*op)(struct pv_vcpu *vcpu, struct host_event *event))
{
	const struct pv_design *design = vcpu->vm->design;
	struct host_event *event;
	int64_t ret;
	int32_t id;

	if (!id_parse(rcx, &id))
		return -PV_ENOENT;
	event = design->get(vcpu->vm, vcpu, id);
	if (!event)
		return -PV_ENOENT;
	pv_point("op: found");
	pv_mutex_lock(&event->lock);
	ret = event->closed && !PV_CANARY(closed_not_looked_at) ? -PV_ENOENT : op(vcpu, event);
	if (PV_CANARY(put_before_unlock))
		design->put(event);
	pv_mutex_unlock(&event->lock);
	if (PV_CANARY(put_before_unlock))
		return ret;
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

static int64_t op_close(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx)
{
	struct pv_vm *vm = vcpu->vm;
	struct host_event *event;
	bool detached;
	int32_t id;

	(void)rdx;
	if (!id_parse(rcx, &id))
		return -PV_ENOENT;
	event = vm->design->remove(vm, vcpu, id);
	if (!event)
		return -PV_ENOENT;
	pv_point("close: removed");
	pv_mutex_lock(&event->lock);
	event->closed = true;
	detached = detach(event);
	if (detached)
		closed_times_note(&vm->closed, id, &event->times);
	pv_mutex_unlock(&event->lock);
	vm->design->put(event);
	return detached ? 0 : HC_NO_RESULT;
}

static int64_t (*const ops[KVM_PV_PERF_OP_MAX])(struct pv_vcpu *vcpu, uint64_t rcx, uint64_t rdx) = {
	[KVM_PV_PERF_OP_OPEN] = op_open,
	[KVM_PV_PERF_OP_CLOSE] = op_close,
	[KVM_PV_PERF_OP_ENABLE] = op_enable,
	[KVM_PV_PERF_OP_DISABLE] = op_disable,
	[KVM_PV_PERF_OP_READ] = op_read,
};

int64_t perf_op(struct pv_vcpu *vcpu, uint64_t op, uint64_t rcx, uint64_t rdx)
{
	bool known = op < KVM_PV_PERF_OP_MAX && ops[op];

	pv_u64_count(&vcpu->figures.hypercalls[known ? op : 0], 1);
	return known ? ops[op](vcpu, rcx, rdx) : -PV_EINVAL;
}

/* Times need no exact counts, so the vCPU is not paused for them. */
static void times_locked(struct host_event *event, struct pv_event_times *ret)
{
	struct pv_vcpu *on = event->vcpu;

	*ret = event->times;
	if (!on)
		return;
	pv_mutex_lock(&on->event_mutex);
	*ret = pmu_times(on, event);
	pv_mutex_unlock(&on->event_mutex);
}

int event_times(struct pv_vm *vm, int32_t id, struct pv_event_times *ret)
{
	struct host_event *event = vm->design->get(vm, NULL, id);

	if (!event)
		return closed_times_find(&vm->closed, id, ret);
	pv_mutex_lock(&event->lock);
	times_locked(event, ret);
	pv_mutex_unlock(&event->lock);
	vm->design->put(event);
	return 0;
}
