/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz/record.h"

#include <string.h>

#include "abi/agent.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

bool record_parse(const uint8_t *data, size_t size, struct fuzz_input *ret)
{
	size_t left;

	if (size < sizeof(ret->header))
		return false;
	memcpy(&ret->header, data, sizeof(ret->header));
	left = (size - sizeof(ret->header)) / sizeof(struct fuzz_record);
	ret->records = left < FUZZ_RECORDS ? (uint32_t)left : FUZZ_RECORDS;
	if (ret->records)
		memcpy(ret->record, data + sizeof(ret->header), ret->records * sizeof(struct fuzz_record));
	return true;
}

void header_config(const struct fuzz_header *header, struct pv_vm_config *ret)
{
	static const char *const designs[] = { "per-vm", "per-vcpu" };
	static const char *const nmi[] = { "trylock", "deferred", "lockless" };
	static const char *const sync[] = { "entry", "every-exit" };
	uint8_t features = header->features;

	*ret = (struct pv_vm_config){
		.vcpus = 1 + header->vcpus % FUZZ_VCPUS, .max_events = 1 + header->max_events % 6,
		.counters = 1 + header->counters % 4, .hash_buckets = 1 + header->buckets % 3,
		.console_bytes = 8, .pv_perf = !(features & FUZZ_SWITCHED_OFF), .poisson = !!(features & FUZZ_POISSON),
		.max_sample_rate = features & FUZZ_THROTTLED ? 200 : 0, .seed = header->trylock,
		.fault_permille = { header->trylock % 9 * 125u, header->guest_write % 9 * 125u },
		.design = fuzz_design ? fuzz_design : designs[header->policies % 2],
		.nmi = nmi[header->policies / 2 % 3], .sync = sync[header->policies / 6 % 2],
		.ram_size = FUZZ_RAM, .guest_ram_size = FUZZ_GUEST_RAM, .boot = { .rip = 0x1000 },
	};
	if (features & FUZZ_AGENT)
		ret->agent_start.rip = ret->agent_finish.rip = FUZZ_GUEST_RAM;
}

static const struct op_name {
	const char *name;
	bool of_vcpu;
} names[FUZZ_OPS] = {
	[FUZZ_OPEN] = { "OPEN", true }, [FUZZ_OPEN2] = { "OPEN2", true }, [FUZZ_CLOSE] = { "CLOSE", true },
	[FUZZ_ENABLE] = { "ENABLE", true }, [FUZZ_DISABLE] = { "DISABLE", true }, [FUZZ_READ] = { "READ", true },
	[FUZZ_HYPERCALL] = { "HYPERCALL", true }, [FUZZ_KICK] = { "KICK", true },
	[FUZZ_AGENT_DONE] = { "AGENT_DONE", true }, [FUZZ_OUT] = { "OUT", true }, [FUZZ_HLT] = { "HLT", true },
	[FUZZ_EXIT] = { "EXIT", true }, [FUZZ_RUN] = { "RUN", true }, [FUZZ_CPL] = { "CPL", true },
	[FUZZ_POKE] = { "POKE", false }, [FUZZ_PATCH] = { "PATCH", false }, [FUZZ_TAKE] = { "TAKE", false },
	[FUZZ_TIMER] = { "TIMER", false }, [FUZZ_FAIL_MEMORY] = { "FAIL_MEMORY", false },
	[FUZZ_FAIL_ALLOC] = { "FAIL_ALLOC", false }, [FUZZ_TIMES] = { "TIMES", false },
	[FUZZ_FINISH] = { "FINISH", false }, [FUZZ_AT] = { "AT", false },
};

enum fuzz_op record_op(const struct fuzz_record *record)
{
	return (enum fuzz_op)(record->op % FUZZ_OPS);
}

const char *record_name(const struct fuzz_record *record)
{
	return names[record_op(record)].name;
}

bool record_of_vcpu(const struct fuzz_record *record)
{
	return names[record_op(record)].of_vcpu;
}

uint64_t code_id(uint8_t code)
{
	static const uint64_t odd[] = {
		PV_AGENT_FIRST_ID, INT32_MAX, 0x80000000, UINT32_MAX, UINT64_MAX, 1ull << 32, 0xffffffff80000000, 1ull << 63,
	};

	return code % 16 < 8 ? code % 8 : odd[code % 8];
}

gpa_t code_gpa(uint8_t code)
{
	static const uint64_t odd[] = { 1ull << 63, 1ull << 32, UINT32_MAX, FUZZ_RAM, FUZZ_GUEST_RAM, 0x7ffffffffffff000 };
	uint64_t n = code & 31;

	switch (code >> 5) {
	case 0:
	case 1:
		return FUZZ_EVENTS + n * 16;
	case 2:
		return FUZZ_EVENTS + n * 8;
	case 3:
		return FUZZ_EVENTS + n;
	case 4:
		return FUZZ_GUEST_RAM - n * 4;
	case 5:
		return n & 1 ? FUZZ_RAM - n * 4 : n * 16; /* the end of all RAM; or on the parameter blocks */
	case 6:
		return 0 - n * 4;
	default:
		return odd[n % COUNT_OF(odd)];
	}
}

uint64_t code_period(uint8_t code)
{
	return code ? (1ull + (code >> 5)) << (code & 31) : 0;
}

uint64_t record_value(const struct fuzz_record *record)
{
	uint64_t value = (uint64_t)(record->e | record->f << 8) << (record->d & 63);

	return record->d & 64 ? 0 - value : value;
}

uint64_t code_hypercall(uint8_t code)
{
	static const uint64_t numbers[] = {
		KVM_PERF_OP, KVM_HC_KICK_CPU, PV_HC_AGENT_DONE, PV_HC_AGENT_IRET, 0, 1, UINT64_MAX, KVM_PERF_OP | 1ull << 32,
	};

	return numbers[code % COUNT_OF(numbers)];
}

uint64_t code_port(uint8_t code)
{
	static const uint64_t ports[] = { PV_PORT_CONSOLE, 0x80, UINT64_MAX, PV_PORT_EXIT };

	return ports[code % COUNT_OF(ports)];
}

#define BREAKPOINT(type_, address_, length_) \
	{ .type = PV_TYPE_BREAKPOINT, .bp_type = type_, .bp_addr = address_, .bp_len = length_ }

/* What can be counted, each kind once, and what is refused, for each reason. */
static const struct kvm_pv_perf_attr attrs[] = {
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS },
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_CPU_CYCLES },
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_BUS_CYCLES },
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_CACHE_MISSES },
	{ .type = PV_TYPE_RAW, .config = PV_RAW_BRANCH_INSTRUCTIONS },
	{ .type = PV_TYPE_HW_CACHE, .config = PV_CACHE_L1D_STORES },
	{ .type = PV_TYPE_SOFTWARE, .config = PV_SW_CPU_CLOCK },
	{ .type = PV_TYPE_SOFTWARE, .config = PV_SW_TASK_CLOCK },
	{ .type = PV_TYPE_SOFTWARE, .config = PV_SW_DUMMY },
	BREAKPOINT(PV_BP_W, FUZZ_EVENTS, 8),
	BREAKPOINT(PV_BP_X, 1, 1),
	BREAKPOINT(PV_BP_R | PV_BP_W, UINT64_MAX - 7, 8),
	BREAKPOINT(PV_BP_W, 3, 2),
	BREAKPOINT(PV_BP_X | PV_BP_W, 0, 3),
	{ .type = PV_TYPE_BREAKPOINT, .config = 1, .bp_type = PV_BP_R, .bp_len = 1 },
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_STALLED_BACKEND },
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_MAX },
	{ .type = PV_TYPE_TRACEPOINT, .config = 1 },
	{ .type = UINT32_MAX, .config = UINT64_MAX },
	{ .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS, .bp_len = 1 },
};

bool code_plain_attr(uint8_t code)
{
	return code % COUNT_OF(attrs) == 0;
}

static uint64_t flags_of(uint8_t bits)
{
	static const uint8_t flags[] = {
		KVM_PV_PERF_EXCLUDE_USER, KVM_PV_PERF_EXCLUDE_KERNEL, KVM_PV_PERF_FREQ, KVM_PV_PERF_DISABLED,
		KVM_PV_PERF_EXCLUDE_HV, KVM_PV_PERF_INHERIT, KVM_PV_PERF_ENABLE_ON_EXEC, KVM_PV_PERF_FLAGS_KNOWN,
	};
	uint64_t ret = 0;

	for (unsigned i = 0; i < COUNT_OF(flags); i++)
		ret |= (uint64_t)(bits >> i & 1) << flags[i];
	return ret;
}

void record_attr(const struct fuzz_record *record, struct kvm_pv_perf_attr *ret)
{
	bool second = record_op(record) == FUZZ_OPEN2;

	*ret = attrs[record->b % COUNT_OF(attrs)];
	ret->sample_period = code_period(record->e);
	ret->flags = flags_of(second ? record->d & 7 : record->d);
	if (second)
		ret->read_format = record->f & 15;
	else
		ret->sample_type = (record->f >> 5) * 0x2001ull; /* some that are the guest's, some that are nobody's */
}

int32_t code_group(uint8_t code)
{
	return code >> 4 < 8 ? code >> 4 : code >> 4 == 15 ? -2 : -1;
}

#define PARAM(field_) { "param." #field_, offsetof(struct kvm_pv_perf_event_param2, field_), \
			sizeof(((struct kvm_pv_perf_event_param2 *)NULL)->field_), false }
#define ATTR(field_) { "attr." #field_, FUZZ_ATTR + offsetof(struct kvm_pv_perf_attr, field_), \
		       sizeof(((struct kvm_pv_perf_attr *)NULL)->field_), false }

static const struct fuzz_field fields[] = {
	{ "param.attr_addr", offsetof(struct kvm_pv_perf_event_param, attr_addr), 8, true },
	{ "param.guest_event_addr", offsetof(struct kvm_pv_perf_event_param, guest_event_addr), 8, true },
	{ "param.id (version 1)", offsetof(struct kvm_pv_perf_event_param, id), 4, false },
	PARAM(guest_event_bytes), PARAM(id), PARAM(group), PARAM(reserved),
	ATTR(type), ATTR(config), ATTR(sample_period), ATTR(sample_type), ATTR(read_format), ATTR(flags),
	ATTR(bp_type), ATTR(bp_addr), ATTR(bp_len),
};

const struct fuzz_field *code_field(uint8_t code)
{
	return &fields[code % COUNT_OF(fields)];
}
