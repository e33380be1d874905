/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/play/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/fibers/arena.h"
#include "abi/handover.h"
#include "explore/fibers/schedule.h"
#include "explore/fibers/touched.h"

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
	canary_active = 0;
	ret = world_boot(machine, &hooks, why, why_size);
	if (ret)
		return ret;
	canary_active = machine->canary;
	world.fibers = true;
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
	world_release(page);
}

int explore_program_set(const struct explore_program *program)
{
	touched_forget();
	return world_program_set(program);
}

void world_restore(void)
{
	arena_restore(world.machine.fail_alloc);
	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		memset(world.run_pages + i * PV_RUN_PAGE_SIZE, 0, __builtin_offsetof(struct pv_run, text));
	world.vm->config.page->ended = 0;
	world_begin();
}

uint32_t world_fibers(void)
{
	return world.machine.vcpus + (world.program.length[world.machine.vcpus] > 0);
}

static void guest_run_program(unsigned vcpu)
{
	const uint32_t *doorbell = &world.vm->vcpus[vcpu].run->bell.rung;
	unsigned n = world.program.length[vcpu];

	for (unsigned at = 0; at < n; at++) {
		schedule_guest(doorbell, (uint8_t)at, false);
		if (!guest_answer(vcpu) || !guest_do(vcpu, at))
			return;
	}
	for (;;) {
		schedule_guest(doorbell, (uint8_t)n, true);
		if (!guest_answer(vcpu))
			return;
	}
}

static void timer_run_program(unsigned fiber)
{
	for (unsigned i = 0; i < world.program.length[fiber]; i++) {
		const struct explore_op *op = &world.program.op[fiber][i];

		schedule.current->op = (uint8_t)i;
		schedule_point(POINT_GUEST, NULL, "the timer");
		timer_do(op);
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

/* handover.c on fibers: what the host does to a vCPU that is in guest mode. */

void handover_ring(struct pv_bell *bell)
{
	schedule_point(POINT_UPDATE, &bell->rung, "the doorbell"); /* seq_cst: an exchange */
	bell->rung |= PV_BELL_HOST;
}

void handover_end(struct pv_vm_page *page, struct pv_run *const *runs, unsigned n)
{
	page->ended = 1;
	for (unsigned i = 0; i < n; i++)
		runs[i]->bell.rung = 1;
}
