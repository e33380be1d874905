/* SPDX-License-Identifier: GPL-2.0-only */
/* Round after round, until one of them violates an oracle. */
#include "stress/stress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stress/memory.h"
#include "stress/noise.h"
#include "stress/players.h"
#include "explore/fibers/schedule.h"
#include "stress/violation.h"
#include "explore/play/world.h"
#include "core/exits/exit.h"
#include "core/vcpu/vcpu.h"

static struct pv_thread checker;
static bool started;

static uint64_t now(void *context)
{
	(void)context;
	return clock_host_ns();
}

static void hold(void *context, uint64_t ns)
{
	struct timespec time = { .tv_nsec = (long)(ns % 1000000000u) };

	(void)context;
	nanosleep(&time, NULL);
}

static const struct pv_host_hooks hooks = {
	.alloc = memory_alloc,
	.release = memory_release,
	.now_ns = now,
	.hold_ns = hold,
	.ns_per_tick = 1ull << 31, /* guest time is not measured here */
	.patience_ns = PV_END_PATIENCE_NS,
};

int stress_create(const struct explore_machine *machine, char *why, uint64_t why_size)
{
	int ret;

	stress_destroy();
	if (machine->vcpus < 1 || machine->vcpus > STRESS_VCPUS || machine->canary) {
		snprintf(why, why_size, "a machine for native threads has 1 to %d vCPUs, and no canary",
			 (int)STRESS_VCPUS);
		return -EINVAL;
	}
	player_adopt(&checker, "the check");
	players_catch_faults();
	ret = world_boot(machine, &hooks, why, why_size);
	if (!ret)
		ret = -players_start(machine->vcpus);
	started = !ret;
	return ret;
}

/* The VM is at rest. Its host threads are the players, who have left it. */
static void end_vm(void)
{
	static const struct pv_vm_end stopped = { .reason = PV_END_STOPPED, .vcpu = -1 };
	uint32_t n = world.machine.vcpus;

	vm_force_end(world.vm, &stopped);
	while (n--)
		end_thread_left(world.vm);
	vm_destroy(world.vm);
	world.vm = NULL;
}

void stress_destroy(void)
{
	void *page = world.vm ? world.vm->config.page : NULL;

	if (started && !violation_found()) {
		players_end();
		end_vm();
		memory_forget();
		world_release(page);
	}
	started = false;
}

int stress_program_set(const struct explore_program *program)
{
	return world_program_set(program);
}

/* The VM that an injected fault has ended makes way for a new one; what was allocated for it is free again. */
static void boot_again(void)
{
	struct explore_machine machine = world.machine;
	struct explore_program program = world.program;
	void *page = world.vm->config.page;
	char why[64];

	end_vm();
	if (memory_live())
		schedule_violation(EXPLORE_MEMORY, "allocations that outlived their VM: %llu",
				   (unsigned long long)memory_live());
	world_release(page);
	machine.fault_seed++;
	if (world_boot(&machine, &hooks, why, sizeof(why)))
		pv_panic("no VM after the last one: %s", why);
	world_program_set(&program);
}

static void leave_all(void)
{
	for (uint32_t i = 0; i < world.machine.vcpus; i++) {
		world.vm->vcpus[i].run->exit_reason = PV_EXIT_HYPERCALL;
		memset(world.vm->vcpus[i].run->retire, 0, sizeof(world.vm->vcpus[i].run->retire));
		vcpu_leave_guest(&world.vm->vcpus[i]);
	}
}

static uint32_t ids_of_program(void)
{
	uint32_t ids = 0;

	for (uint32_t f = 0; f < world.machine.vcpus; f++)
		for (uint32_t i = 0; i < world.program.length[f]; i++)
			if (guest_opens(world.program.op[f][i].kind))
				ids |= 1u << world.program.op[f][i].id;
	return ids;
}

static void close_all(void)
{
	leave_all();
	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		for (uint32_t left = ids_of_program(); left; left &= left - 1) {
			uint64_t *arg = world.vm->vcpus[i].run->arg;

			arg[0] = KVM_PERF_OP;
			arg[1] = KVM_PV_PERF_OP_CLOSE;
			arg[2] = (uint64_t)__builtin_ctz(left);
			arg[3] = 0;
			exit_serve(&world.vm->vcpus[i]);
		}
	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		vcpu_enter_guest(&world.vm->vcpus[i]);
}

static void check_nothing_left(void)
{
	struct table_figures figures;

	world.vm->design->figures(world.vm, &figures);
	if (world.vm->events.allocated)
		schedule_violation(EXPLORE_REFERENCES, "events still in memory after they were closed: %llu",
				   (unsigned long long)world.vm->events.allocated);
	if (figures.open)
		schedule_violation(EXPLORE_LIMIT, "events that count against the limit, and none is open: %llu",
				   (unsigned long long)figures.open);
}

/* Only a fault that was asked for may end a VM: one that gets no memory. */
static void check_end(void)
{
	const struct pv_vm_end *end = &world.vm->end.what;

	if (end->reason != PV_END_HOST_ERROR || end->error != ENOMEM)
		schedule_violation(EXPLORE_PROGRESS, "the VM came to its end: %s", end->text);
}

static void add_results(struct stress_totals *totals)
{
	struct table_figures figures;

	for (uint32_t i = 0; i < world.result_count; i++) {
		totals->operations += world.results[i].returned != UINT32_MAX;
		totals->refused += world.results[i].result < 0 && world.results[i].returned != UINT32_MAX;
	}
	world.vm->design->figures(world.vm, &figures);
	totals->full += figures.open_peak >= world.machine.max_events;
}

/* Each round has a ledger of its own. */
static void take_ledger(struct stress_totals *totals)
{
	struct overflow_ledger *ledger = &world.vm->ledger;

	totals->raised += ledger->raised.v;
	totals->delivered += ledger->delivered.v;
	totals->dropped += ledger->dropped.v;
	totals->nmis += ledger->nmis.v;
	totals->nmi_misses += ledger->misses.v;
	totals->failed_syncs += ledger->failed.v;
	memset(ledger, 0, sizeof(*ledger));
}

static void check_history(struct stress_totals *totals)
{
	uint64_t begin = clock_host_ns();
	uint32_t widest = oracle_check_history();

	totals->checked_ns += clock_host_ns() - begin;
	totals->widest = widest > totals->widest ? widest : totals->widest;
	totals->unknown += !widest;
}

static void judge(void *arg)
{
	struct stress_totals *totals = arg;
	bool ended = vm_phase(world.vm) != PHASE_RUNNING;

	add_results(totals);
	if (world.history)
		check_history(totals);
	else
		oracle_check();
	if (!ended) {
		close_all();
		check_nothing_left();
		take_ledger(totals);
		return;
	}
	check_end();
	totals->ended++;
	take_ledger(totals);
	boot_again();
}

static uint64_t calls_of_program(void)
{
	uint64_t calls = 0;

	for (uint32_t f = 0; f < world.machine.vcpus; f++)
		for (uint32_t i = 0; i < world.program.length[f]; i++)
			calls += world.program.op[f][i].kind < EXPLORE_CALLS;
	return calls;
}

static void note_hang(void)
{
	char who[EXPLORE_TEXT - 64], text[EXPLORE_TEXT];

	players_describe(who, sizeof(who));
	snprintf(text, sizeof(text), "the round does not end: %s", who);
	violation_note(EXPLORE_PROGRESS, text);
}

struct given {
	struct explore_result *results;
	uint32_t count, clock, widest;
};

static void judge_given(void *arg)
{
	struct given *given = arg;

	world_begin();
	world.results = given->results;
	world.result_count = given->count;
	world.clock = given->clock;
	given->widest = linearize_check();
}

uint32_t stress_judge_history(struct explore_result *results, uint32_t count, uint32_t clock,
			      struct explore_verdict *verdict)
{
	struct given given = { .results = results, .count = count, .clock = clock };

	memset(verdict, 0, sizeof(*verdict));
	violation_expect(verdict);
	pv_guarded(judge_given, &given);
	violation_forget();
	world_begin();
	return given.widest;
}

static void run_round(const struct stress_amount *amount, uint64_t number, struct stress_totals *totals)
{
	uint32_t passes = amount->passes ? amount->passes : 1;
	struct explore_result *history = NULL;

	world_begin();
	if (amount->passes) {
		history = calloc(passes * calls_of_program() + 1, sizeof(*history));
		if (!history) { /* then nothing is known of it */
			totals->rounds++;
			totals->unknown++;
			return;
		}
		world.results = history;
		world.history = true;
	}
	memory_fail(world.machine.fail_alloc);
	if (!players_round(mix64(amount->seed ^ mix64(number)), passes, amount->patience_ns)) {
		note_hang();
		return;
	}
	memory_fail(0);
	totals->rounds++;
	if (!violation_found())
		pv_guarded(judge, totals);
	free(history);
}

void stress_run(const struct stress_amount *amount, struct stress_totals *totals, struct explore_verdict *verdict)
{
	memset(verdict, 0, sizeof(*verdict));
	violation_expect(verdict);
	noise_set(amount->noise_permille);
	for (uint64_t i = amount->first; i < amount->first + amount->count && !violation_found(); i++) {
		if (amount->deadline_ns && clock_host_ns() > amount->deadline_ns)
			break;
		verdict->index = i;
		run_round(amount, i, totals);
	}
}

/* schedule.h's: no scheduler decides here, and that is a place for noise. */
void schedule_point(enum point_kind kind, const void *object, const char *where)
{
	(void)kind;
	(void)object;
	(void)where;
	noise_point();
}
