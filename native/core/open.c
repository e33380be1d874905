/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_PV_PERF_OP_OPEN as the sound designs do it: copy, check the copy, create, insert. */
#include <errno.h>

#include "host.h"

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

/* The agent's memory is not there for the guest. */
static struct guest_mem memory_of(const struct pv_vcpu *vcpu)
{
	struct guest_mem mem = vcpu->vm->mem;

	if (pv_u32_load(&vcpu->stage) == STAGE_GUEST)
		mem.size = vcpu->vm->config.guest_ram_size;
	return mem;
}

int64_t event_open(struct pv_vcpu *vcpu, gpa_t gpa)
{
	struct pv_vm *vm = vcpu->vm;
	struct guest_mem mem = memory_of(vcpu);
	struct kvm_pv_perf_event_param param;
	struct event_source source;
	struct host_event *event;
	int ret;

	ret = open_parse(&mem, gpa, &param, &source);
	if (ret)
		return ret;
	if (source_splits_clock(&source))
		clock_calibrate(vm);
	event = event_create(vm, param.id, param.guest_event_addr, &source);
	if (!event) {
		vm_host_error(vm, (int32_t)vcpu->index, ENOMEM, "no memory for a host event");
		return HC_NO_RESULT;
	}
	event->agent = vcpu_in_agent(vcpu);
	pv_point("open: created");
	ret = vm->design->insert(vm, vcpu, event);
	if (ret && !PV_CANARY(refused_open_kept))
		event_put(event);
	else
		trace(vm, PV_TRACE_OPEN, vcpu->index, param.id, 0, 0);
	return ret;
}
