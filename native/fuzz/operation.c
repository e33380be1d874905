/* SPDX-License-Identifier: GPL-2.0-only */
/* What the records do. */
#include <string.h>

#include "abi/agent.h"
#include "fuzz/machine.h"
#include "fuzz/memory.h"
#include "fuzz/player.h"

enum {
	MOST_RUN = 40,          /* bits of what a guest retires at once */
	MOST_RUN_DRAWN = 12,    /* the same where each overflow's distance is drawn */
	MOST_PASS = 40,         /* bits of the ns that pass at once */
};

typedef unsigned long long ull;

static struct fuzz_vcpu *vcpu_of(uint8_t code)
{
	return &machine.vcpu[code % machine.vcpus];
}

static gpa_t blocks_of(const struct fuzz_vcpu *vcpu)
{
	return vcpu->vcpu->index * FUZZ_BLOCK;
}

static void hypercall(struct fuzz_vcpu *vcpu, uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
	const uint64_t arg[4] = { number, rbx, rcx, rdx };
	int64_t result;

	if (machine_hypercall(vcpu, arg, &result)) {
		player_mix((uint64_t)result);
		fuzz_note("%s gets %lld", vcpu->thread.name, (long long)result);
	} else {
		fuzz_note("%s gets no result", vcpu->thread.name);
	}
}

static void perf_operation(const struct fuzz_record *record, uint64_t op)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	uint64_t id = code_id(record->a);

	fuzz_note("%s: %s id %#llx", vcpu->thread.name, record_name(record), (ull)id);
	hypercall(vcpu, KVM_PERF_OP, op, id, 0);
}

/* Where the parameter block lies: mostly where it is the vCPU's own. */
static gpa_t place_blocks(const struct fuzz_record *record, struct fuzz_vcpu *vcpu, uint64_t bytes)
{
	switch (record_op(record) == FUZZ_OPEN ? record->f & 7 : 0) {
	case 5:
		return FUZZ_GUEST_RAM - bytes; /* its last bytes are RAM's */
	case 6:
		return FUZZ_GUEST_RAM - bytes + 1;
	case 7:
		return code_gpa(record->c); /* where the event itself is */
	default:
		return blocks_of(vcpu);
	}
}

static void note_open(const struct fuzz_vcpu *vcpu, const struct fuzz_record *record, gpa_t at,
		      const struct kvm_pv_perf_attr *attr)
{
	fuzz_note("%s: %s id %#x, event at %#llx, param at %#llx, type %u config %#llx period %llu flags %#llx "
		  "sample_type %#llx read_format %#llx",
		  vcpu->thread.name, record_name(record), (uint32_t)code_id(record->a), (ull)code_gpa(record->c), (ull)at,
		  attr->type, (ull)attr->config, (ull)attr->sample_period, (ull)attr->flags, (ull)attr->sample_type,
		  (ull)attr->read_format);
}

static void play_open(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	gpa_t at = place_blocks(record, vcpu, sizeof(struct kvm_pv_perf_event_param));
	struct kvm_pv_perf_event_param param = {
		.attr_addr = blocks_of(vcpu) + FUZZ_ATTR, .guest_event_addr = code_gpa(record->c),
		.id = (int32_t)code_id(record->a),
	};
	struct kvm_pv_perf_attr attr;

	record_attr(record, &attr);
	if ((record->f >> 3 & 3) == 3)
		param.attr_addr = FUZZ_GUEST_RAM - sizeof(attr) + (record->f & 1);
	note_open(vcpu, record, at, &attr);
	memory_store(param.attr_addr, &attr, sizeof(attr));
	memory_store(at, &param, sizeof(param));
	hypercall(vcpu, KVM_PERF_OP, KVM_PV_PERF_OP_OPEN, (uint32_t)at, at >> 32);
}

static void play_open2(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	gpa_t at = blocks_of(vcpu);
	struct kvm_pv_perf_event_param2 param = {
		.attr_addr = at + FUZZ_ATTR, .guest_event_addr = code_gpa(record->c),
		.guest_event_bytes = (record->d >> 3) * 8u, .id = (int32_t)code_id(record->a),
		.group = code_group(record->f),
	};
	struct kvm_pv_perf_attr attr;

	record_attr(record, &attr);
	note_open(vcpu, record, at, &attr);
	fuzz_note("room for %u bytes, group %d", param.guest_event_bytes, param.group);
	memory_store(param.attr_addr, &attr, sizeof(attr));
	memory_store(at, &param, sizeof(param));
	hypercall(vcpu, KVM_PERF_OP, KVM_PV_PERF_OP_OPEN2, (uint32_t)at, at >> 32);
}

static void play_close(const struct fuzz_record *record)
{
	perf_operation(record, KVM_PV_PERF_OP_CLOSE);
}

static void play_enable(const struct fuzz_record *record)
{
	perf_operation(record, KVM_PV_PERF_OP_ENABLE);
}

static void play_disable(const struct fuzz_record *record)
{
	perf_operation(record, KVM_PV_PERF_OP_DISABLE);
}

static void play_read(const struct fuzz_record *record)
{
	perf_operation(record, KVM_PV_PERF_OP_READ);
}

/* With the blocks as they are, or at any place. */
static void play_hypercall(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	uint64_t number = code_hypercall(record->a), op = record->b % 10, rdx = record_value(record);
	uint64_t rcx = record->c & 1 ? blocks_of(vcpu) : code_gpa(record->c);

	if (op == 9)
		op = UINT64_MAX - record->b;
	fuzz_note("%s: HYPERCALL %#llx, %#llx, %#llx, %#llx", vcpu->thread.name, (ull)number, (ull)op, (ull)rcx, (ull)rdx);
	hypercall(vcpu, number, op, rcx, rdx);
}

static void play_kick(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	uint64_t other = record->a < 0xf0 ? record->a % machine.vcpus : UINT64_MAX << (record->a & 15);

	fuzz_note("%s: KICK vCPU %llu", vcpu->thread.name, (ull)other);
	hypercall(vcpu, KVM_HC_KICK_CPU, 0, other, 0);
}

static void play_agent_done(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);

	fuzz_note("%s: AGENT_DONE %u", vcpu->thread.name, record->a % 3);
	hypercall(vcpu, PV_HC_AGENT_DONE, record->a % 3, 0, 0);
}

static void play_out(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	uint64_t size = record->b < 0xf0 ? 1u << record->b % 3 : record->b;
	const uint64_t arg[4] = { code_port(record->a), size, record->c * 0x01010101ull, 0 };

	fuzz_note("%s: OUT port %#llx, %llu bytes, value %#llx", vcpu->thread.name, (ull)arg[0], (ull)size, (ull)arg[2]);
	memcpy(vcpu->run->arg, arg, sizeof(arg));
	machine_exit(vcpu, PV_EXIT_IO_OUT);
}

static void play_hlt(const struct fuzz_record *record)
{
	fuzz_note("%s: HLT", vcpu_of(record->vcpu)->thread.name);
	machine_exit(vcpu_of(record->vcpu), PV_EXIT_HLT);
	fuzz_note("%s goes on", vcpu_of(record->vcpu)->thread.name);
}

/* An engine that fails says so in words that need not end. */
static void play_exit(const struct fuzz_record *record)
{
	static const uint32_t odd[] = { PV_EXIT_NONE, PV_EXIT_READY, PV_EXIT_SHUTDOWN, PV_EXIT_ERROR,
					PV_EXIT_REASONS, UINT32_MAX, PV_EXIT_OVERFLOW, PV_EXIT_OVERFLOW };
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	uint32_t reason = record->a < 0xe0 ? PV_EXIT_KICK : odd[record->a % 8];

	fuzz_note("%s: EXIT %u", vcpu->thread.name, reason);
	memset(vcpu->run->text, 'x', sizeof(vcpu->run->text));
	machine_exit(vcpu, reason);
}

static uint64_t bounded(uint64_t value, unsigned bits)
{
	return value & ((1ull << bits) - 1);
}

static void play_run(const struct fuzz_record *record)
{
	struct fuzz_vcpu *vcpu = vcpu_of(record->vcpu);
	uint64_t n = bounded(record_value(record), machine.vm->config.poisson ? MOST_RUN_DRAWN : MOST_RUN);

	fuzz_note("%s: RUN %llu at %s level, counters %#x", vcpu->thread.name, (ull)n, record->b & 1 ? "user" : "kernel",
		  record->a | 1);
	machine_run(vcpu, record->a | 1, record->b & 1, n);
}

static void play_cpl(const struct fuzz_record *record)
{
	vcpu_of(record->vcpu)->cpl = record->a & 3;
	fuzz_note("%s: CPL %u", vcpu_of(record->vcpu)->thread.name, record->a & 3);
}

static void play_poke(const struct fuzz_record *record)
{
	uint64_t value = record_value(record), size = 1u << record->b % 4;

	fuzz_note("POKE %#llx = %#llx, %llu bytes", (ull)code_gpa(record->c), (ull)value, (ull)size);
	memory_store(code_gpa(record->c), &value, size);
}

static void play_patch(const struct fuzz_record *record)
{
	const struct fuzz_field *field = code_field(record->b);
	uint64_t value = field->is_gpa ? code_gpa(record->c) : record_value(record);

	fuzz_note("PATCH %s's %s = %#llx", vcpu_of(record->a)->thread.name, field->name, (ull)value);
	memory_store(blocks_of(vcpu_of(record->a)) + field->at, &value, field->size);
}

static void play_take(const struct fuzz_record *record)
{
	(void)record;
	fuzz_note("TAKE");
	model_take_overflows();
}

static void play_timer(const struct fuzz_record *record)
{
	uint64_t ns = bounded(record_value(record), MOST_PASS);

	fuzz_note("TIMER after %llu ns, rotations %#x", (ull)ns, record->a);
	machine_timer(ns, record->a);
}

static void play_fail_memory(const struct fuzz_record *record)
{
	fuzz_note("FAIL_MEMORY in %u", record->a + 1);
	memory_fail(record->a + 1u);
}

static void play_fail_alloc(const struct fuzz_record *record)
{
	fuzz_note("FAIL_ALLOC in %u", record->a + 1);
	machine.fail_alloc = record->a + 1u;
}

static void ask_times(void *arg)
{
	const struct fuzz_record *record = arg;
	struct pv_event_times times = { 0 };
	int ret = vm_event_times(machine.vm, (int32_t)code_id(record->a), &times);

	if (ret && ret != -PV_ENOENT)
		fuzz_violation("vm_event_times() returns %d", ret);
	if (times.running_ns > times.enabled_ns)
		fuzz_violation("an event ran for %llu ns, and was enabled for %llu", (ull)times.running_ns,
			       (ull)times.enabled_ns);
	fuzz_note("TIMES id %#x: %d, %llu ns of %llu", (uint32_t)code_id(record->a), ret, (ull)times.running_ns,
		  (ull)times.enabled_ns);
}

static void play_times(const struct fuzz_record *record)
{
	struct fuzz_record copy = *record;

	machine_api(ask_times, &copy);
}

static void ask_for_end(void *arg)
{
	(void)arg;
	vm_finish(machine.vm);
}

static void play_finish(const struct fuzz_record *record)
{
	(void)record;
	fuzz_note("FINISH");
	machine_api(ask_for_end, NULL);
}

static void (*const plays[FUZZ_OPS])(const struct fuzz_record *record) = {
	[FUZZ_OPEN] = play_open, [FUZZ_OPEN2] = play_open2, [FUZZ_CLOSE] = play_close, [FUZZ_ENABLE] = play_enable,
	[FUZZ_DISABLE] = play_disable, [FUZZ_READ] = play_read, [FUZZ_HYPERCALL] = play_hypercall,
	[FUZZ_KICK] = play_kick, [FUZZ_AGENT_DONE] = play_agent_done, [FUZZ_OUT] = play_out, [FUZZ_HLT] = play_hlt,
	[FUZZ_EXIT] = play_exit, [FUZZ_RUN] = play_run, [FUZZ_CPL] = play_cpl, [FUZZ_POKE] = play_poke,
	[FUZZ_PATCH] = play_patch, [FUZZ_TAKE] = play_take, [FUZZ_TIMER] = play_timer,
	[FUZZ_FAIL_MEMORY] = play_fail_memory, [FUZZ_FAIL_ALLOC] = play_fail_alloc, [FUZZ_TIMES] = play_times,
	[FUZZ_FINISH] = play_finish,
};

void operation_play(const struct fuzz_record *record)
{
	plays[record_op(record)](record);
}

bool operation_possible(const struct fuzz_record *record)
{
	switch (record_op(record)) {
	case FUZZ_AT:
		return false;
	case FUZZ_TIMER:
		return !machine.leaves && !pv_self()->nmi;
	case FUZZ_TIMES:
	case FUZZ_FINISH:
		return machine_may_run();
	default:
		return !record_of_vcpu(record) || (vcpu_of(record->vcpu)->place == IN_GUEST && machine_may_run());
	}
}
