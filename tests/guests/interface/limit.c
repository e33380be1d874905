/* SPDX-License-Identifier: GPL-2.0-only */
/* The limit on open events is exact, also when all vCPUs open and close at once. */
#include "guest.h"

enum { IDS_PER_VCPU = 1000000, DUPLICATE_ID = 1 };

struct opener {
	uint32_t opened;
	uint32_t other_errors; /* results that are neither 0 nor -ENOSPC */
};

static uint32_t limit, rounds;
static struct kvm_pv_perf_event *events; /* one per id and vCPU that can be open */
static struct opener openers[GUEST_MAX_VCPUS];
static uint32_t open_now, most_open; /* never more than are open */
static struct barrier all_full;

static int32_t id_of(unsigned vcpu, uint32_t k)
{
	return (int32_t)(vcpu + 1) * IDS_PER_VCPU + (int32_t)k;
}

static int64_t open_id(int32_t id, uint32_t k)
{
	static const struct kvm_pv_perf_attr attr = { .type = PV_TYPE_SOFTWARE, .config = PV_SW_DUMMY };
	struct kvm_pv_perf_event_param param = {
		.attr_addr = (gpa_t)&attr,
		.guest_event_addr = (gpa_t)&events[k],
		.id = id,
	};

	return perf_open((gpa_t)&param);
}

static void note_open(void)
{
	uint32_t now = atomic_fetch_add(&open_now, 1u) + 1, most = atomic_load(&most_open);

	while (now > most && !atomic_compare_exchange(&most_open, &most, now))
		;
}

/* Opens until there is no room. */
static void fill(struct opener *self)
{
	int64_t ret = 0;

	while (self->opened <= limit) {
		ret = open_id(id_of(cpu_index(), self->opened), self->opened);
		if (ret)
			break;
		note_open();
		self->opened++;
	}
	self->other_errors += ret != -PV_ENOSPC;
}

/* The newest first. It is no longer counted before it is closed. */
static void close_down_to(struct opener *self, uint32_t keep)
{
	while (self->opened > keep) {
		self->opened--;
		atomic_fetch_add(&open_now, (uint32_t)-1);
		self->other_errors += perf_op(KVM_PV_PERF_OP_CLOSE, id_of(cpu_index(), self->opened)) != 0;
	}
}

static void fill_once(void *arg)
{
	(void)arg;
	fill(&openers[cpu_index()]);
}

/* All give up half of what they have and fight for the room again. */
static void churn(void *arg)
{
	struct opener *self = &openers[cpu_index()];

	(void)arg;
	for (uint32_t i = 0; i < rounds; i++) {
		barrier_wait(&all_full, cpu_count());
		close_down_to(self, self->opened / 2);
		fill(self);
	}
}

static void close_all(void *arg)
{
	(void)arg;
	close_down_to(&openers[cpu_index()], 0);
}

static void check(const char *when, uint32_t expected)
{
	uint32_t opened = 0, errors = 0;

	for (unsigned i = 0; i < cpu_count(); i++) {
		opened += openers[i].opened;
		errors += openers[i].other_errors;
	}
	report(opened == expected && !errors, "%s: %u open of %u, %u other errors", when, opened, expected, errors);
	report(most_open <= limit, "%s: never more than %u open at once", when, most_open);
}

static void open_duplicates(void *arg)
{
	uint32_t *wrong = arg;

	for (uint32_t i = 0; i < 5000 / cpu_count() + 1; i++)
		if (open_id(DUPLICATE_ID, limit) != -PV_EEXIST)
			atomic_fetch_add(wrong, 1u);
}

int guest_main(void)
{
	struct kvm_pmu_capabilities capabilities;
	uint32_t wrong = 0;

	option_only("rounds", NULL);
	rounds = (uint32_t)option_number("rounds", 20);
	if (!kvm_pmu_discover(&capabilities)) {
		report_skip("no paravirtual perf");
		return report_summary();
	}
	limit = capabilities.max_events;
	events = memory_need(sizeof(*events) * (limit + 2), 16);
	smp_run_all(fill_once, NULL);
	check("filled", limit);
	smp_run_all(churn, NULL);
	check("after closing and opening", limit);
	smp_run_all(close_all, NULL);
	check("all closed", 0);
	report(open_id(DUPLICATE_ID, limit) == 0, "open id %d", DUPLICATE_ID);
	smp_run_all(open_duplicates, &wrong);
	report(!wrong, "5000 opens of it again: %u did not give EEXIST", wrong);
	smp_run_all(fill_once, NULL);
	check("beside it", limit - 1);
	report(perf_op(KVM_PV_PERF_OP_CLOSE, DUPLICATE_ID) == 0, "close it");
	smp_run_all(close_all, NULL);
	smp_run_all(fill_once, NULL);
	check("filled again", limit);
	smp_run_all(close_all, NULL);
	check("closed again", 0);
	return report_summary();
}
