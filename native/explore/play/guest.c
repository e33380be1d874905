/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU's guest does, and the vCPU's host thread when it leaves guest mode: one fiber of the explorer's, or one
 * thread of the native stress. What others may look at meanwhile is atomic for the threads' sake.
 */
#include <string.h>

#include "explore/play/account.h"
#include "explore/play/alarm.h"
#include "explore/play/guest_record.h"
#include "explore/fibers/schedule.h"
#include "explore/play/world.h"
#include "core/exits/exit.h"
#include "core/exits/perf_op.h"
#include "core/vcpu/vcpu.h"

enum { OPEN_BYTES = 128, ATTR_BEHIND = sizeof(struct kvm_pv_perf_event_param2) };

static bool is_open2(uint8_t kind)
{
	return kind == EXPLORE_LEAD || kind == EXPLORE_JOIN;
}

bool guest_opens(uint8_t kind)
{
	return kind == EXPLORE_OPEN || is_open2(kind);
}

uint32_t guest_format(const struct explore_op *op)
{
	if (!is_open2(op->kind))
		return 0;
	return KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED | KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING | KVM_PV_PERF_FORMAT_ID |
	       (op->kind == EXPLORE_LEAD ? KVM_PV_PERF_FORMAT_GROUP : 0);
}

gpa_t guest_event_word(unsigned fiber, unsigned op)
{
	return WORLD_EVENTS + (fiber * EXPLORE_OPS + op) * WORLD_SLOT;
}

uint32_t guest_event_bytes(unsigned fiber, unsigned op)
{
	return is_open2(world.program.op[fiber][op].kind) ? WORLD_SLOT : sizeof(struct kvm_pv_perf_event);
}

static struct kvm_pv_perf_event *event_at(gpa_t gpa)
{
	return (struct kvm_pv_perf_event *)(void *)(world.ram + gpa);
}

static uint32_t tick(void)
{
	return __atomic_fetch_add(&world.clock, 1, __ATOMIC_SEQ_CST);
}

uint64_t guest_overflows(unsigned vcpu)
{
	uint64_t sum = world.guest[vcpu].taken;

	for (unsigned at = 0; at < world.program.length[vcpu]; at++)
		sum += (uint32_t)event_at(guest_event_word(vcpu, at))->overflows;
	return sum;
}

static uint64_t retired(const struct pv_run *run)
{
	return run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL];
}

/* Takes the overflows of the events that this vCPU opened. */
static void take_overflows(unsigned vcpu)
{
	for (uint32_t left = __atomic_load_n(&world.guest[vcpu].opened, __ATOMIC_ACQUIRE); left; left &= left - 1) {
		struct kvm_pv_perf_event *event =
			event_at(guest_event_word(vcpu, (unsigned)__builtin_ctz(left)));

		schedule_point(POINT_UPDATE, event, "the guest takes overflows");
		__atomic_fetch_add(&world.guest[vcpu].taken,
				   (uint32_t)__atomic_exchange_n(&event->overflows, 0, __ATOMIC_SEQ_CST),
				   __ATOMIC_RELAXED);
	}
}

/* What host_thread.c does between two hand-overs. False: the vCPU does not go on. */
static bool serve(struct pv_vcpu *vcpu)
{
	struct pv_run *run = vcpu->run;
	enum pv_entry_action action;

	account_leave(vcpu);
	vcpu_leave_guest(vcpu);
	action = exit_serve(vcpu);
	if (action == PV_ENTER_STOP || vm_phase(vcpu->vm) == PHASE_OVER || !vcpu_enter_guest(vcpu)) {
		world.guest[vcpu->index].over = true;
		return false;
	}
	account_enter(vcpu);
	for (int i = 0; i < PV_COUNTS_AT_EXIT; i++)
		run->count[i][PV_CPL_KERNEL] += run->retire[i];
	account_retire_exit(vcpu, run->retire[PV_COUNT_INSTRUCTIONS]);
	return true;
}

/* An exit, the entry after it, and the NMI that the entry brings. */
static bool leave_and_enter(struct pv_vcpu *vcpu, uint32_t reason)
{
	struct pv_run *run = vcpu->run;
	bool retires = reason == PV_EXIT_HYPERCALL;

	run->exit_reason = reason;
	run->retire[PV_COUNT_INSTRUCTIONS] = retires;
	run->retire[PV_COUNT_CYCLES] = retires ? 1 + PV_CYCLES_VM_EXIT : 0;
	run->inject = 0;
	if (!serve(vcpu))
		return false;
	if (run->inject & PV_INJECT_NMI && !world.machine.no_handler)
		take_overflows(vcpu->index);
	return true;
}

bool guest_pass(unsigned vcpu)
{
	return leave_and_enter(&world.vm->vcpus[vcpu], PV_EXIT_KICK);
}

/* A doorbell is seen between two operations of the guest. */
static bool answer_doorbell(struct pv_vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->run->bell.rung, __ATOMIC_RELAXED))
		return true;
	__atomic_exchange_n(&vcpu->run->bell.rung, 0, __ATOMIC_SEQ_CST);
	return leave_and_enter(vcpu, PV_EXIT_KICK);
}

static bool execute(struct pv_vcpu *vcpu, uint64_t instructions)
{
	struct pv_run *run = vcpu->run;

	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] += instructions;
	run->count[PV_COUNT_BRANCHES][PV_CPL_KERNEL] += instructions / 4;
	run->count[PV_COUNT_CYCLES][PV_CPL_KERNEL] += instructions;
	account_retire(vcpu, instructions);
	if (alarm_reached(run))
		return leave_and_enter(vcpu, PV_EXIT_OVERFLOW);
	account_stays(vcpu);
	return true;
}

static struct kvm_pv_perf_attr attr_of(const struct explore_op *op)
{
	struct kvm_pv_perf_attr attr = { .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS,
					 .sample_period = op->value };

	if (op->kind == EXPLORE_JOIN)
		attr.sample_period >>= EXPLORE_GROUP_BITS;
	if (is_open2(op->kind))
		attr.read_format = guest_format(op);
	else if (op->value == EXPLORE_OF_BREAKPOINT)
		attr = (struct kvm_pv_perf_attr){ .type = PV_TYPE_BREAKPOINT, .bp_type = PV_BP_W,
						  .bp_addr = WORLD_EVENTS, .bp_len = 8 };
	else if (op->value & EXPLORE_OF_CLOCK)
		attr = (struct kvm_pv_perf_attr){ .type = PV_TYPE_SOFTWARE, .config = PV_SW_CPU_CLOCK,
						  .sample_period = op->value & ~EXPLORE_OF_CLOCK };
	return attr;
}

static void put_open(unsigned fiber, unsigned at, const struct explore_op *op)
{
	gpa_t gpa = WORLD_PARAMS + fiber * OPEN_BYTES;
	struct kvm_pv_perf_event_param param = { .attr_addr = gpa + ATTR_BEHIND, .id = op->id,
						 .guest_event_addr = guest_event_word(fiber, at) };
	struct kvm_pv_perf_event_param2 param2 = { .attr_addr = param.attr_addr, .id = op->id, .group = -1,
						   .guest_event_addr = param.guest_event_addr,
						   .guest_event_bytes = WORLD_SLOT };
	struct kvm_pv_perf_attr attr = attr_of(op);

	if (op->kind == EXPLORE_JOIN)
		param2.group = op->value % (1 << EXPLORE_GROUP_BITS);
	if (is_open2(op->kind))
		memcpy(world.ram + gpa, &param2, sizeof(param2));
	else
		memcpy(world.ram + gpa, &param, sizeof(param));
	memcpy(world.ram + gpa + ATTR_BEHIND, &attr, sizeof(attr));
}

static const uint64_t op_of[EXPLORE_CALLS] = {
	[EXPLORE_OPEN] = KVM_PV_PERF_OP_OPEN, [EXPLORE_CLOSE] = KVM_PV_PERF_OP_CLOSE,
	[EXPLORE_ENABLE] = KVM_PV_PERF_OP_ENABLE, [EXPLORE_DISABLE] = KVM_PV_PERF_OP_DISABLE,
	[EXPLORE_READ] = KVM_PV_PERF_OP_READ, [EXPLORE_LEAD] = KVM_PV_PERF_OP_OPEN2,
	[EXPLORE_JOIN] = KVM_PV_PERF_OP_OPEN2,
};

/* What the guest itself counts while it alone has the event enabled. */
static void keep_window(struct guest *guest, const struct explore_op *op, uint64_t before, uint64_t after)
{
	uint64_t *window = &guest->window[op->id];

	if (op->kind == EXPLORE_ENABLE && *window == UINT64_MAX)
		*window = after;
	if ((op->kind != EXPLORE_DISABLE && op->kind != EXPLORE_CLOSE) || *window == UINT64_MAX)
		return;
	guest->expected[op->id] += before - *window;
	*window = UINT64_MAX;
}

/* Nobody else changes when the event counts, and it never waits for a counter. */
static bool counts_exactly(uint8_t id, uint8_t fiber)
{
	return world.word[id] && world.owner[id] == fiber && world.machine.counters >= EXPLORE_IDS;
}

/* What the event had counted at some moment of the call, or since. */
static void check_read(const struct explore_op *op, const struct explore_result *result, uint64_t least)
{
	const struct account *account = account_at(world.word[op->id]);

	if (!account || op->kind != EXPLORE_READ)
		return;
	if (result->count < least || result->count > account_count(account))
		schedule_violation(EXPLORE_CONSERVATION, "event %u is read as %llu, and counted %llu to %llu meanwhile", op->id,
				   (unsigned long long)result->count, (unsigned long long)least,
				   (unsigned long long)account_count(account));
}

static void note_result(const struct explore_op *op, struct explore_result *result, uint64_t least)
{
	bool has_count = op->kind == EXPLORE_READ || op->kind == EXPLORE_DISABLE;

	if (has_count && !result->result && world.word[op->id]) {
		result->count = guest_word(world.word[op->id]).count;
		check_read(op, result, least);
	}
	result->returned = tick();
	if (op->kind == EXPLORE_DISABLE && !result->result && counts_exactly(op->id, result->fiber))
		result->expected = world.guest[result->fiber].expected[op->id];
	if (op->kind == EXPLORE_CLOSE && !result->result && world.word[op->id] && !world.history)
		world.closed[op->id] = (struct closed_word){ true, guest_word(world.word[op->id]) };
	if (guest_opens(op->kind) && !result->result)
		__atomic_fetch_or(&world.guest[result->fiber].opened, 1u << result->op, __ATOMIC_RELEASE);
}

static uint64_t counted(const struct explore_op *op)
{
	const struct account *account = world.word[op->id] ? account_at(world.word[op->id]) : NULL;

	return account ? account_count(account) : 0;
}

static bool hypercall(struct pv_vcpu *vcpu, unsigned at, const struct explore_op *op)
{
	struct explore_result *result =
		&world.results[__atomic_fetch_add(&world.result_count, 1, __ATOMIC_RELAXED)];
	struct pv_run *run = vcpu->run;
	uint64_t before = retired(run), least = counted(op);

	*result = (struct explore_result){ .fiber = (uint8_t)vcpu->index, .op = (uint8_t)at,
					   .result = INT32_MIN, .invoked = tick(),
					   .returned = UINT32_MAX, .expected = UINT64_MAX };
	if (guest_opens(op->kind))
		put_open(vcpu->index, at, op);
	run->arg[0] = KVM_PERF_OP;
	run->arg[1] = op_of[op->kind];
	run->arg[2] = guest_opens(op->kind) ? WORLD_PARAMS + vcpu->index * OPEN_BYTES : op->id;
	run->arg[3] = 0;
	if (!leave_and_enter(vcpu, PV_EXIT_HYPERCALL))
		return false;
	result->result = (int32_t)run->rax;
	if (!result->result)
		keep_window(&world.guest[vcpu->index], op, before, retired(run));
	note_result(op, result, least);
	return true;
}

/*
 * Looks at a record while others may have it written. A program that is played over and over gives a record to OPEN
 * again while a CLOSE elsewhere still writes what was there: two events at once are in it, by the guest's own fault.
 */
static bool peek(const struct explore_op *op)
{
	uint32_t format = world.format[op->id];
	struct guest_record record;

	if (format && guest_record_read(&record, world.word[op->id], format, true) && !world.history)
		guest_record_check(&record, op->id);
	return true;
}

/* It stands in HLT, and was neither kicked since it last woke nor has it an NMI to take. */
bool guest_may_stay(unsigned fiber)
{
	const struct pv_vcpu *vcpu = &world.vm->vcpus[fiber];

	return fiber < world.machine.vcpus && schedule.fiber[fiber].object == &vcpu->kick && vcpu->parked &&
	       world.guest[fiber].kicked_at <= world.guest[fiber].woken_at && !vcpu->queue.due.v;
}

/* A kick ends one HLT at most. Where guest memory fails, an NMI was due that could not be given. */
static void check_woken(const struct pv_vcpu *vcpu)
{
	struct guest *guest = &world.guest[vcpu->index];

	if (vcpu->run->inject & PV_INJECT_NMI || world.vm->ledger.failed.v)
		return;
	if (++guest->woken > __atomic_load_n(&guest->kicks, __ATOMIC_ACQUIRE))
		schedule_violation(EXPLORE_NMIS, "the HLT of vCPU %u is over, and there is neither a kick nor an NMI",
				   vcpu->index);
}

static bool halt(struct pv_vcpu *vcpu)
{
	struct guest *guest = &world.guest[vcpu->index];
	bool goes_on = leave_and_enter(vcpu, PV_EXIT_HLT);

	guest->woken_at = schedule.step + 1;
	if (goes_on)
		check_woken(vcpu);
	return goes_on;
}

static bool kick(struct pv_vcpu *vcpu, unsigned other)
{
	uint32_t begun = schedule.step + 1;

	__atomic_fetch_add(&world.guest[other].kicks, 1, __ATOMIC_RELEASE);
	vcpu->run->arg[0] = KVM_HC_KICK_CPU;
	vcpu->run->arg[2] = other;
	if (!leave_and_enter(vcpu, PV_EXIT_HYPERCALL))
		return false;
	if (begun > __atomic_load_n(&world.guest[other].kicked_at, __ATOMIC_RELAXED))
		__atomic_store_n(&world.guest[other].kicked_at, begun, __ATOMIC_RELAXED);
	return true;
}

bool guest_answer(unsigned vcpu)
{
	return answer_doorbell(&world.vm->vcpus[vcpu]);
}

bool guest_do(unsigned vcpu_index, unsigned at)
{
	struct pv_vcpu *vcpu = &world.vm->vcpus[vcpu_index];
	const struct explore_op *op = &world.program.op[vcpu_index][at];

	switch (op->kind) {
	case EXPLORE_RUN:
		return execute(vcpu, op->value);
	case EXPLORE_PEEK:
		return peek(op);
	case EXPLORE_HALT:
		return halt(vcpu);
	case EXPLORE_KICK:
		return kick(vcpu, op->id);
	case EXPLORE_HANDLE:
		for (unsigned i = 0; i < world.machine.vcpus; i++)
			take_overflows(i);
		return true;
	default:
		return hypercall(vcpu, at, op);
	}
}

/* The timer: vCPU `id` is asked to rotate, or clocks that are due overflow. */
void timer_do(const struct explore_op *op)
{
	if (op->kind == EXPLORE_CLOCK) {
		clock_events_run(world.vm);
		return;
	}
	pv_u32_store(&world.vm->vcpus[op->id].rotation_due, 1);
	vcpu_ring(&world.vm->vcpus[op->id]);
}
