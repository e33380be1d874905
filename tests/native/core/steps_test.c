/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many steps of the core an operation takes, by the number of events: blocks of code, which the compiler counts
 * (-fsanitize-coverage=trace-pc). Prints a line for each operation: its kind of events, how many there are, its name, and
 * the steps of all calls, of the longest one, and the number of calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_test.h"
#include "abi/quiet.h"

enum { PARAM = 0x1000, ATTR = 0x1040, WORD = 0x4000, FIRST = 0x1000, EXITS = 200, NEVER = 60 };

void __sanitizer_cov_trace_pc(void);

static uint64_t steps;
static struct fake_vm fake;

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

void test_point(const char *tag)
{
	(void)tag;
}

void check_failed(const char *file, int line, const char *what, long long a, long long b)
{
	fprintf(stderr, "%s:%d: %s: %lld, %lld\n", file, line, what, a, b);
	exit(1);
}

/* What is opened, `n` of it. */
struct kind {
	const char *name;
	uint32_t type;
	uint64_t config, period;
	bool group;      /* all in one; the leader is the first */
	uint32_t stride; /* from id to id */
	uint32_t max_sample_rate;
};

static const struct kind kinds[] = {
	{ "software", PV_TYPE_SOFTWARE, PV_SW_DUMMY, 0, false, 1, 0 },
	{ "hardware", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, false, 1, 0 },
	{ "far ids", PV_TYPE_SOFTWARE, PV_SW_DUMMY, 0, false, 1 << 10, 0 },
	{ "farther ids", PV_TYPE_SOFTWARE, PV_SW_DUMMY, 0, false, 1 << 14, 0 },
	{ "sampled", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1ull << NEVER, false, 1, 0 },
	{ "clock", PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 1ull << NEVER, false, 1, 0 },
	{ "task clock", PV_TYPE_SOFTWARE, PV_SW_TASK_CLOCK, 1ull << NEVER, false, 1, 0 },
	{ "busy clock", PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 1000, false, 1, 1000 },
	{ "group", PV_TYPE_SOFTWARE, PV_SW_DUMMY, 0, true, 1, 0 },
};

/* The steps of some calls. */
struct sum {
	uint64_t all, most, calls;
};

static uint64_t begun;

static void begin(void)
{
	begun = steps;
}

static void end(struct sum *sum)
{
	uint64_t took = steps - begun;

	sum->all += took;
	sum->most = took > sum->most ? took : sum->most;
	sum->calls++;
}

static void tell(const struct kind *kind, uint32_t n, const char *op, const struct sum *sum)
{
	printf("%s,%u,%s,%llu,%llu,%llu\n", kind->name, n, op, (unsigned long long)sum->all,
	       (unsigned long long)sum->most, (unsigned long long)sum->calls);
}

static void put(const struct kind *kind, uint32_t i)
{
	struct kvm_pv_perf_event_param2 param = { .attr_addr = ATTR, .guest_event_addr = WORD, .guest_event_bytes = 24,
						  .id = (int32_t)(FIRST + i * kind->stride),
						  .group = kind->group && i ? FIRST : -1 };
	struct kvm_pv_perf_attr attr = { .type = kind->type, .config = kind->config, .sample_period = kind->period };

	memcpy(fake_ram(&fake, PARAM), &param, sizeof(param));
	memcpy(fake_ram(&fake, ATTR), &attr, sizeof(attr));
}

/* One hypercall, with its entry: out of guest mode, and back. */
static void call(uint64_t op, uint64_t arg, struct sum *sum)
{
	begin();
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, op, arg, 0), 0);
	direct_enter(&fake, 0);
	end(sum);
	direct_run(&fake, 0, 0, 10);
	fake.now_ns += 100;
}

static void operate(const struct kind *kind, uint32_t n, const char *name, uint64_t op, bool backwards)
{
	bool of_group = op == KVM_PV_PERF_OP_ENABLE || op == KVM_PV_PERF_OP_DISABLE;
	struct sum sum = { 0 };

	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = backwards ? n - 1 - k : k;

		if (op == KVM_PV_PERF_OP_OPEN2)
			put(kind, i);
		if (!kind->group || !i || !of_group)
			call(op, op == KVM_PV_PERF_OP_OPEN2 ? PARAM : FIRST + (uint64_t)i * kind->stride, &sum);
	}
	if (kind->group && of_group) /* it does each member, in one call */
		sum = (struct sum){ .all = sum.all, .calls = n };
	tell(kind, n, name, &sum);
}

static void ask_quiet(void)
{
	direct_hypercall(&fake, 0, PV_HC_QUIET, 0, 0, 0);
}

static void kick(void)
{
	direct_exit(&fake, 0, PV_EXIT_KICK);
}

static void rotate(void)
{
	pv_u32_store(&fake.vm->vcpus[0].rotation_due, 1);
	kick();
}

/* It has been kicked, and goes on; its time stops and starts. */
static void halt(void)
{
	halt_kick(&fake.vm->vcpus[0]);
	direct_exit(&fake, 0, PV_EXIT_HLT);
}

static void run_timer(void)
{
	clock_events_run(fake.vm);
}

/* An exit of a kind, with the entry behind it where it leaves guest mode. */
static void repeat(const struct kind *kind, uint32_t n, const char *name, void (*what)(void))
{
	struct sum sum = { 0 };

	for (int i = 0; i < EXITS; i++) {
		fake.now_ns += 10000;
		begin();
		what();
		if (what != run_timer)
			direct_enter(&fake, 0);
		end(&sum);
	}
	tell(kind, n, name, &sum);
}

static void play(const struct kind *kind, uint32_t n)
{
	fake_vm_init(&fake, 1);
	fake.now_ns = 1000000000;
	fake.config.max_events = n;
	fake.config.max_sample_rate = kind->max_sample_rate;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	direct_enter(&fake, 0);
	for (int backwards = 0; backwards < 2; backwards++) {
		operate(kind, n, "OPEN2", KVM_PV_PERF_OP_OPEN2, false);
		operate(kind, n, "ENABLE", KVM_PV_PERF_OP_ENABLE, false);
		operate(kind, n, "READ", KVM_PV_PERF_OP_READ, false);
		repeat(kind, n, "exit", kick);
		repeat(kind, n, "rotation", rotate);
		repeat(kind, n, "HLT", halt);
		repeat(kind, n, "timer", run_timer);
		repeat(kind, n, "quiet", ask_quiet);
		operate(kind, n, "DISABLE", KVM_PV_PERF_OP_DISABLE, backwards);
		operate(kind, n, backwards ? "CLOSE last first" : "CLOSE", KVM_PV_PERF_OP_CLOSE, backwards);
	}
	fake_vm_destroy(&fake);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			play(&kinds[k], (uint32_t)atoi(argv[i]));
	return 0;
}
