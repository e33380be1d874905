/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz/model.h"

#include <string.h>

#include "fuzz/machine.h"
#include "fuzz/memory.h"
#include "fuzz/player.h"
#include "core/designs/find.h"

enum { MOST_EVENTS = 256 };

typedef long long ll;

struct model_event {
	struct model_handle handle;
	gpa_t event;
	uint32_t bytes;
	bool plain;
	uint64_t count; /* the largest that the guest was given */
	/* It counts all of the vCPU that it was enabled on, and when is known: */
	bool whole;
	const struct fuzz_vcpu *on;
	uint64_t since, ran; /* on's, then; what they had retired before */
};

/* An id whose operations came in between each other: who was first is what the table says, at rest. */
struct doubt {
	int32_t id;
	uint32_t owner;
	bool agent;
	int balance; /* how many are open, by what OPENs and CLOSEs returned: in any order the same */
};

static struct model {
	struct model_event event[MOST_EVENTS];
	uint32_t events;
	struct doubt doubt[MOST_EVENTS];
	uint32_t doubts;
	bool full;
} model;

void model_reset(void)
{
	memset(&model, 0, sizeof(model));
}

void model_word_is_full(void)
{
	model.full = true;
}

/* Whose an id is: of the VM's guest, of the guest on the vCPU that opened it, or of the agent. */
static uint32_t owner_of(const struct fuzz_vcpu *vcpu)
{
	return machine.vm->design == &design_per_vcpu && !vcpu->call.agent ? vcpu->vcpu->index : 0;
}

static struct model_event *find(const struct fuzz_vcpu *vcpu, int32_t id)
{
	for (uint32_t i = 0; i < model.events; i++)
		if (model.event[i].handle.id == id && model.event[i].handle.owner == owner_of(vcpu) &&
		    model.event[i].handle.agent == vcpu->call.agent)
			return &model.event[i];
	return NULL;
}

uint32_t model_open(bool agent)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < model.events; i++)
		n += model.event[i].handle.agent == agent;
	return n;
}

bool model_excuses(void)
{
	return model.full;
}

bool model_any_open(struct model_handle *handle)
{
	if (!model.events)
		return false;
	*handle = model.event[0].handle;
	return true;
}

void model_call_begin(struct fuzz_vcpu *vcpu)
{
	vcpu->call = (struct call){
		.active = true, .agent = vcpu_in_agent(vcpu->vcpu), .begun = ++machine.calls, .failures = memory_failures(), .group = -1,
	};
}

void model_call_abandon(struct fuzz_vcpu *vcpu)
{
	vcpu->call.active = false;
}

/* The rules of hostile memory: each argument is copied once, so that what was checked is what is used. */
static void copied_once(uint32_t *copies, const char *what)
{
	if (++*copies > 1)
		fuzz_violation("%s reads its %s twice", machine.current->thread.name, what);
}

static void param_copied(struct call *call, const void *copy, uint64_t size)
{
	struct kvm_pv_perf_event_param param;
	struct kvm_pv_perf_event_param2 param2;

	copied_once(&call->params, "parameter block");
	memcpy(&param, copy, sizeof(param));
	call->event = param.guest_event_addr;
	call->bytes = sizeof(struct kvm_pv_perf_event);
	call->id = param.id;
	if (size == sizeof(param))
		return;
	memcpy(&param2, copy, sizeof(param2));
	call->bytes = param2.guest_event_bytes;
	call->id = param2.id;
	call->group = param2.group;
}

void model_copied_in(const void *copy, uint64_t size)
{
	struct call *call = machine.current ? &machine.current->call : NULL;
	struct kvm_pv_perf_attr attr;

	if (!call || !call->active)
		return;
	if (size == sizeof(struct kvm_pv_perf_event_param) || size == sizeof(struct kvm_pv_perf_event_param2))
		param_copied(call, copy, size);
	if (size != sizeof(attr))
		return;
	copied_once(&call->attrs, "attr");
	memcpy(&attr, copy, sizeof(attr));
	call->plain = attr.type == PV_TYPE_HARDWARE && attr.config == PV_HW_INSTRUCTIONS;
	call->whole = call->plain && !attr.flags;
}

static bool within(gpa_t gpa, uint64_t size, gpa_t event, uint32_t bytes)
{
	return gpa >= event && gpa - event <= bytes && size <= bytes - (gpa - event);
}

/* In an event that is open, or that is just being opened. */
bool model_may_write(gpa_t gpa, uint64_t size)
{
	for (uint32_t i = 0; i < model.events; i++)
		if (within(gpa, size, model.event[i].event, model.event[i].bytes))
			return true;
	for (uint32_t i = 0; i < machine.vcpus; i++) {
		const struct call *call = &machine.vcpu[i].call;

		if (call->active && call->attrs && within(gpa, size, call->event, call->bytes))
			return true;
	}
	return false;
}

void model_take_overflows(void)
{
	static const uint32_t none;

	for (uint32_t i = 0; i < model.events; i++)
		memory_store(model.event[i].event + offsetof(struct kvm_pv_perf_event, overflows), &none, sizeof(none));
}

/* Did nothing come in between, so that the model knows what the result must be? */
static bool is_exact(const struct fuzz_vcpu *vcpu)
{
	return vcpu->call.begun == machine.calls && player_depth() <= 1;
}

static bool memory_failed(const struct fuzz_vcpu *vcpu)
{
	return vcpu->call.failures != memory_failures();
}

static struct doubt *find_doubt(const struct fuzz_vcpu *vcpu, int32_t id)
{
	for (uint32_t i = 0; i < model.doubts; i++)
		if (model.doubt[i].id == id && model.doubt[i].owner == owner_of(vcpu) &&
		    model.doubt[i].agent == vcpu->call.agent)
			return &model.doubt[i];
	return NULL;
}

static bool in_doubt(const struct fuzz_vcpu *vcpu, int32_t id)
{
	return !is_exact(vcpu) || find_doubt(vcpu, id);
}

static struct doubt *doubt_about(const struct fuzz_vcpu *vcpu, int32_t id)
{
	struct doubt *doubt = find_doubt(vcpu, id);

	if (!doubt) {
		if (model.doubts == MOST_EVENTS)
			fuzz_violation("more ids are in doubt than there are operations");
		doubt = &model.doubt[model.doubts++];
		*doubt = (struct doubt){ id, owner_of(vcpu), vcpu->call.agent, find(vcpu, id) != NULL };
	}
	return doubt;
}

static void forget(struct model_event *event)
{
	memmove(event, event + 1, (size_t)(&model.event[--model.events] - event) * sizeof(*event));
}

/* No counter is waited for, and no agent runs uncounted. */
static bool model_counts_whole(void)
{
	const struct pv_vm_config *config = &machine.vm->config;

	return config->counters >= config->max_events && !config->agent_start.rip;
}

static void opened(struct fuzz_vcpu *vcpu)
{
	const struct call *call = &vcpu->call;
	uint64_t ram = call->agent ? FUZZ_RAM : FUZZ_GUEST_RAM;

	if (call->params != 1 || call->attrs != 1 || call->id < 0 || call->event % 8 ||
	    !within(call->event, call->bytes, 0, (uint32_t)ram))
		fuzz_violation("OPEN of id %d at %#llx, size %u, succeeds", call->id,
			       (unsigned long long)call->event, call->bytes);
	if (!in_doubt(vcpu, call->id) && find(vcpu, call->id))
		fuzz_violation("OPEN of id %d succeeds, and it is open", call->id);
	if (in_doubt(vcpu, call->id))
		doubt_about(vcpu, call->id)->balance++;
	if (model.events == MOST_EVENTS)
		fuzz_violation("more events are open than can be");
	model.event[model.events++] = (struct model_event){
		.handle = { call->id, owner_of(vcpu), call->agent }, .event = call->event,
		.bytes = call->bytes, .plain = call->plain && call->bytes == sizeof(struct kvm_pv_perf_event),
		.whole = call->whole && model_counts_whole(),
	};
}

static void closed(struct fuzz_vcpu *vcpu, int32_t id)
{
	struct model_event *event;

	if (in_doubt(vcpu, id)) {
		doubt_about(vcpu, id)->balance--;
		return;
	}
	event = find(vcpu, id);
	if (!event)
		fuzz_violation("CLOSE of id %d succeeds, and it is not open", id);
	forget(event);
}

static const struct event_table *table_of(const struct doubt *doubt)
{
	if (doubt->agent)
		return machine.vm->agent_events.table;
	return machine.vm->table ? machine.vm->table : machine.vm->vcpus[doubt->owner].table;
}

static const struct host_event *in_table(const struct doubt *doubt)
{
	const struct event_table *table = table_of(doubt);
	const struct host_event *event = table->bucket[table_index(table, doubt->id)];

	while (event && event->id != doubt->id)
		event = event->bucket_next;
	return event;
}

static void settle(const struct doubt *doubt)
{
	const struct host_event *event = in_table(doubt);

	/* What is abandoned at the end has no result. */
	if (vm_phase(machine.vm) == PHASE_RUNNING && doubt->balance != (event ? 1 : 0))
		fuzz_violation("O4 unique ids: by what OPENs and CLOSEs returned, id %d is open %d times, and the table has %s",
			       doubt->id, doubt->balance, event ? "it" : "none");
	for (uint32_t i = model.events; i--;)
		if (model.event[i].handle.id == doubt->id && model.event[i].handle.owner == doubt->owner &&
		    model.event[i].handle.agent == doubt->agent)
			forget(&model.event[i]);
	if (event)
		model.event[model.events++] = (struct model_event){
			.handle = { doubt->id, doubt->owner, event->agent }, .event = event->guest_addr,
			.bytes = event->guest_bytes ? event->guest_bytes : sizeof(struct kvm_pv_perf_event),
		};
}

void model_settle(void)
{
	for (uint32_t i = 0; i < model.doubts; i++)
		settle(&model.doubt[i]);
	model.doubts = 0;
}

static bool overlap(const struct model_event *a, const struct model_event *b)
{
	return a->event < b->event + b->bytes && b->event < a->event + a->bytes;
}

static uint64_t ran(const struct model_event *event)
{
	return event->ran + (event->on ? event->on->ran - event->since : 0);
}

/* Whose counting an event that was enabled, or disabled, is now. */
static void follow(const struct fuzz_vcpu *vcpu, uint64_t op, int32_t id, int64_t result)
{
	struct model_event *event = find(vcpu, id);

	if (!event || op == KVM_PV_PERF_OP_READ)
		return;
	event->whole = event->whole && !in_doubt(vcpu, id) && !result;
	event->ran = ran(event);
	event->on = op == KVM_PV_PERF_OP_ENABLE ? vcpu : NULL;
	event->since = vcpu->ran;
}

/*
 * A count that the guest was just given: never less than before, and no more than was retired; nor less than
 * what a vCPU executed meanwhile, where that is known. What exits retire is left open.
 */
static void check_count(const struct fuzz_vcpu *vcpu, int32_t id)
{
	struct model_event *event = find(vcpu, id);
	uint64_t count, most = 0;

	if (!event || !event->plain || in_doubt(vcpu, id))
		return;
	for (uint32_t i = 0; i < model.events; i++)
		if (&model.event[i] != event && overlap(&model.event[i], event))
			return; /* others write there, too */
	count = memory_load(event->event, sizeof(count));
	for (uint32_t i = 0; i < machine.vcpus; i++)
		most += machine.vcpu[i].run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] +
			machine.vcpu[i].run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_USER];
	if (count < event->count || count > most)
		fuzz_violation("event %d counts %llu, after %llu; instructions retired: %llu", id,
			       (unsigned long long)count, (unsigned long long)event->count, (unsigned long long)most);
	if (event->whole && count < ran(event))
		fuzz_violation("event %d counts %llu; instructions executed while it was enabled: %llu", id,
			       (unsigned long long)count, (unsigned long long)ran(event));
	event->count = count;
}

/* Results of operations, as the header documents them. */
static bool documented(uint64_t op, int64_t result)
{
	static const int16_t of_open[] = { PV_EINVAL, PV_EFAULT, PV_EEXIST, PV_ENOENT, PV_ENOSPC, PV_EOPNOTSUPP, 0 };
	static const int16_t of_enable[] = { PV_ENOENT, PV_EINVAL, PV_ENOSPC, 0 };
	static const int16_t of_disable[] = { PV_ENOENT, PV_EINVAL, PV_EFAULT, 0 };
	static const int16_t of_close[] = { PV_ENOENT, 0 }, of_read[] = { PV_ENOENT, PV_EFAULT, 0 }, unknown[] = { PV_EINVAL, 0 };
	static const int16_t *const of[KVM_PV_PERF_OP_MAX] = {
		unknown, of_open, of_close, of_enable, of_disable, of_read, of_open,
	};
	const int16_t *row = of[op < KVM_PV_PERF_OP_MAX ? op : 0];

	if (!result)
		return row != unknown;
	for (; *row; row++)
		if (result == -*row)
			return true;
	return false;
}

static void check_open_refused(const struct fuzz_vcpu *vcpu, int64_t result)
{
	const struct call *call = &vcpu->call;

	if (!is_exact(vcpu))
		return;
	if (result == -PV_EEXIST && !in_doubt(vcpu, call->id) && !find(vcpu, call->id))
		fuzz_violation("OPEN of id %d says that it is open", call->id);
	if (result == -PV_ENOENT && call->group < 0 && call->plain)
		fuzz_violation("OPEN of id %d, of an event that there is and for no group, finds none", call->id);
	if (result == -PV_ENOSPC && call->group < 0 && !model.doubts && model_open(call->agent) < machine.vm->config.max_events)
		fuzz_violation("OPEN says that one more is too many; open: %u, of %u", model_open(call->agent),
			       machine.vm->config.max_events);
}

static void check_found(const struct fuzz_vcpu *vcpu, uint64_t op, uint64_t rcx, int64_t result)
{
	int32_t id = (int32_t)(uint32_t)rcx;
	bool valid = rcx <= UINT32_MAX || rcx == (uint64_t)(int64_t)id;
	bool open = valid && find(vcpu, id);

	if (!in_doubt(vcpu, id) && open != (result != -PV_ENOENT))
		fuzz_violation("%s gets %lld for id %#llx, which is %sopen", vcpu->thread.name, (ll)result,
			       (unsigned long long)rcx, open ? "" : "not ");
	if (result == -PV_EFAULT && !memory_failed(vcpu))
		fuzz_violation("%s gets -EFAULT, and nothing failed", vcpu->thread.name);
	if (!result && op == KVM_PV_PERF_OP_READ && !in_doubt(vcpu, id) && memory_failed(vcpu) && machine.vm->sync->at_entry)
		fuzz_violation("READ of id %#llx says 0, and the count did not reach the guest", (unsigned long long)rcx);
}

static void perf_op_end(struct fuzz_vcpu *vcpu, uint64_t op, uint64_t rcx, int64_t result)
{
	int32_t id = (int32_t)(uint32_t)rcx;

	if (!documented(op, result))
		fuzz_violation("operation %lld returns %lld", (ll)op, (ll)result);
	if (op == KVM_PV_PERF_OP_OPEN || op == KVM_PV_PERF_OP_OPEN2) {
		if (result)
			check_open_refused(vcpu, result);
		else
			opened(vcpu);
	} else if (op && op < KVM_PV_PERF_OP_MAX) {
		check_found(vcpu, op, rcx, result);
		follow(vcpu, op, id, result);
		if (!result && op == KVM_PV_PERF_OP_CLOSE)
			closed(vcpu, id);
		else if (!result && op != KVM_PV_PERF_OP_ENABLE)
			check_count(vcpu, id);
	}
}

void model_call_end(struct fuzz_vcpu *vcpu, int64_t result)
{
	const uint64_t *arg = vcpu->run->arg;

	if (vcpu->cpl ? result != -KVM_EPERM : result == -KVM_EPERM)
		fuzz_violation("a hypercall at CPL %u returns %lld", vcpu->cpl, (ll)result);
	if (!vcpu->cpl && arg[0] == KVM_PERF_OP && machine.vm->config.pv_perf)
		perf_op_end(vcpu, arg[1], arg[2], result);
	else if (!vcpu->cpl && result && result != -KVM_ENOSYS && result != -PV_EINVAL)
		fuzz_violation("hypercall %#llx returns %lld", (unsigned long long)arg[0], (ll)result);
	vcpu->call.active = false;
}
