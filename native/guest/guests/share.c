/* SPDX-License-Identifier: GPL-2.0-only */
/* What `bench scale` and `bench handover` time: how often each vCPU gets something done in the same stretch of time. */
#include "guest.h"

GUEST_DESCRIPTION("what each vCPU gets done in a time; work=spin|read|exchange|add same=0 ticks=1000000000");

enum { AT_ONCE = 256 }; /* repetitions between two looks at the time */

static struct kvm_pv_perf_attr attr;
static struct barrier start;
static uint64_t until;
static bool same;

static struct vcpu_share {
	uint64_t done, ticks;
	uint32_t word; /* of its own */
	int64_t error;
	struct kvm_pmu_event event;
} __attribute__((aligned(64))) shares[GUEST_MAX_VCPUS];
static uint32_t common __attribute__((aligned(64)));

static void work_spin(struct vcpu_share *share)
{
	uint64_t n = AT_ONCE;

	(void)share;
	__asm__ volatile("1: dec %0\n\t"
			 "jnz 1b"
			 : "+r"(n));
}

static void work_read(struct vcpu_share *share)
{
	for (unsigned i = 0; i < AT_ONCE; i++)
		share->error |= perf_op(KVM_PV_PERF_OP_READ, share->event.id);
}

/* Takes what others added, as an NMI handler takes an event's overflows. */
static void work_exchange(struct vcpu_share *share)
{
	for (unsigned i = 0; i < AT_ONCE; i++)
		atomic_exchange(same ? &common : &share->word, 0u);
}

static void work_add(struct vcpu_share *share)
{
	for (unsigned i = 0; i < AT_ONCE; i++)
		atomic_fetch_add(same ? &common : &share->word, 1u);
}

static const struct {
	const char *name;
	void (*run)(struct vcpu_share *share);
} works[] = {
	{ "spin", work_spin }, { "read", work_read }, { "exchange", work_exchange }, { "add", work_add },
};
static unsigned work;

static void take_part(void *arg)
{
	struct vcpu_share *share = &shares[cpu_index()];
	uint64_t begin;

	(void)arg;
	if (works[work].run == work_read) {
		share->error = kvm_pmu_open(&share->event, &attr);
		share->error |= kvm_pmu_enable(&share->event);
	}
	barrier_wait(&start, cpu_count());
	begin = __builtin_ia32_rdtsc();
	do {
		works[work].run(share);
		share->done += AT_ONCE;
	} while (__builtin_ia32_rdtsc() < until);
	share->ticks = __builtin_ia32_rdtsc() - begin;
}

static bool find_work(const char *name)
{
	for (work = 0; work < ARRAY_SIZE(works); work++)
		if (!strcmp(works[work].name, name))
			return true;
	console_printf("share: there is no work=%s\n", name);
	return false;
}

/* No addition may be lost between vCPUs. */
static bool is_conserved(void)
{
	uint64_t done = 0;

	for (unsigned i = 0; i < cpu_count(); i++)
		done += shares[i].done;
	return works[work].run != work_add || !same || common == (uint32_t)done;
}

int guest_main(void)
{
	option_only("work", "same", "ticks", NULL);
	same = option_number("same", 0) != 0;
	if (!find_work(option_text("work", "spin")))
		return STATUS_USAGE;
	attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	until = __builtin_ia32_rdtsc() + option_number("ticks", 1000000000);
	smp_run_all(take_part, NULL);
	for (unsigned i = 0; i < cpu_count(); i++) {
		if (shares[i].error) {
			console_printf("share: vCPU %u: an operation gave %ld\n", i, shares[i].error);
			return 1;
		}
		console_printf("vcpu=%u done=%lu ticks=%lu\n", i, shares[i].done, shares[i].ticks);
	}
	if (!is_conserved()) {
		console_printf("share: the word is %u, and that is not what was added\n", common);
		return 1;
	}
	return 0;
}
