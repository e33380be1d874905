/* SPDX-License-Identifier: GPL-2.0-only */
/* What `bench hypercall` times: each operation by the time-stamp counter, on all vCPUs at once. */
#include "guest.h"

GUEST_DESCRIPTION("ticks that each operation takes; calls=1000 events=1 same=0 only=life burn=0");

enum {
	OPS = KVM_PV_PERF_OP_MAX,
	BATCHES = 100, /* of `only=read` and `only=nothing`, whose `calls` are a multiple of it */
};

static const char *names[OPS] = {
	[KVM_PV_PERF_OP_OPEN] = "open",
	[KVM_PV_PERF_OP_CLOSE] = "close",
	[KVM_PV_PERF_OP_ENABLE] = "enable",
	[KVM_PV_PERF_OP_DISABLE] = "disable",
	[KVM_PV_PERF_OP_READ] = "read",
};

static uint64_t calls, burn;
static bool same; /* all vCPUs use one event; otherwise each its own */
static bool only_one; /* READ, or a hypercall of which the host knows nothing: a way out and back, and no more */
static uint64_t number = KVM_PERF_OP;
static int64_t expected; /* of that one */
static struct kvm_pv_perf_attr attr;
static struct kvm_pmu_event shared;
static struct barrier start;

static struct {
	uint64_t ticks[OPS];
	int64_t error;
} __attribute__((aligned(64))) result[GUEST_MAX_VCPUS];

/* A made-up regression: this many turns of a loop beside every operation. */
static inline void burn_some(void)
{
	for (uint64_t i = 0; i < burn; i++)
		__asm__ volatile("");
}

static int64_t operate(unsigned op, struct kvm_pmu_event *event)
{
	switch (op) {
	case KVM_PV_PERF_OP_OPEN:
		return kvm_pmu_open(event, &attr);
	case KVM_PV_PERF_OP_CLOSE:
		return kvm_pmu_close(event);
	default:
		return perf_op(op, event->id);
	}
}

static void time_one(unsigned op, struct kvm_pmu_event *event)
{
	unsigned vcpu = cpu_index();
	uint64_t begin = __builtin_ia32_rdtsc();
	int64_t error = operate(op, event);

	burn_some();
	result[vcpu].ticks[op] += __builtin_ia32_rdtsc() - begin;
	if (error)
		result[vcpu].error = error;
}

/* An event's life, over and over: the number of open events stays the same. */
static void time_lives(struct kvm_pmu_event *event)
{
	for (uint64_t i = 0; i < calls; i++) {
		if (!same)
			time_one(KVM_PV_PERF_OP_OPEN, event);
		time_one(KVM_PV_PERF_OP_ENABLE, event);
		time_one(KVM_PV_PERF_OP_READ, event);
		time_one(KVM_PV_PERF_OP_DISABLE, event);
		if (!same)
			time_one(KVM_PV_PERF_OP_CLOSE, event);
	}
}

static void sort(uint64_t *values, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint64_t value = values[i];
		unsigned at = i;

		for (; at && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

/* Nothing between one call and the next. Counts the batch in the middle, as often as there
 * are batches: one that the vCPU was not running in says nothing of a call. */
static void time_one_kind(struct kvm_pmu_event *event)
{
	unsigned vcpu = cpu_index();
	int64_t error = same ? 0 : kvm_pmu_open(event, &attr);
	uint64_t batch[BATCHES];

	error |= kvm_pmu_enable(event);
	for (unsigned k = 0; k < BATCHES; k++) {
		uint64_t begin = __builtin_ia32_rdtsc();

		for (uint64_t i = 0; i < calls; i += BATCHES) {
			error |= hypercall(number, KVM_PV_PERF_OP_READ, (uint32_t)event->id, 0) ^ expected;
			burn_some();
		}
		batch[k] = __builtin_ia32_rdtsc() - begin;
	}
	sort(batch, BATCHES);
	result[vcpu].ticks[KVM_PV_PERF_OP_READ] = batch[BATCHES / 2] * BATCHES;
	if (!same)
		error |= kvm_pmu_close(event);
	result[vcpu].error = error;
}

static void measure(void *arg)
{
	struct kvm_pmu_event own = { 0 }, *event = same ? &shared : &own;

	(void)arg;
	barrier_wait(&start, cpu_count());
	if (only_one)
		time_one_kind(event);
	else
		time_lives(event);
}

/* Events that are open and never used: what a lookup has to find its way through. */
static int64_t open_others(uint64_t n)
{
	struct kvm_pmu_event *others = n ? memory_need(n * sizeof(*others), 64) : NULL;
	int64_t error = 0;

	for (uint64_t i = 0; i < n && !error; i++)
		error = kvm_pmu_open(&others[i], &attr);
	return error;
}

static int print_results(void)
{
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		if (result[vcpu].error) {
			console_printf("ops: vCPU %u: an operation gave %ld\n", vcpu, result[vcpu].error);
			return 1;
		}
		for (unsigned op = 0; op < OPS; op++)
			if (result[vcpu].ticks[op])
				console_printf("vcpu=%u op=%s calls=%lu ticks=%lu\n", vcpu, names[op], calls,
					       result[vcpu].ticks[op]);
	}
	return 0;
}

static bool choose(const char *only)
{
	bool nothing = !strcmp(only, "nothing");

	only_one = nothing || !strcmp(only, "read");
	if (nothing) {
		names[KVM_PV_PERF_OP_READ] = only;
		number = UINT64_MAX;
		expected = -KVM_ENOSYS;
	}
	if (only_one && calls % BATCHES)
		console_printf("ops: with only=%s, calls must be a multiple of %d\n", only, BATCHES);
	return !only_one || !(calls % BATCHES);
}

int guest_main(void)
{
	uint64_t events = option_number("events", 1);
	int64_t error;

	option_only("calls", "events", "same", "only", "burn", NULL);
	calls = option_number("calls", 1000);
	burn = option_number("burn", 0);
	same = option_number("same", 0) != 0;
	if (!choose(option_text("only", "life")))
		return STATUS_USAGE;
	attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	error = open_others(events ? events - 1 : 0);
	if (!error)
		error = kvm_pmu_open(&shared, &attr);
	if (!error && !same)
		error = kvm_pmu_close(&shared);
	if (error) {
		console_printf("ops: %lu events cannot be opened: %ld\n", events, error);
		return 1;
	}
	smp_run_all(measure, NULL);
	return print_results();
}
