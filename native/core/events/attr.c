/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/attr.h"

#include <stddef.h>

#define BIT(n) (1ull << (n))

/* Linux's numbers, uapi/linux/perf_event.h. */
enum {
	SAMPLE_BITS = 25,
	READ_FORMAT_BITS = 5,
	CACHE_IDS = 7,
	CACHE_OPS = 3,
	CACHE_RESULTS = 2,
	MOST_FREQUENT = 1000000, /* overflows a second that a guest may ask for */
};

/* sample_type: IP TID TIME ADDR READ CALLCHAIN ID CPU PERIOD STREAM_ID RAW (0 to 10) and
 * IDENTIFIER (16), which the guest's own handler records without the host. */
static const uint64_t sample_by_guest = (BIT(11) - 1) | BIT(16);

/* Events start disabled whatever `disabled` says, and the host is never counted. */
static const uint64_t flags_supported = BIT(KVM_PV_PERF_DISABLED) | BIT(KVM_PV_PERF_FREQ) | BIT(KVM_PV_PERF_EXCLUDE_USER) |
					BIT(KVM_PV_PERF_EXCLUDE_KERNEL) |
					BIT(KVM_PV_PERF_EXCLUDE_HV);

static bool cache_config_ok(uint64_t config)
{
	return (config & 0xff) < CACHE_IDS && (config >> 8 & 0xff) < CACHE_OPS &&
	       (config >> 16) < CACHE_RESULTS;
}

/* As Linux has it on x86-64, but that R alone is possible. The length of X is sizeof(long), or 1, and means nothing. */
static bool breakpoint_ok(const struct kvm_pv_perf_attr *attr)
{
	enum { LENGTH_OF_X = 8 };

	if (attr->config)
		return false;
	if (attr->bp_type == PV_BP_X)
		return attr->bp_len == 1 || attr->bp_len == LENGTH_OF_X;
	return attr->bp_type && !(attr->bp_type & ~(uint32_t)(PV_BP_R | PV_BP_W)) &&
	       (attr->bp_len == 1 || attr->bp_len == 2 || attr->bp_len == 4 || attr->bp_len == 8) &&
	       !(attr->bp_addr & (attr->bp_len - 1));
}

static bool well_formed(const struct kvm_pv_perf_attr *attr)
{
	if (attr->type == PV_TYPE_HARDWARE && attr->config >= PV_HW_MAX)
		return false;
	if (attr->type == PV_TYPE_SOFTWARE && attr->config >= PV_SW_MAX)
		return false;
	if (attr->type == PV_TYPE_HW_CACHE && !cache_config_ok(attr->config))
		return false;
	if (attr->flags >> KVM_PV_PERF_FLAGS_KNOWN || attr->sample_type >> SAMPLE_BITS ||
	    attr->read_format >> READ_FORMAT_BITS)
		return false;
	if (attr->sample_period >> PV_PERIOD_BITS)
		return false;
	if ((attr->flags & BIT(KVM_PV_PERF_FREQ)) &&
	    (!attr->sample_period || attr->sample_period > MOST_FREQUENT))
		return false;
	if (attr->type == PV_TYPE_BREAKPOINT)
		return breakpoint_ok(attr);
	return !attr->bp_type && !attr->bp_addr && !attr->bp_len;
}

/* One row for each event that can be counted. */
static const struct countable {
	uint32_t type;
	uint32_t config;
	struct event_source source;
} countable[] = {
#define COUNTER(counter_, divisor_) { .kind = SOURCE_COUNTER, .counter = counter_, .divisor = divisor_ }
	{ PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES, COUNTER(PV_COUNT_CYCLES, 1) },
	{ PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, COUNTER(PV_COUNT_INSTRUCTIONS, 1) },
	{ PV_TYPE_HARDWARE, PV_HW_BRANCH_INSTRUCTIONS, COUNTER(PV_COUNT_BRANCHES, 1) },
	{ PV_TYPE_HARDWARE, PV_HW_BUS_CYCLES, COUNTER(PV_COUNT_CYCLES, PV_CYCLES_PER_BUS_CYCLE) },
	{ PV_TYPE_HARDWARE, PV_HW_REF_CPU_CYCLES, COUNTER(PV_COUNT_CYCLES, 1) },
	{ PV_TYPE_RAW, PV_RAW_CPU_CYCLES, COUNTER(PV_COUNT_CYCLES, 1) },
	{ PV_TYPE_RAW, PV_RAW_REF_CPU_CYCLES, COUNTER(PV_COUNT_CYCLES, 1) },
	{ PV_TYPE_RAW, PV_RAW_INSTRUCTIONS, COUNTER(PV_COUNT_INSTRUCTIONS, 1) },
	{ PV_TYPE_RAW, PV_RAW_BRANCH_INSTRUCTIONS, COUNTER(PV_COUNT_BRANCHES, 1) },
	{ PV_TYPE_HARDWARE, PV_HW_CACHE_REFERENCES, COUNTER(PV_COUNT_CACHE_REFERENCES, 1) },
	{ PV_TYPE_HARDWARE, PV_HW_CACHE_MISSES, COUNTER(PV_COUNT_CACHE_MISSES, 1) },
	{ PV_TYPE_HARDWARE, PV_HW_BRANCH_MISSES, COUNTER(PV_COUNT_BRANCH_MISSES, 1) },
	{ PV_TYPE_RAW, PV_RAW_CACHE_REFERENCES, COUNTER(PV_COUNT_CACHE_REFERENCES, 1) },
	{ PV_TYPE_RAW, PV_RAW_CACHE_MISSES, COUNTER(PV_COUNT_CACHE_MISSES, 1) },
	{ PV_TYPE_RAW, PV_RAW_BRANCH_MISSES, COUNTER(PV_COUNT_BRANCH_MISSES, 1) },
	{ PV_TYPE_HW_CACHE, PV_CACHE_L1D_LOADS, COUNTER(PV_COUNT_L1D_LOADS, 1) },
	{ PV_TYPE_HW_CACHE, PV_CACHE_L1D_LOAD_MISSES, COUNTER(PV_COUNT_L1D_LOAD_MISSES, 1) },
	{ PV_TYPE_HW_CACHE, PV_CACHE_L1D_STORES, COUNTER(PV_COUNT_L1D_STORES, 1) },
	{ PV_TYPE_BREAKPOINT, 0, { .kind = SOURCE_BREAKPOINT, .divisor = 1 } },
	{ PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, { .kind = SOURCE_CPU_CLOCK } },
	{ PV_TYPE_SOFTWARE, PV_SW_TASK_CLOCK, { .kind = SOURCE_TASK_CLOCK } },
	{ PV_TYPE_SOFTWARE, PV_SW_DUMMY, { .kind = SOURCE_DUMMY } },
#undef COUNTER
};

static const struct event_source *source_find(uint32_t type, uint64_t config)
{
	for (unsigned i = 0; i < sizeof(countable) / sizeof(countable[0]); i++)
		if (countable[i].type == type && countable[i].config == config)
			return &countable[i].source;
	return NULL;
}

bool source_is_clock(const struct event_source *source)
{
	return source->kind == SOURCE_CPU_CLOCK || source->kind == SOURCE_TASK_CLOCK;
}

bool source_splits_clock(const struct event_source *source)
{
	return source_is_clock(source) && source->kernel != source->user;
}

int attr_validate(const struct kvm_pv_perf_attr *attr, struct event_source *ret)
{
	const struct event_source *source = source_find(attr->type, attr->config);

	if (!well_formed(attr))
		return -PV_EINVAL;
	if (!source)
		return -PV_ENOENT;
	if (attr->flags & ~flags_supported || attr->sample_type & ~sample_by_guest ||
	    attr->read_format)
		return -PV_EOPNOTSUPP;
	*ret = *source;
	if (source->kind == SOURCE_BREAKPOINT)
		ret->breakpoint = (struct pv_breakpoint){
			.address = attr->bp_addr, .length = (uint32_t)attr->bp_len, .type = attr->bp_type,
		};
	ret->kernel = !(attr->flags & BIT(KVM_PV_PERF_EXCLUDE_KERNEL));
	ret->user = !(attr->flags & BIT(KVM_PV_PERF_EXCLUDE_USER));
	if (attr->flags & BIT(KVM_PV_PERF_FREQ))
		ret->frequency = (uint32_t)attr->sample_period;
	else
		ret->period = attr->sample_period;
	return source_splits_clock(ret) && attr->sample_period ? -PV_EOPNOTSUPP : 0;
}
