/* SPDX-License-Identifier: GPL-2.0-only */
/* What a VM's configuration may be, and what is taken for what it leaves open. */
#include "core/vm/vm_config.h"

#include <stddef.h>

#include "core/designs/find.h"
#include "core/host/host.h"
#include "core/host/spacing.h"

enum {
	DEFAULT_BUCKETS_MOST = 1 << 20,
	DEFAULT_CONSOLE_BYTES = 65536,
	DEFAULT_ROTATE_US = 4000,
	MOST_OF_A_CAPACITY = 1 << 24,
};

static bool is_capacity_of_ring(uint32_t records)
{
	return records >= TRACE_LEAST_RECORDS && records <= MOST_OF_A_CAPACITY && !(records & (records - 1));
}

const char *vm_config_check(const struct pv_vm_config *config)
{
	if (config->vcpus < 1 || config->vcpus > PV_MAX_VCPUS)
		return "vcpus: 1 to 64";
	if (config->max_events < 1 || config->max_events > MOST_OF_A_CAPACITY)
		return "max_events: 1 to 16777216";
	if (config->counters < 1)
		return "counters: at least 1";
	if (config->hash_buckets > MOST_OF_A_CAPACITY)
		return "hash_buckets: at most 16777216";
	if (!config->ram || !config->ram_size || config->ram_size % 4096)
		return "ram_size: a multiple of 4096";
	if (config->guest_ram_size > config->ram_size)
		return "guest_ram_size: at most ram_size";
	if (!config->page || !config->run_pages)
		return "run_pages: there are none";
	if (!config->boot.rip)
		return "boot: no entry";
	if (!config->agent_start.rip != !config->agent_finish.rip)
		return "agent: start and finish belong together";
	if (!design_find(config->design))
		return "design: not known";
	if (!nmi_policy_find(config->nmi))
		return "nmi: not known";
	if (!sync_policy_find(config->sync))
		return "sync: not known";
	if (config->trace_records && !is_capacity_of_ring(config->trace_records))
		return "trace_records: a power of 2, 2 to 16777216";
	return NULL;
}

static void fill_in_page(const struct pv_vm *vm)
{
	struct pv_vm_page *page = vm->config.page;

	page->vcpus = vm->config.vcpus;
	page->max_events = vm->config.max_events;
	page->counters = vm->config.counters;
	page->pv_perf = vm->config.pv_perf ? vm->design->abi_version : 0;
	page->poll_ns = vm->config.poll_ns;
	page->cycles_tsc = vm->config.cycles_tsc;
}

void vm_config_apply(struct pv_vm *vm, const struct pv_vm_config *config)
{
	vm->config = *config;
	vm->design = design_find(config->design);
	vm->nmi = nmi_policy_find(config->nmi);
	vm->sync = sync_policy_find(config->sync);
	vm->config.design = vm->design->name;
	vm->config.nmi = vm->nmi->name;
	vm->config.sync = vm->sync->name;
	if (!config->hash_buckets)
		vm->config.hash_buckets =
			config->max_events < DEFAULT_BUCKETS_MOST ? config->max_events : DEFAULT_BUCKETS_MOST;
	vm->secret = vm->hooks.secret ? vm->hooks.secret(vm->hooks.context) : spacing_seed(config->seed, 0);
	if (!config->guest_ram_size)
		vm->config.guest_ram_size = config->ram_size;
	if (!config->console_bytes)
		vm->config.console_bytes = DEFAULT_CONSOLE_BYTES;
	if (!config->rotate_us)
		vm->config.rotate_us = DEFAULT_ROTATE_US;
	vm->open_events.limit = config->max_events;
	vm->mem = (struct guest_mem){ .ram = config->ram, .size = vm->config.guest_ram_size };
	vm->agent_mem = (struct guest_mem){ .ram = config->ram, .size = config->ram_size };
	fill_in_page(vm);
}
