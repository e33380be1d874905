/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handover.h"
#include "host.h"

enum {
	DEFAULT_HASH_BUCKETS = 1024, /* as posted */
	DEFAULT_CONSOLE_BYTES = 65536,
	DEFAULT_ROTATE_US = 4000,
	MOST_OF_A_CAPACITY = 1 << 24,
};

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

static const struct pv_host_hooks default_hooks = {
	.alloc = default_alloc,
	.release = default_release,
	.now_ns = default_now_ns,
	.hold_ns = default_hold_ns,
	.patience_ns = PV_END_PATIENCE_NS,
};

static bool is_capacity_of_ring(uint32_t records)
{
	return records >= TRACE_LEAST_RECORDS && records <= MOST_OF_A_CAPACITY && !(records & (records - 1));
}

/* The first field that is wrong, as a sentence; NULL: all are right. */
static const char *config_check(const struct pv_vm_config *config)
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

static void fill_in_config(struct pv_vm *vm, const struct pv_vm_config *config)
{
	vm->config = *config;
	vm->design = design_find(config->design);
	vm->nmi = nmi_policy_find(config->nmi);
	vm->sync = sync_policy_find(config->sync);
	vm->config.design = vm->design->name;
	vm->config.nmi = vm->nmi->name;
	vm->config.sync = vm->sync->name;
	if (!config->hash_buckets)
		vm->config.hash_buckets = DEFAULT_HASH_BUCKETS;
	if (!config->guest_ram_size)
		vm->config.guest_ram_size = config->ram_size;
	if (!config->console_bytes)
		vm->config.console_bytes = DEFAULT_CONSOLE_BYTES;
	if (!config->rotate_us)
		vm->config.rotate_us = DEFAULT_ROTATE_US;
	vm->open_events.limit = config->max_events;
	vm->mem = (struct guest_mem){ .ram = config->ram, .size = config->ram_size };
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
		vm->runs[i] = vcpu->run;
	}
	return 0;
}

static int parts_create(struct pv_vm *vm)
{
	int ret = vcpus_create(vm);

	if (!ret)
		ret = console_create(vm, vm->config.console_bytes);
	if (!ret)
		ret = closed_times_create(vm, vm->config.max_events);
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
	closed_times_destroy(vm);
	trace_destroy(vm);
	console_destroy(vm);
	hooks.release(hooks.context, vm->vcpus);
	hooks.release(hooks.context, vm->runs);
	hooks.release(hooks.context, vm);
}

int vm_create_hooked(const struct pv_vm_config *config, const struct pv_host_hooks *hooks,
		     struct pv_vm **ret, char *why, uint64_t why_size)
{
	const char *wrong = config_check(config);
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
	fill_in_config(vm, config);
	fill_in_page(vm);
	clock_init(vm);
	event_set_init(&vm->events);
	halt_init(vm);
	timer_init(vm);
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

int vm_event_fd(const struct pv_vm *vm)
{
	return vm->console.event_fd;
}

/* Calls what takes locks from a thread that is none of the VM's, so that a host panic unwinds
 * it like any other. False: it did. */
static bool api_call(struct pv_vm *vm, void (*fn)(void *arg), void *arg)
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

	return api_call(vm, api_read, &call) ? call.ret : 0;
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

	api_call(vm, api_end, &call);
}

void vm_kill(struct pv_vm *vm, uint32_t reason, int32_t vcpu, int32_t error, const char *text)
{
	struct pv_vm_end end = { .reason = reason ? reason : PV_END_STOPPED, .vcpu = vcpu,
				 .error = error };
	struct api_end call = { .vm = vm, .end = &end, .ask = vm_force_end };

	snprintf(end.text, sizeof(end.text), "%s", text ? text : "");
	api_call(vm, api_end, &call);
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
	int32_t id;
	struct pv_event_times *ret;
	int result;
};

static void api_times(void *arg)
{
	struct api_times *call = arg;

	call->result = event_times(call->vm, call->id, call->ret);
}

int vm_event_times(struct pv_vm *vm, int32_t id, struct pv_event_times *ret)
{
	struct api_times call = { .vm = vm, .id = id, .ret = ret };

	return api_call(vm, api_times, &call) ? call.result : -EIO;
}

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

/* From the guest's first entry until the end was asked for, or now. */
static uint64_t guest_ns(const struct pv_vm *vm)
{
	uint64_t from = pv_u64_load(&vm->entered_at), deadline = pv_u64_load(&vm->end.deadline);
	uint64_t to = deadline ? deadline - vm->hooks.patience_ns : clock_host_ns();

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
	api_call(vm, api_statistics, &call);
}

uint32_t vm_trace_read(struct pv_vm *vm, uint32_t ring, struct pv_trace_record *to, uint32_t most)
{
	return trace_take(vm, ring, to, most);
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
