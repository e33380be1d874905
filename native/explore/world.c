/* SPDX-License-Identifier: GPL-2.0-only */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "handover.h"
#include "schedule.h"
#include "touched.h"

struct world world;
uint32_t canary_active;

static uint8_t *run_pages;

/* Between two steps no time passes, and every step takes the same. */
static uint64_t step_time(void *context)
{
	(void)context;
	return 1000000 + schedule.step * 100ull;
}

static void hold_no_time(void *context, uint64_t ns)
{
	(void)context;
	(void)ns;
	schedule_point(POINT_TAG, NULL, "held for a while");
}

static const struct pv_host_hooks hooks = {
	.alloc = arena_alloc,
	.release = arena_release,
	.now_ns = step_time,
	.hold_ns = hold_no_time,
	.ns_per_tick = 1ull << 31,
	.patience_ns = PV_END_PATIENCE_NS,
};

static int create(const struct explore_machine *machine, char *why, uint64_t why_size)
{
	struct pv_vm_config config = {
		.vcpus = machine->vcpus, .max_events = machine->max_events,
		.counters = machine->counters, .hash_buckets = machine->hash_buckets,
		.console_bytes = 16, .pv_perf = 1, .design = machine->design, .nmi = machine->nmi,
		.sync = machine->sync, .ram = world.ram, .ram_size = WORLD_RAM,
		.boot = { .rip = 0x1000 }, .max_sample_rate = machine->max_sample_rate,
		.seed = machine->fault_seed,
		.fault_permille = { machine->fault_permille[0], machine->fault_permille[1] },
	};

	config.page = aligned_alloc(4096, 4096);
	config.run_pages = run_pages;
	if (!config.page)
		return -ENOMEM;
	memset(config.page, 0, 4096);
	return vm_create_hooked(&config, &hooks, &world.vm, why, why_size);
}

/* No schedules are explored of the way to the guest's first instruction. */
static void boot(void)
{
	struct pv_vm *vm = world.vm;

	vm_start(vm);
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		struct pv_vcpu *vcpu = &vm->vcpus[i];

		vcpu->run->exit_reason = PV_EXIT_READY;
		vcpu_leave_guest(vcpu);
		exit_serve(vcpu);
		vcpu_enter_guest(vcpu);
	}
}

int explore_create(const struct explore_machine *machine, char *why, uint64_t why_size)
{
	int ret;

	explore_destroy();
	if (machine->vcpus < 1 || machine->vcpus > EXPLORE_VCPUS || machine->max_events > 64 ||
	    machine->hash_buckets > 64 || machine->canary >= CANARY_MAX) {
		snprintf(why, why_size, "the machine is larger than the explorer's");
		return -EINVAL;
	}
	if (schedule_create(machine->vcpus))
		return -ENOMEM;
	arena_reset();
	world.machine = *machine;
	world.ram = aligned_alloc(4096, WORLD_RAM);
	run_pages = aligned_alloc(4096, (size_t)machine->vcpus * PV_RUN_PAGE_SIZE);
	if (!world.ram || !run_pages)
		return -ENOMEM;
	memset(world.ram, 0, WORLD_RAM);
	memset(run_pages, 0, (size_t)machine->vcpus * PV_RUN_PAGE_SIZE);
	canary_active = 0;
	ret = create(machine, why, why_size);
	if (ret)
		return ret;
	boot();
	canary_active = machine->canary;
	arena_keep();
	return 0;
}

void explore_destroy(void)
{
	void *page = NULL;

	if (world.vm) {
		arena_restore(0);
		page = world.vm->config.page;
		if (world.vm->console.event_fd >= 0)
			console_destroy(world.vm);
	}
	free(page);
	free(world.ram);
	free(run_pages);
	run_pages = NULL;
	memset(&world, 0, sizeof(world));
}

/* The ids of which the program alone says enough to know more than the specification does. */
static void find_simple_ids(void)
{
	const struct explore_program *program = &world.program;
	uint32_t opens[EXPLORE_IDS] = { 0 };

	for (unsigned id = 0; id < EXPLORE_IDS; id++) {
		world.word[id] = 0;
		world.owner[id] = -1;
	}
	for (unsigned f = 0; f < world.machine.vcpus; f++) {
		for (unsigned i = 0; i < program->length[f]; i++) {
			const struct explore_op *op = &program->op[f][i];

			if (op->kind == EXPLORE_OPEN)
				world.word[op->id] = opens[op->id]++ || op->value & EXPLORE_OF_CLOCK ? /* and breakpoints */
					0 : guest_event_word(f, i);
			if (op->kind != EXPLORE_ENABLE && op->kind != EXPLORE_DISABLE &&
			    op->kind != EXPLORE_CLOSE)
				continue;
			if (world.owner[op->id] == -1)
				world.owner[op->id] = (int8_t)f;
			else if (world.owner[op->id] != (int8_t)f)
				world.owner[op->id] = -2;
		}
	}
}

int explore_program_set(const struct explore_program *program)
{
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		bool vcpu = f < world.machine.vcpus;

		if (program->length[f] > (f <= world.machine.vcpus ? EXPLORE_OPS : 0))
			return -EINVAL;
		for (unsigned i = 0; i < program->length[f]; i++) {
			const struct explore_op *op = &program->op[f][i];

			if (op->id >= EXPLORE_IDS || op->kind >= EXPLORE_KINDS ||
			    vcpu != (op->kind < EXPLORE_TICK) ||
			    (op->kind >= EXPLORE_KICK && op->id >= world.machine.vcpus))
				return -EINVAL;
		}
	}
	world.program = *program;
	touched_forget();
	find_simple_ids();
	return 0;
}

void world_restore(void)
{
	uint32_t n = world.machine.vcpus;

	arena_restore(world.machine.fail_alloc);
	for (uint32_t i = 0; i < n; i++) {
		memset(run_pages + i * PV_RUN_PAGE_SIZE, 0, __builtin_offsetof(struct pv_run, text));
		memset(world.ram + guest_event_word(i, 0), 0, world.program.length[i] * 16);
		memset(&world.guest[i], 0, sizeof(world.guest[i]));
		memset(world.guest[i].window, 0xff, sizeof(world.guest[i].window));
	}
	world.vm->config.page->ended = 0;
	memset(world.closed, 0, sizeof(world.closed));
	world.result_count = world.clock = 0;
}

uint32_t world_fibers(void)
{
	return world.machine.vcpus + (world.program.length[world.machine.vcpus] > 0);
}

static void tick(struct pv_vcpu *vcpu)
{
	pv_u32_store(&vcpu->rotation_due, 1);
	vcpu_ring(vcpu);
}

static void timer_run_program(unsigned fiber)
{
	for (unsigned i = 0; i < world.program.length[fiber]; i++) {
		const struct explore_op *op = &world.program.op[fiber][i];

		schedule.current->op = (uint8_t)i;
		schedule_point(POINT_GUEST, NULL, "the timer");
		if (op->kind == EXPLORE_TICK)
			tick(&world.vm->vcpus[op->id]);
		else
			clock_events_run(world.vm);
	}
}

void world_body(unsigned fiber)
{
	if (fiber < world.machine.vcpus)
		guest_run_program(fiber);
	else
		timer_run_program(fiber);
}

const struct explore_result *explore_results(uint32_t *n)
{
	*n = world.result_count;
	return world.results;
}

static const char *const canary_names[CANARY_MAX] = {
#define X(name) [CANARY_##name] = #name,
	EXPLORE_CANARIES(X)
#undef X
};

const char *explore_canary_name(uint32_t canary)
{
	return canary && canary < CANARY_MAX ? canary_names[canary] : NULL;
}

#ifndef EXPLORE_BUILD
#define EXPLORE_BUILD "unknown"
#endif

const char *explore_build(void)
{
	return EXPLORE_BUILD;
}

/* host_thread.c on fibers. */

int host_threads_start(struct pv_vm *vm)
{
	return end_start(vm, vm->config.vcpus);
}

void host_threads_join(struct pv_vm *vm)
{
	(void)vm;
}

void host_thread_adopt(struct pv_vm *vm, struct pv_thread *thread, const char *name)
{
	(void)vm;
	(void)thread;
	(void)name;
}

/* handover.c on fibers: what the host does to a vCPU that is in guest mode. */

void handover_ring(struct pv_run *run)
{
	schedule_point(POINT_UPDATE, &run->doorbell, "the doorbell"); /* seq_cst: an exchange */
	run->doorbell = 1;
}

void handover_end(struct pv_vm_page *page, struct pv_run *const *runs, unsigned n)
{
	page->ended = 1;
	for (unsigned i = 0; i < n; i++)
		runs[i]->doorbell = 1;
}
