/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conservation, as the guest sees it: after DISABLE, what the handlers took and what waits
 * in the word are together floor(count / period), and the count is what has retired. Blocks
 * hold several periods, the vCPUs read each other's events, and the machine may inject faults.
 */
#include "sampling.h"

enum {
	EVENTS = 2,
	BLOCK = 1000, /* instructions, and two that make the loop */
	CHUNK = 50,   /* iterations in one window */
	CHUNK_INSTRUCTIONS = 1 + CHUNK * (BLOCK + 2) + 3,
	OUTER = 8, /* what event 0 counts beside: ENABLE and DISABLE of event 1, with three before each */
};
static const uint64_t periods[EVENTS] = { 97, 1009 };

static struct kvm_pmu_event events[GUEST_MAX_VCPUS][EVENTS];
static uint64_t chunks, failed[GUEST_MAX_VCPUS];

/* RDI and RSI are the ids. In event 1's window: a mov, the loop, three that set up DISABLE. */
void chunk_run(int32_t first, int32_t second);
__attribute__((naked)) void chunk_run(int32_t first, int32_t second)
{
	(void)first;
	(void)second;
	__asm__ volatile("push %%rbx\n\t"
			 "mov $3, %%eax; mov $3, %%ebx; mov %%edi, %%ecx; vmcall\n\t"
			 "mov $3, %%eax; mov $3, %%ebx; mov %%esi, %%ecx; vmcall\n\t"
			 "mov %0, %%r8d\n"
			 "1: .rept %c1; nop; .endr\n\t"
			 "dec %%r8d\n\t"
			 "jnz 1b\n\t"
			 "mov $3, %%eax; mov $4, %%ebx; mov %%esi, %%ecx; vmcall\n\t"
			 "mov $3, %%eax; mov $4, %%ebx; mov %%edi, %%ecx; vmcall\n\t"
			 "pop %%rbx\n\t"
			 "ret"
			 :
			 : "i"(CHUNK), "i"(BLOCK));
}

static void work(void *arg)
{
	unsigned self = cpu_index(), next = (self + 1) % cpu_count();
	struct kvm_pmu_event *own = events[self];
	uint64_t count;

	(void)arg;
	for (unsigned i = 0; i < EVENTS; i++)
		own[i].slot = kvm_pmu_slot_here(&own[i]);
	for (uint64_t i = 0; i < chunks; i++) {
		chunk_run(own[0].id, own[1].id);
		failed[self] += kvm_pmu_read(&events[next][i % EVENTS], &count) != 0;
	}
}

static void open_all(void)
{
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++)
		for (unsigned i = 0; i < EVENTS; i++) {
			struct kvm_pv_perf_attr attr =
				kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, periods[i]);

			failed[vcpu] += kvm_pmu_open(&events[vcpu][i], &attr) != 0;
		}
}

static uint64_t check_event(unsigned vcpu, unsigned i)
{
	struct kvm_pmu_event *event = &events[vcpu][i];
	uint64_t expected = chunks * (CHUNK_INSTRUCTIONS + (i ? 0 : OUTER)), count = kvm_pmu_count(event);
	uint64_t word = (uint32_t)event->shared.overflows;

	kvm_pmu_slot_leave(event);
	report(count == expected && event->taken + word == expected / periods[i],
	       "vCPU %u, period %lu: count %lu of %lu, %lu overflows taken and %lu in the word of %lu", vcpu, periods[i],
	       count, expected, event->taken, word, expected / periods[i]);
	kvm_pmu_close(event);
	return event->taken + word;
}

int guest_main(void)
{
	const uint64_t chunk_overflows = CHUNK_INSTRUCTIONS / 97 + CHUNK_INSTRUCTIONS / 1009;
	uint64_t wanted, overflows = 0;

	option_only("overflows", NULL);
	wanted = option_number("overflows", 20000);
	chunks = wanted / (chunk_overflows * cpu_count()) + 1;
	kvm_pmu_nmi_start();
	open_all();
	smp_run_all(work, NULL);
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		struct kvm_pmu_nmi_counts counts = kvm_pmu_nmi_counts(vcpu);

		report(!failed[vcpu], "vCPU %u: %lu operations failed", vcpu, failed[vcpu]);
		for (unsigned i = 0; i < EVENTS; i++)
			overflows += check_event(vcpu, i);
		console_printf("vCPU %u: %lu NMIs, %lu of them found nothing, at most %lu overflows of an event at once\n",
			       vcpu, counts.nmis, counts.empty, counts.most);
	}
	report(overflows >= wanted, "%lu overflows on %u vCPUs, at least %lu", overflows, cpu_count(), wanted);
	return report_summary();
}
