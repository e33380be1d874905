/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/play/alarm.h"
#include "fuzz/check.h"
#include "fuzz/memory.h"
#include "fuzz/player.h"
#include "core/exits/exit.h"
#include "core/vcpu/vcpu.h"
#include "core/vm/vm_config.h"

struct machine machine;

static uint8_t run_pages[FUZZ_VCPUS * PV_RUN_PAGE_SIZE] __attribute__((aligned(4096)));
static struct pv_vm_page vm_page;
static struct pv_thread timer_thread, helper_thread;

static void *counted_alloc(void *context, uint64_t size)
{
	void *memory;

	(void)context;
	if (machine.fail_alloc && !--machine.fail_alloc) {
		fuzz_note("an allocation fails");
		return NULL;
	}
	memory = calloc(1, size);
	machine.allocations += memory != NULL;
	return memory;
}

static void counted_release(void *context, void *memory)
{
	(void)context;
	machine.allocations -= memory != NULL;
	free(memory);
}

static uint64_t its_time(void *context)
{
	(void)context;
	return machine.now;
}

static void hold_no_time(void *context, uint64_t ns)
{
	(void)context;
	(void)ns;
}

static const struct pv_host_hooks hooks = {
	.alloc = counted_alloc, .release = counted_release, .now_ns = its_time, .hold_ns = hold_no_time,
	.ns_per_tick = 1ull << 31, .patience_ns = PV_END_PATIENCE_NS,
};

static void name_thread(struct pv_thread *thread, const char *name, unsigned number)
{
	*thread = (struct pv_thread){ .name = "" };
	snprintf(thread->name, sizeof(thread->name), name, number);
}

/* Runs fn as this thread, whoever runs now. */
static struct pv_thread *become(struct pv_thread *thread)
{
	struct pv_thread *before = pv_self();

	pv_thread_adopt(thread);
	return before;
}

static void boot(struct fuzz_vcpu *vcpu, uint32_t index)
{
	vcpu->vcpu = &machine.vm->vcpus[index];
	vcpu->run = vcpu->vcpu->run;
	name_thread(&vcpu->thread, "vCPU %u", index);
	machine_exit(vcpu, PV_EXIT_READY);
}

void machine_create(const struct fuzz_header *header)
{
	struct pv_vm_config config;
	char why[128];

	memset(&machine, 0, sizeof(machine));
	memset(run_pages, 0, sizeof(run_pages));
	memset(&vm_page, 0, sizeof(vm_page));
	name_thread(&timer_thread, "timer", 0);
	name_thread(&helper_thread, "helper", 0);
	machine.now = 1000000;
	header_config(header, &config);
	config.page = &vm_page;
	config.run_pages = run_pages;
	config.ram = memory_ram;
	if (vm_create_hooked(&config, &hooks, &machine.vm, why, sizeof(why)))
		fuzz_violation("the VM cannot be created: %s", why);
	if (vm_start(machine.vm))
		fuzz_violation("the VM cannot be started");
	machine.vcpus = config.vcpus;
	for (uint32_t i = 0; i < machine.vcpus; i++)
		boot(&machine.vcpu[i], i);
}

void machine_destroy(void)
{
	for (uint32_t i = 0; i < machine.vcpus; i++)
		end_thread_left(machine.vm);
	if (!pv_u32_load(&machine.vm->end.published))
		fuzz_violation("O10 progress: every vCPU has left, and the VM is not over");
	if (vm_destroy(machine.vm))
		fuzz_violation("the VM has ended, and cannot be destroyed");
	if (machine.allocations)
		fuzz_violation("allocations not released: %u", machine.allocations);
}

/* What host_thread.c does until the vCPU may enter again. */
static void leave(struct fuzz_vcpu *vcpu, uint32_t reason)
{
	bool retires = reason == PV_EXIT_HYPERCALL || reason == PV_EXIT_IO_OUT || reason == PV_EXIT_HLT;
	struct pv_run *run = vcpu->run;

	vcpu->place = IN_HOST;
	run->exit_reason = reason;
	run->cpl = vcpu->cpl;
	run->retire[PV_COUNT_INSTRUCTIONS] = retires;
	run->retire[PV_COUNT_CYCLES] = retires ? 1 + PV_CYCLES_VM_EXIT : 0;
	vcpu_leave_guest(vcpu->vcpu);
	vcpu->action = exit_serve(vcpu->vcpu);
	vcpu->place = vcpu->action == PV_ENTER_STOP ? STOPPED : OUTSIDE;
	if (vcpu->place == STOPPED) {
		if (vm_phase(machine.vm) == PHASE_RUNNING)
			fuzz_violation("%s has to stop, and the VM is not over", vcpu->thread.name);
		pv_mutex_lock(&vcpu->vcpu->event_mutex);
		pmu_freeze(vcpu->vcpu);
		pv_mutex_unlock(&vcpu->vcpu->event_mutex);
	}
}

static void enter(struct fuzz_vcpu *vcpu)
{
	struct pv_run *run = vcpu->run;

	vcpu->place = IN_HOST;
	run->inject = 0;
	if (!vcpu_enter_guest(vcpu->vcpu))
		fuzz_violation("%s may not enter, and the VM is not over", vcpu->thread.name);
	for (int i = 0; i < PV_COUNTS_AT_EXIT; i++)
		run->count[i][run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] += run->retire[i];
	memset(run->retire, 0, sizeof(run->retire));
	vcpu->place = IN_GUEST;
	if (run->inject && pv_u32_load(&vcpu->vcpu->stage) != STAGE_GUEST)
		fuzz_violation("%s gets an NMI in the agent's own code", vcpu->thread.name);
	if (run->inject)
		fuzz_note("%s gets %s", vcpu->thread.name, run->inject & PV_INJECT_NMI ? "an NMI" : "an agent's NMI");
}

static void as_vcpu(struct fuzz_vcpu *vcpu, void (*fn)(struct fuzz_vcpu *vcpu))
{
	struct pv_thread *before = become(&vcpu->thread);
	struct fuzz_vcpu *outer = machine.current;

	machine.current = vcpu;
	fn(vcpu);
	machine.current = outer;
	pv_thread_adopt(before);
}

/* Whoever waits to enter does, unless somebody still wants it paused. */
static void settle(void)
{
	for (uint32_t i = 0; i < machine.vcpus; i++)
		if (machine.vcpu[i].place == OUTSIDE && !machine.vcpu[i].vcpu->pause_requests)
			as_vcpu(&machine.vcpu[i], enter);
}

static void leave_as_told(struct fuzz_vcpu *vcpu)
{
	leave(vcpu, vcpu->run->exit_reason);
}

void machine_exit(struct fuzz_vcpu *vcpu, uint32_t reason)
{
	vcpu->run->exit_reason = reason;
	as_vcpu(vcpu, leave_as_told);
	settle();
}

/* A vCPU that does not go on has done what it was asked to, unless this is left in its run page. */
bool machine_hypercall(struct fuzz_vcpu *vcpu, const uint64_t arg[4], int64_t *result)
{
	const uint64_t no_result = 0x5555555555555555;

	memcpy(vcpu->run->arg, arg, sizeof(vcpu->run->arg));
	vcpu->run->exit_reason = PV_EXIT_HYPERCALL;
	vcpu->run->rax = no_result;
	model_call_begin(vcpu);
	as_vcpu(vcpu, leave_as_told);
	*result = (int64_t)vcpu->run->rax;
	if (vcpu->run->rax == no_result)
		model_call_abandon(vcpu);
	else
		model_call_end(vcpu, *result);
	settle();
	return vcpu->place != STOPPED;
}

void machine_run(struct fuzz_vcpu *vcpu, uint8_t counters, bool user, uint64_t n)
{
	static const uint8_t counter[8] = {
		PV_COUNT_INSTRUCTIONS, PV_COUNT_CYCLES, PV_COUNT_BRANCHES, PV_COUNT_GUEST_TSC,
		PV_COUNT_L1D_STORES, PV_COUNT_CACHE_MISSES, PV_COUNT_BREAKPOINT, PV_COUNT_BREAKPOINT + 1,
	};

	for (unsigned i = 0; i < 8; i++)
		if (counters >> i & 1)
			vcpu->run->count[counter[i]][user ? PV_CPL_USER : PV_CPL_KERNEL] += n;
	vcpu->ran += counters & 1 ? n : 0;
	if (alarm_reached(vcpu->run))
		machine_exit(vcpu, PV_EXIT_OVERFLOW);
}

void machine_timer(uint64_t ns, uint8_t rotate)
{
	struct pv_thread *before = become(&timer_thread);
	struct fuzz_vcpu *outer = machine.current;

	machine.current = NULL;
	machine.now += ns;
	for (uint32_t i = 0; i < machine.vcpus; i++) {
		struct pv_vcpu *vcpu = &machine.vm->vcpus[i];

		if (rotate >> i & 1 && pv_u32_load(&vcpu->rotating)) {
			pv_u32_store(&vcpu->rotation_due, 1);
			vcpu_ring(vcpu);
		}
	}
	clock_events_run(machine.vm);
	machine.current = outer;
	pv_thread_adopt(before);
}

void machine_api(void (*fn)(void *arg), void *arg)
{
	struct pv_thread *before = pv_self();
	struct fuzz_vcpu *outer = machine.current;

	machine.current = NULL;
	fn(arg);
	machine.current = outer;
	pv_thread_adopt(before);
}

bool machine_may_run(void)
{
	if (machine.locks || pv_self()->nmi)
		return false;
	for (uint32_t i = 0; i < machine.vcpus; i++)
		if (machine.vcpu[i].place == IN_HOST && machine.vcpu[i].vcpu->mode == VCPU_GUEST)
			return false;
	return true;
}

static void drain_console(void *arg)
{
	uint8_t bytes[8];

	(void)arg;
	vm_console_read(machine.vm, bytes, sizeof(bytes));
}

/* Its guest has nothing more to say: somebody kicks the vCPU that halts. */
static void wake(struct pv_vcpu *vcpu)
{
	struct pv_thread *before = become(&helper_thread);

	halt_kick(vcpu);
	pv_thread_adopt(before);
}

void machine_wait(struct pv_event_count *count)
{
	unsigned depth;

	if (count == &machine.vm->console.space) {
		machine_api(drain_console, NULL);
		return;
	}
	for (uint32_t i = 0; i < machine.vcpus; i++) {
		struct fuzz_vcpu *vcpu = &machine.vcpu[i];

		if (count == &vcpu->vcpu->kick) {
			depth = player_halt();
			if (player_depth() == 0)
				check_at_rest();
			if (!player_next())
				wake(vcpu->vcpu);
			else if (player_depth() == 0)
				check_at_rest();
			player_go_on(depth);
			return;
		}
		if (count == &vcpu->vcpu->paused && vcpu->place == IN_GUEST) {
			fuzz_note("%s leaves guest mode, for who waits for it", vcpu->thread.name);
			vcpu->run->exit_reason = PV_EXIT_KICK;
			as_vcpu(vcpu, leave_as_told);
			return;
		}
	}
	fuzz_violation("%s waits for what will not happen", pv_self()->name);
}
