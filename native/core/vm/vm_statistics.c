/* SPDX-License-Identifier: GPL-2.0-only */
/* The figures of a VM, gathered. */
#include <string.h>

#include "core/host/host.h"
#include "core/vm/host_thread.h"

static void add_vcpu(const struct vcpu_figures *from, struct pv_vm_statistics *to)
{
	for (int i = 0; i < PV_EXIT_REASONS; i++)
		to->exits[i] += pv_u64_load(&from->exits[i]);
	for (int i = 0; i < KVM_PV_PERF_OP_MAX; i++)
		to->hypercalls[i] += pv_u64_load(&from->hypercalls[i]);
	to->other_hypercalls += pv_u64_load(&from->other_hypercalls);
	to->guest_errors += pv_u64_load(&from->guest_errors);
	to->rotations += pv_u64_load(&from->rotations);
	to->console_bytes += pv_u64_load(&from->console_bytes);
	to->dropped_port_writes += pv_u64_load(&from->dropped_port_writes);
	to->nmi_injected += pv_u64_load(&from->nmis_injected);
	to->quiet_points += pv_u64_load(&from->quiet_points);
}

/* From the guest's first entry until now; or until the end was asked for, and the time of every vCPU that has
 * an agent to tell of it stands: no clock has counted more. */
static uint64_t guest_ns(const struct pv_vm *vm)
{
	uint64_t from = pv_u64_load(&vm->entered_at), deadline = pv_u64_load(&vm->end.deadline);
	uint64_t to = deadline ? deadline - vm->hooks.patience_ns : clock_host_ns();

	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		uint64_t left = pv_u64_load(&vm->vcpus[i].left_at);

		to = left > to ? left : to;
	}
	return from && to > from ? to - from : 0;
}

static void add_ledger(struct pv_vm *vm, struct pv_vm_statistics *to)
{
	const struct overflow_ledger *ledger = &vm->ledger;

	to->overflows_raised = pv_u64_load(&ledger->raised);
	to->overflows_delivered = pv_u64_load(&ledger->delivered);
	to->overflows_dropped = pv_u64_load(&ledger->dropped);
	to->overflows_in_shadow = event_set_shadow(&vm->events);
	to->overflows_lost = (int64_t)(to->overflows_raised - to->overflows_delivered - to->overflows_in_shadow -
				       to->overflows_dropped);
	to->nmi_raised = pv_u64_load(&ledger->nmis);
	to->nmi_misses = pv_u64_load(&ledger->misses);
	to->syncs = pv_u64_load(&ledger->syncs);
	to->failed_syncs = pv_u64_load(&ledger->failed);
	to->throttled = pv_u64_load(&ledger->throttled);
	to->unthrottled = pv_u64_load(&ledger->unthrottled);
	to->host_breakpoints = pv_u64_load(&ledger->host_breakpoints);
	to->leaked_buffers = pv_u64_load(&ledger->leaked_buffers);
}

struct api_statistics {
	struct pv_vm *vm;
	struct pv_vm_statistics *ret;
};

static void api_statistics(void *arg)
{
	struct api_statistics *call = arg;
	struct pv_vm *vm = call->vm;
	struct table_figures figures;

	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		add_vcpu(&vm->vcpus[i].figures, call->ret);
	call->ret->kicks = pv_u64_load(&vm->kicks);
	call->ret->guest_ns = guest_ns(vm);
	vm->design->figures(vm, &figures);
	call->ret->events_open = figures.open;
	call->ret->events_open_peak = figures.open_peak;
	call->ret->events_opened = figures.opened;
	call->ret->events_allocated = event_set_count(&vm->events);
	add_ledger(vm, call->ret);
	call->ret->trace_lost = trace_lost(vm);
}

void vm_statistics(struct pv_vm *vm, struct pv_vm_statistics *ret)
{
	struct api_statistics call = { .vm = vm, .ret = ret };

	memset(ret, 0, sizeof(*ret));
	vm_api_call(vm, api_statistics, &call);
}
