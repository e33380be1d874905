/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of the machine's capacities, whose vCPUs stand at the guest's first instruction: for fibers and for threads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explore/play/account.h"
#include "explore/play/world.h"
#include "core/exits/exit.h"
#include "core/vcpu/vcpu.h"
#include "core/vm/vm_config.h"

_Static_assert(sizeof(((struct explore_machine *)0)->fault_permille) ==
	       sizeof(((struct pv_vm_config *)0)->fault_permille), "as many faults");

static int create(const struct explore_machine *machine, const struct pv_host_hooks *hooks, char *why,
		  uint64_t why_size)
{
	struct pv_vm_config config = {
		.vcpus = machine->vcpus, .max_events = machine->max_events,
		.counters = machine->counters, .hash_buckets = machine->hash_buckets,
		.console_bytes = 16, .pv_perf = 1, .design = machine->design, .nmi = machine->nmi,
		.sync = machine->sync, .ram = world.ram, .ram_size = WORLD_RAM,
		.boot = { .rip = 0x1000 }, .max_sample_rate = machine->max_sample_rate,
		.seed = machine->fault_seed,
	};

	memcpy(config.fault_permille, machine->fault_permille, sizeof(config.fault_permille));

	config.page = aligned_alloc(4096, 4096);
	config.run_pages = world.run_pages;
	if (!config.page)
		return -ENOMEM;
	memset(config.page, 0, 4096);
	return vm_create_hooked(&config, hooks, &world.vm, why, why_size);
}

/* The way to the guest's first instruction, of which no schedules are explored. */
static void boot(void)
{
	struct pv_vm *vm = world.vm;

	vm_start(vm);
	account_watch(vm);
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		struct pv_vcpu *vcpu = &vm->vcpus[i];

		vcpu->run->exit_reason = PV_EXIT_READY;
		vcpu_leave_guest(vcpu);
		exit_serve(vcpu);
		vcpu_enter_guest(vcpu);
	}
}

int world_boot(const struct explore_machine *machine, const struct pv_host_hooks *hooks, char *why, uint64_t why_size)
{
	int ret;

	world.machine = *machine;
	world.ram = aligned_alloc(4096, WORLD_RAM);
	world.run_pages = aligned_alloc(4096, (size_t)machine->vcpus * PV_RUN_PAGE_SIZE);
	if (!world.ram || !world.run_pages)
		return -ENOMEM;
	memset(world.ram, 0, WORLD_RAM);
	memset(world.run_pages, 0, (size_t)machine->vcpus * PV_RUN_PAGE_SIZE);
	ret = create(machine, hooks, why, why_size);
	if (!ret)
		boot();
	return ret;
}
