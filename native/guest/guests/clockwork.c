/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `bench nmi-miss` runs: every vCPU does its share of the work, and clocks interrupt it.
 * With traffic=own it also opens, enables and closes an event of its own now and then; with
 * traffic=other the last vCPU does nothing but close the events that the others enable.
 */
#include "guest.h"

GUEST_DESCRIPTION("fixed work while clocks sample; events=1 period=1000000 chunks=2000 traffic=none|own|other every=8");

enum { CHUNK = 20000 };

static uint64_t chunks, every;
static unsigned events, workers;
static bool own_traffic;
static struct kvm_pv_perf_attr sampling, counting;
static struct barrier start;
static uint64_t at_work; /* workers that are not done yet */

static struct worker {
	struct kvm_pmu_event *clocks; /* `events` of them */
	struct kvm_pmu_event visitor; /* of the background traffic */
	uint32_t offered; /* traffic=other: 1: opened, for this vCPU to enable; 2: enabled, to be closed */
	uint64_t ticks, visits;
	int64_t error;
} workers_of[GUEST_MAX_VCPUS] __attribute__((aligned(64)));

static void visit(struct worker *self)
{
	self->visits++;
	if (own_traffic) {
		self->error |= kvm_pmu_open(&self->visitor, &counting);
		self->error |= kvm_pmu_enable(&self->visitor);
		self->error |= kvm_pmu_close(&self->visitor);
	} else if (atomic_load(&self->offered) == 1) {
		self->error |= kvm_pmu_enable(&self->visitor);
		atomic_store(&self->offered, 2u);
	}
}

static void do_work(struct worker *self)
{
	for (uint64_t i = 0; i < chunks; i++) {
		uint64_t n = CHUNK;

		__asm__ volatile("1: dec %0\n\t"
				 "jnz 1b"
				 : "+r"(n)
				 :
				 : "cc");
		if (every && i % every == 0)
			visit(self);
	}
}

static void work(struct worker *self)
{
	uint64_t begin;

	kvm_pmu_nmi_room(events + 1);
	self->clocks = memory_need(events * sizeof(*self->clocks), 64);
	for (unsigned i = 0; i < events; i++)
		self->error |= kvm_pmu_open(&self->clocks[i], &sampling);
	barrier_wait(&start, cpu_count());
	begin = __builtin_ia32_rdtsc();
	for (unsigned i = 0; i < events; i++)
		self->error |= kvm_pmu_enable(&self->clocks[i]);
	do_work(self);
	for (unsigned i = 0; i < events; i++)
		self->error |= kvm_pmu_disable(&self->clocks[i]);
	self->ticks = __builtin_ia32_rdtsc() - begin;
	for (unsigned i = 0; i < events; i++)
		self->error |= kvm_pmu_close(&self->clocks[i]);
	atomic_fetch_add(&at_work, -1ul);
}

/* Opens an event for every worker, and closes it under it. */
static void bother(struct worker *self)
{
	barrier_wait(&start, cpu_count());
	while (atomic_load(&at_work))
		for (unsigned i = 0; i < workers; i++) {
			struct worker *other = &workers_of[i];
			uint32_t offered = atomic_load(&other->offered);

			if (offered == 1)
				continue;
			if (offered == 2) {
				self->error |= kvm_pmu_close(&other->visitor);
				self->visits++;
			}
			self->error |= kvm_pmu_open(&other->visitor, &counting);
			atomic_store(&other->offered, 1u);
		}
	for (unsigned i = 0; i < workers; i++)
		if (workers_of[i].offered)
			self->error |= kvm_pmu_close(&workers_of[i].visitor);
}

static void take_part(void *arg)
{
	struct worker *self = &workers_of[cpu_index()];

	(void)arg;
	if (cpu_index() < workers)
		work(self);
	else
		bother(self);
}

static bool understand_options(void)
{
	const char *traffic = option_text("traffic", "none");
	bool other = !strcmp(traffic, "other");

	option_only("events", "period", "chunks", "traffic", "every", NULL);
	own_traffic = !strcmp(traffic, "own");
	events = (unsigned)option_number("events", 1);
	chunks = option_number("chunks", 2000);
	every = own_traffic || other ? option_number("every", 8) : 0;
	workers = cpu_count() - other;
	at_work = workers;
	sampling = kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, false, false,
					 option_number("period", 1000000));
	counting = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	return workers && (own_traffic || other || !strcmp(traffic, "none"));
}

/* What handlers took of the vCPU's clocks, and what its words still have. */
static uint64_t overflows_of(const struct worker *worker)
{
	uint64_t ret = 0;

	for (unsigned i = 0; worker->clocks && i < events; i++)
		ret += worker->clocks[i].taken + (uint32_t)worker->clocks[i].shared.overflows;
	return ret;
}

int guest_main(void)
{
	if (!understand_options()) {
		console_printf("clockwork: traffic is none, own or other, and then there is one vCPU more\n");
		return STATUS_USAGE;
	}
	kvm_pmu_nmi_start();
	smp_run_all(take_part, NULL);
	for (unsigned i = 0; i < cpu_count(); i++) {
		const struct worker *worker = &workers_of[i];
		struct kvm_pmu_nmi_counts counts = kvm_pmu_nmi_counts(i);

		if (worker->error) {
			console_printf("clockwork: vCPU %u: an operation gave %ld\n", i, worker->error);
			return 1;
		}
		console_printf("vcpu=%u ticks=%lu overflows=%lu nmis=%lu most=%lu visits=%lu\n", i, worker->ticks,
			       overflows_of(worker), counts.nmis, counts.most, worker->visits);
	}
	return 0;
}
