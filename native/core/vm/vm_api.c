/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host process asks of a VM that runs, or has ended. */
#include <errno.h>
#include <stdio.h>

#include "core/exits/perf_op.h"
#include "core/host/host.h"
#include "core/vm/host_thread.h"

int vm_event_fd(const struct pv_vm *vm)
{
	return vm->console.event_fd;
}

int vm_entered(const struct pv_vm *vm)
{
	return pv_u64_load(&vm->entered_at) != 0;
}

bool vm_api_call(struct pv_vm *vm, void (*fn)(void *arg), void *arg)
{
	struct pv_thread self;
	bool returned;

	host_thread_adopt(vm, &self, "api");
	self.trace = trace_ring_of(vm, vm->config.vcpus + PV_TRACE_RING_API);
	returned = pv_guarded(fn, arg);
	pv_thread_adopt(NULL);
	return returned;
}

struct api_read {
	struct pv_vm *vm;
	uint8_t *buffer;
	uint64_t size, ret;
};

static void api_read(void *arg)
{
	struct api_read *call = arg;

	call->ret = console_read(call->vm, call->buffer, call->size);
}

uint64_t vm_console_read(struct pv_vm *vm, uint8_t *buffer, uint64_t size)
{
	struct api_read call = { .vm = vm, .buffer = buffer, .size = size };

	return vm_api_call(vm, api_read, &call) ? call.ret : 0;
}

struct api_end {
	struct pv_vm *vm;
	const struct pv_vm_end *end;
	void (*ask)(struct pv_vm *vm, const struct pv_vm_end *end);
};

static void api_end(void *arg)
{
	struct api_end *call = arg;

	call->ask(call->vm, call->end);
}

void vm_finish(struct pv_vm *vm)
{
	struct pv_vm_end end = { .reason = PV_END_STOPPED, .vcpu = -1 };
	struct api_end call = { .vm = vm, .end = &end, .ask = vm_request_end };

	vm_api_call(vm, api_end, &call);
}

void vm_kill(struct pv_vm *vm, uint32_t reason, int32_t vcpu, int32_t error, const char *text)
{
	struct pv_vm_end end = { .reason = reason ? reason : PV_END_STOPPED, .vcpu = vcpu,
				 .error = error };
	struct api_end call = { .vm = vm, .end = &end, .ask = vm_force_end };

	snprintf(end.text, sizeof(end.text), "%s", text ? text : "");
	vm_api_call(vm, api_end, &call);
}

void vm_end(struct pv_vm *vm, struct pv_vm_end *ret)
{
	if (pv_u32_load(&vm->end.published))
		*ret = vm->end.what;
	else
		*ret = (struct pv_vm_end){ .reason = PV_END_NONE, .vcpu = -1 };
}

int vm_vcpu_stopped(const struct pv_vm *vm, uint32_t vcpu)
{
	return vcpu < vm->config.vcpus && pv_u32_load(&vm->vcpus[vcpu].stopped);
}

int64_t vm_check_extension(const struct pv_vm *vm, uint64_t capability)
{
	return capability == KVM_CAP_PV_PERF && vm->config.pv_perf ? vm->config.max_events : 0;
}

struct api_times {
	struct pv_vm *vm;
	bool agent;
	int32_t id;
	struct pv_event_times *ret;
	int result;
};

static void api_times(void *arg)
{
	struct api_times *call = arg;

	call->result = event_times(call->vm, call->agent, call->id, call->ret);
}

static int times_of(struct pv_vm *vm, bool agent, int32_t id, struct pv_event_times *ret)
{
	struct api_times call = { .vm = vm, .agent = agent, .id = id, .ret = ret };

	return vm_api_call(vm, api_times, &call) ? call.result : -EIO;
}

int vm_event_times(struct pv_vm *vm, int32_t id, struct pv_event_times *ret)
{
	return times_of(vm, false, id, ret);
}

int vm_agent_times(struct pv_vm *vm, int32_t id, struct pv_event_times *ret)
{
	return times_of(vm, true, id, ret);
}

struct api_counts {
	struct pv_vm *vm;
	uint32_t vcpu;
	struct pv_agent_count *ret;
	uint64_t *guest_ns;
	int result;
};

/* The phase is looked at last: while it is that of a VM that runs, no event of the agent's has ended. */
static void api_counts(void *arg)
{
	struct api_counts *call = arg;

	call->result = agent_counts_read(&call->vm->vcpus[call->vcpu], call->ret, call->guest_ns);
	if (vm_phase(call->vm) != PHASE_RUNNING)
		call->result = -ESHUTDOWN;
}

int vm_agent_counts(struct pv_vm *vm, uint32_t vcpu, struct pv_agent_count *ret, uint64_t *guest_ns)
{
	struct api_counts call = { .vm = vm, .vcpu = vcpu, .ret = ret, .guest_ns = guest_ns };

	if (vcpu >= vm->config.vcpus || !vm->vcpus[vcpu].agent_counts)
		return -EINVAL;
	return vm_api_call(vm, api_counts, &call) ? call.result : -EIO;
}

uint32_t vm_trace_read(struct pv_vm *vm, uint32_t ring, struct pv_trace_record *to, uint32_t most)
{
	return trace_take(vm, ring, to, most);
}
