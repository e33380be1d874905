/* SPDX-License-Identifier: GPL-2.0-only */
/* What OPEN accepts: every row of the attr's errors. */
#include <stdio.h>
#include <string.h>

#include "../core_test.h"

#define BIT(n) (1ull << (n))

struct row {
	struct kvm_pv_perf_attr attr;
	int error;
};

static const struct row rows[] = {
	/* countable */
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_CPU_CYCLES }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_BRANCH_INSTRUCTIONS }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_BUS_CYCLES }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_REF_CPU_CYCLES }, 0 },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_CPU_CLOCK }, 0 },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_TASK_CLOCK }, 0 },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_DUMMY }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_CPU_CYCLES }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_REF_CPU_CYCLES }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_INSTRUCTIONS }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_BRANCH_INSTRUCTIONS }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_CACHE_REFERENCES }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_CACHE_MISSES }, 0 },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_BRANCH_MISSES }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_CACHE_REFERENCES }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_CACHE_MISSES }, 0 },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_BRANCH_MISSES }, 0 },
	{ { .type = PV_TYPE_HW_CACHE, .config = PV_CACHE_L1D_LOADS }, 0 },
	{ { .type = PV_TYPE_HW_CACHE, .config = PV_CACHE_L1D_LOAD_MISSES }, 0 },
	{ { .type = PV_TYPE_HW_CACHE, .config = PV_CACHE_L1D_STORES }, 0 },
	/* known, but not countable */
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_STALLED_FRONTEND }, -PV_ENOENT },
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_STALLED_BACKEND }, -PV_ENOENT },
	{ { .type = PV_TYPE_SOFTWARE, .config = 2 }, -PV_ENOENT },
	{ { .type = PV_TYPE_SOFTWARE, .config = 11 }, -PV_ENOENT },
	{ { .type = PV_TYPE_TRACEPOINT, .config = 1 }, -PV_ENOENT },
	{ { .type = PV_TYPE_HW_CACHE, .config = 0x10100 }, -PV_ENOENT },
	{ { .type = PV_TYPE_HW_CACHE, .config = 0x00001 }, -PV_ENOENT },
	{ { .type = PV_TYPE_HW_CACHE, .config = 0x10206 }, -PV_ENOENT },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_BRANCH_MISSES | 0x100 }, -PV_ENOENT },
	{ { .type = PV_TYPE_RAW, .config = PV_RAW_INSTRUCTIONS | 1ull << 32 }, -PV_ENOENT },
	{ { .type = 6 }, -PV_ENOENT },
	{ { .type = UINT32_MAX }, -PV_ENOENT },
	/* malformed */
	{ { .type = PV_TYPE_HARDWARE, .config = PV_HW_MAX }, -PV_EINVAL },
	{ { .type = PV_TYPE_HARDWARE, .config = BIT(32) | 1 }, -PV_EINVAL },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_MAX }, -PV_EINVAL },
	{ { .type = PV_TYPE_HW_CACHE, .config = 7 }, -PV_EINVAL },
	{ { .type = PV_TYPE_HW_CACHE, .config = 0x300 }, -PV_EINVAL },
	{ { .type = PV_TYPE_HW_CACHE, .config = 0x20000 }, -PV_EINVAL },
	{ { .type = PV_TYPE_HW_CACHE, .config = BIT(24) }, -PV_EINVAL },
	{ { .type = PV_TYPE_HW_CACHE, .config = BIT(63) }, -PV_EINVAL },
	{ { .config = 1, .bp_type = 1 }, -PV_EINVAL },
	{ { .config = 1, .bp_addr = 1 }, -PV_EINVAL },
	{ { .config = 1, .bp_len = 1 }, -PV_EINVAL },
	{ { .config = 1, .sample_period = 1 }, 0 },
	{ { .config = 1, .sample_period = INT64_MAX }, 0 },
	{ { .config = 1, .sample_period = BIT(63) }, -PV_EINVAL },
	{ { .config = 1, .sample_period = UINT64_MAX }, -PV_EINVAL },
	{ { .config = 1, .sample_period = 1, .flags = BIT(KVM_PV_PERF_FREQ) }, 0 },
	{ { .config = 1, .sample_period = 1000000, .flags = BIT(KVM_PV_PERF_FREQ) }, 0 },
	{ { .config = 1, .sample_period = 1000001, .flags = BIT(KVM_PV_PERF_FREQ) }, -PV_EINVAL },
	{ { .config = 1, .flags = BIT(KVM_PV_PERF_FREQ) }, -PV_EINVAL },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_CPU_CLOCK, .sample_period = 1 }, 0 },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_CPU_CLOCK, .sample_period = 1,
	    .flags = BIT(KVM_PV_PERF_EXCLUDE_USER) }, -PV_EOPNOTSUPP },
	{ { .type = PV_TYPE_SOFTWARE, .config = PV_SW_TASK_CLOCK, .sample_period = 1,
	    .flags = BIT(KVM_PV_PERF_EXCLUDE_KERNEL) }, -PV_EOPNOTSUPP },
	/* several at once: malformed, then not known, then not supported */
	{ { .type = 6, .flags = BIT(63), .sample_period = 1 }, -PV_EINVAL },
	{ { .type = 6, .flags = BIT(KVM_PV_PERF_INHERIT), .sample_period = 1 }, -PV_ENOENT },
	/* padding is the guest compiler's */
	{ { .config = 1, .pad0 = 1, .pad1 = 1 }, 0 },
};

static void check_attr(const struct kvm_pv_perf_attr *attr, int error)
{
	struct event_source source;
	int ret = attr_validate(attr, &source);

	if (ret != error)
		fprintf(stderr, "type %u config %#llx flags %#llx\n", attr->type,
			(unsigned long long)attr->config, (unsigned long long)attr->flags);
	CHECK_EQ(ret, error);
}

static void attr_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_attr(&rows[i].attr, rows[i].error);
}

/* Every bit of the three bit sets, alone. */
static void attr_bits(void)
{
	const uint64_t flags_ok = BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(10);
	const uint64_t sample_ok = 0x107ff;

	for (int bit = 0; bit < 64; bit++) {
		struct kvm_pv_perf_attr attr = { .config = 1, .flags = BIT(bit), .sample_period = 1 };

		check_attr(&attr, bit >= KVM_PV_PERF_FLAGS_KNOWN ? -PV_EINVAL :
			   flags_ok & BIT(bit) ? 0 : -PV_EOPNOTSUPP);
		attr = (struct kvm_pv_perf_attr){ .config = 1, .sample_type = BIT(bit) };
		check_attr(&attr, bit >= 25 ? -PV_EINVAL : sample_ok & BIT(bit) ? 0 : -PV_EOPNOTSUPP);
		attr = (struct kvm_pv_perf_attr){ .config = 1, .read_format = BIT(bit) };
		check_attr(&attr, bit >= 5 ? -PV_EINVAL : -PV_EOPNOTSUPP);
	}
}

static void attr_levels(void)
{
	struct kvm_pv_perf_attr attr = { .config = PV_HW_BUS_CYCLES };
	struct event_source source;

	attr.config = PV_HW_BUS_CYCLES;
	attr.flags = BIT(KVM_PV_PERF_EXCLUDE_KERNEL);
	CHECK_EQ(attr_validate(&attr, &source), 0);
	CHECK(source.user && !source.kernel);
	CHECK_EQ(source.divisor, 25);
	CHECK_EQ(source.counter, PV_COUNT_CYCLES);
	attr.flags = BIT(KVM_PV_PERF_EXCLUDE_USER) | BIT(KVM_PV_PERF_EXCLUDE_HV);
	CHECK_EQ(attr_validate(&attr, &source), 0);
	CHECK(!source.user && source.kernel);
}

/* Every type with every length and alignment. */
static void attr_breakpoints(void)
{
	for (uint32_t type = 0; type < 16; type++) {
		for (uint64_t length = 0; length <= 17; length++) {
			for (uint64_t address = 0x1000; address < 0x1010; address++) {
				struct kvm_pv_perf_attr attr = { .type = PV_TYPE_BREAKPOINT, .bp_type = type,
								 .bp_addr = address, .bp_len = length };
				bool data = type >= 1 && type <= 3 && length && !(8 % length) && !(address % length);
				bool code = type == PV_BP_X && (length == 1 || length == 8);

				check_attr(&attr, data || code ? 0 : -PV_EINVAL);
				attr.config = 1;
				check_attr(&attr, -PV_EINVAL);
			}
		}
	}
}

static void attr_breakpoint_source(void)
{
	struct kvm_pv_perf_attr attr = { .type = PV_TYPE_BREAKPOINT, .bp_type = PV_BP_W,
					 .bp_addr = 0xffffffff80001000, .bp_len = 4,
					 .flags = BIT(KVM_PV_PERF_EXCLUDE_USER) };
	struct event_source source;

	CHECK_EQ(attr_validate(&attr, &source), 0);
	CHECK_EQ(source.kind, SOURCE_BREAKPOINT);
	CHECK_EQ(source.breakpoint.address, 0xffffffff80001000);
	CHECK_EQ(source.breakpoint.length, 4);
	CHECK_EQ(source.breakpoint.type, PV_BP_W);
	CHECK(source.kernel && !source.user);
	attr.bp_addr |= 1ull << 32 | 1;
	CHECK_EQ(attr_validate(&attr, &source), -PV_EINVAL);
	attr.bp_addr--;
	attr.bp_len |= 1ull << 32;
	CHECK_EQ(attr_validate(&attr, &source), -PV_EINVAL);
}

const struct named_test attr_tests[] = {
	{ "attr_rows", attr_rows, false },
	{ "attr_bits", attr_bits, false },
	{ "attr_levels", attr_levels, false },
	{ "attr_breakpoints", attr_breakpoints, false },
	{ "attr_breakpoint_source", attr_breakpoint_source, false },
	{ NULL, NULL, false },
};
