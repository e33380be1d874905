/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM comes into being, and goes. */
#include "core/vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "abi/platform.h"
#include "core/host/host.h"
#include "core/vm/host_thread.h"
#include "core/vm/vm_config.h"

static void *default_alloc(void *context, uint64_t size)
{
	(void)context;
	return calloc(1, size);
}

static void default_release(void *context, void *memory)
{
	(void)context;
	free(memory);
}

static uint64_t default_now_ns(void *context)
{
	(void)context;
	return clock_host_ns();
}

/* Sleeps while it is long enough for that, then spins. */
static void default_hold_ns(void *context, uint64_t ns)
{
	enum { POLL_NS = 100000 };
	uint64_t until = clock_host_ns() + ns;
	struct timespec sleep = { .tv_sec = (time_t)((ns - POLL_NS) / 1000000000u),
				  .tv_nsec = (long)((ns - POLL_NS) % 1000000000u) };

	(void)context;
	if (ns > POLL_NS)
		nanosleep(&sleep, NULL);
	while (clock_host_ns() < until)
		__builtin_ia32_pause();
}

/* No guest can know it, and so choose ids that share a bucket. */
static uint64_t default_secret(void *context)
{
	uint64_t ret;

	(void)context;
	if (getrandom(&ret, sizeof(ret), 0) != sizeof(ret))
		ret = clock_host_ns();
	return ret;
}

static const struct pv_host_hooks default_hooks = {
	.alloc = default_alloc,
	.release = default_release,
	.now_ns = default_now_ns,
	.hold_ns = default_hold_ns,
	.secret = default_secret,
	.patience_ns = PV_END_PATIENCE_NS,
};

static int vcpus_create(struct pv_vm *vm)
{
	const struct pv_host_hooks *hooks = &vm->hooks;

	vm->runs = hooks->alloc(hooks->context, vm->config.vcpus * sizeof(struct pv_run *));
	vm->vcpus = hooks->alloc(hooks->context, vm->config.vcpus * sizeof(struct pv_vcpu));
	if (!vm->runs || !vm->vcpus)
		return -ENOMEM;
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		struct pv_vcpu *vcpu = &vm->vcpus[i];

		vcpu->vm = vm;
		vcpu->index = i;
		vcpu->run = (struct pv_run *)(void *)(vm->config.run_pages +
						      (size_t)i * PV_RUN_PAGE_SIZE);
		vcpu->pmu.counters = vm->config.counters;
		pv_mutex_init(&vcpu->event_mutex, PV_RANK_VCPU, "a vCPU's event_mutex");
		inject_init(vcpu);
		clock_events_init(vcpu);
		vm->runs[i] = vcpu->run;
		vcpu->bell = vm->config.platform ? &vm->config.platform->ipi[i].bell : &vcpu->run->bell;
	}
	return 0;
}

static int parts_create(struct pv_vm *vm)
{
	int ret = vcpus_create(vm);

	if (!ret)
		ret = console_create(vm, vm->config.console_bytes);
	if (!ret)
		ret = closed_times_create(vm, &vm->closed, vm->config.max_events);
	if (!ret)
		ret = agent_events_create(vm);
	if (!ret)
		ret = agent_counts_create(vm);
	if (!ret)
		ret = trace_create(vm);
	if (!ret)
		ret = vm->design->create(vm);
	return ret;
}

/* Frees what there is of a VM; nobody uses it any more. */
static void vm_free(struct pv_vm *vm)
{
	struct pv_host_hooks hooks = vm->hooks;

	event_set_destroy(vm);
	if (vm->vcpus)
		vm->design->destroy(vm);
	closed_times_destroy(vm, &vm->closed);
	agent_events_destroy(vm);
	agent_counts_destroy(vm);
	trace_destroy(vm);
	console_destroy(vm);
	hooks.release(hooks.context, vm->vcpus);
	hooks.release(hooks.context, vm->runs);
	hooks.release(hooks.context, vm->run_copies);
	hooks.release(hooks.context, vm);
}

int vm_create_hooked(const struct pv_vm_config *config, const struct pv_host_hooks *hooks,
		     struct pv_vm **ret, char *why, uint64_t why_size)
{
	const char *wrong = vm_config_check(config);
	struct pv_vm *vm;
	int error;

	if (why_size)
		snprintf(why, why_size, "%s", wrong ? wrong : "");
	if (wrong)
		return -EINVAL;
	vm = hooks->alloc(hooks->context, sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->hooks = *hooks;
	vm->console.event_fd = -1;
	vm_config_apply(vm, config);
	clock_init(vm);
	event_set_init(&vm->events);
	halt_init(vm);
	end_init(vm);
	error = parts_create(vm);
	if (error) {
		vm_free(vm);
		return error;
	}
	*ret = vm;
	return 0;
}

int vm_create(const struct pv_vm_config *config, struct pv_vm **ret, char *why, uint64_t why_size)
{
	return vm_create_hooked(config, &default_hooks, ret, why, why_size);
}

int vm_start(struct pv_vm *vm)
{
	return host_threads_start(vm);
}

int vm_destroy(struct pv_vm *vm)
{
	bool never_started = !vm->threads && !vm->timer_started;

	if (!never_started && !pv_u32_load(&vm->end.published))
		return -EBUSY;
	host_threads_join(vm);
	vm_free(vm);
	return 0;
}
