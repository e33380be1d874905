/* SPDX-License-Identifier: GPL-2.0-only */
/* Where NMIs land, and how many may be on their way: one in service, one latched until IRET. */
#include "sampling.h"

#define INSTRUCTIONS PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS

struct landing {
	uint64_t rip, cs, low, high;   /* expected: of RSP, the bounds */
	uint64_t calls, elsewhere, bad; /* of them, at another RIP; with another CS or RSP */
};

static void note_landing(struct kvm_pmu_event *event, uint32_t n, struct exception_frame *frame)
{
	struct landing *landing = event->data;

	(void)n;
	landing->calls++;
	landing->elsewhere += frame->rip != landing->rip;
	landing->bad += frame->cs != landing->cs || frame->rsp < landing->low || frame->rsp >= landing->high ||
			frame->vector != VECTOR_NMI || frame->error;
}

/* The overflow comes in the loop's only block: so the NMI, at its beginning. */
static void test_in_loop(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(INSTRUCTIONS, false, false, 10000);
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	struct landing landing = { .rip = (uint64_t)window_loop, .cs = SELECTOR_KERNEL_CODE, .low = here - 4096, .high = here };
	struct kvm_pmu_event event;
	int64_t error = kvm_pmu_open(&event, &attr);

	event.overflow = note_landing;
	event.data = &landing;
	error |= window_run(&event, WINDOW_ITERATIONS(1005000));
	report(!error && landing.calls == 100 && !landing.elsewhere && !landing.bad,
	       "CPL 0: %lu NMIs of 100, %lu not at the loop, %lu with another frame", landing.calls, landing.elsewhere,
	       landing.bad);
	kvm_pmu_close(&event);
}

extern const uint8_t user_loop[];

static uint64_t loop_at_user(void *arg)
{
	uint64_t n = (uint64_t)arg;

	__asm__ volatile("user_loop: dec %0\n\t"
			 "jnz user_loop"
			 : "+r"(n)
			 :
			 : "cc");
	return n;
}

/* From CPL 3, to where IRET returns. The event counts CPL 3 alone, which does little beside the loop. */
static void test_at_user(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(INSTRUCTIONS, false, true, 10000);
	uint64_t top = cpu_this()->user_stack;
	struct landing landing = { .rip = (uint64_t)user_loop, .cs = SELECTOR_USER_CODE, .low = top - CPU_USER_STACK, .high = top };
	struct kvm_pmu_event event;
	int64_t error = kvm_pmu_open(&event, &attr);

	event.overflow = note_landing;
	event.data = &landing;
	error |= kvm_pmu_enable(&event);
	user_run(loop_at_user, (void *)502500);
	error |= kvm_pmu_disable(&event);
	report(!error && landing.calls == 100 && !landing.elsewhere && !landing.bad,
	       "CPL 3: %lu NMIs of 100, %lu not at the loop, %lu with another frame", landing.calls, landing.elsewhere,
	       landing.bad);
	kvm_pmu_close(&event);
}

/* The work of a thousand interrupted iterations comes out as if there had been no NMI. */
__attribute__((noinline)) static uint64_t fibonacci(uint64_t n)
{
	uint64_t a = 0, b = 1;

	for (; n; n--) {
		uint64_t next = a + b;

		a = b;
		b = next;
		__asm__ volatile("" : "+r"(a), "+r"(b));
	}
	return a;
}

static void test_registers(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(INSTRUCTIONS, false, false, 61);
	uint64_t expected = fibonacci(10000), got, flags = 0;
	struct kvm_pmu_event event;

	kvm_pmu_open(&event, &attr);
	kvm_pmu_enable(&event);
	got = fibonacci(10000);
	__asm__ volatile("stc\n\t"
			 "mov $1000, %%ecx\n"
			 "1: dec %%ecx\n\t"
			 "jnz 1b\n\t"
			 "setc %b0"
			 : "+r"(flags)
			 :
			 : "rcx", "cc");
	kvm_pmu_disable(&event);
	report(event.taken > 500 && got == expected && flags == 1, "%lu NMIs change no register and no flag", event.taken);
	kvm_pmu_close(&event);
}

/*
 * A slow handler, with hypercalls inside: none begins before the one before has ended.
 * The clock goes on meanwhile, so that overflows do come; what they add up to is latched as one NMI,
 * which comes right behind the IRET: the guest gets no further until a handler stops the clock.
 */
enum { SLOW_HANDLERS = 20 };
static uint64_t depth, deepest, handlers, after_iret;
static struct kvm_pmu_event *slow_clock;

static void slow_nmi(struct exception_frame *frame)
{
	uint64_t now = ++depth;

	deepest = now > deepest ? now : deepest;
	handlers++;
	kick(cpu_index());
	loop_run(2000000);
	hypercall(KVM_PERF_OP, KVM_PV_PERF_OP_READ, 0x7fffffff, 0);
	loop_run(2000000);
	kvm_pmu_nmi(frame);
	if (handlers == SLOW_HANDLERS)
		kvm_pmu_disable(slow_clock);
	depth--;
}

static void test_one_at_a_time(void)
{
	struct kvm_pv_perf_attr clock = kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, false, false, 300000);
	struct kvm_pv_perf_attr work = kvm_pmu_attr_sampling(INSTRUCTIONS, false, false, 50000);
	struct kvm_pmu_event events[2];
	int64_t error = kvm_pmu_open(&events[0], &clock) | kvm_pmu_open(&events[1], &work);

	slow_clock = &events[0];
	exception_set(VECTOR_NMI, slow_nmi);
	error |= kvm_pmu_enable(&events[0]) | kvm_pmu_enable(&events[1]);
	for (unsigned i = 0; i < 100 && atomic_load(&handlers) < SLOW_HANDLERS; i++)
		loop_run(500000);
	error |= kvm_pmu_disable(&events[1]) | kvm_pmu_disable(&events[0]);
	after_iret = atomic_load(&handlers);
	loop_run(1000000);
	report(!error && handlers >= SLOW_HANDLERS && deepest == 1, "%lu slow handlers, at most %lu at a time", handlers, deepest);
	report(handlers == after_iret, "none after the last DISABLE: %lu", handlers - after_iret);
	report(event_overflows(&events[1]) == kvm_pmu_count(&events[1]) / 50000, "no overflow lost: %lu of %lu",
	       event_overflows(&events[1]), kvm_pmu_count(&events[1]) / 50000);
	kvm_pmu_nmi_start();
	kvm_pmu_close(&events[0]);
	kvm_pmu_close(&events[1]);
}

extern const uint8_t behind_hlt[];

/* Nothing else could wake this vCPU: without the NMI the VM would end here with all vCPUs parked. */
static void test_wakes_hlt(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, false, false, 1000000);
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	struct landing landing = { .rip = (uint64_t)behind_hlt, .cs = SELECTOR_KERNEL_CODE, .low = here - 4096, .high = here };
	struct kvm_pmu_event event;
	int64_t error = kvm_pmu_open(&event, &attr);

	event.overflow = note_landing;
	event.data = &landing;
	error |= kvm_pmu_enable(&event);
	while (atomic_load(&landing.calls) < 20)
		__asm__ volatile("hlt\n"
				 "behind_hlt: nop"
				 :
				 :
				 : "memory");
	error |= kvm_pmu_disable(&event);
	report(!error && landing.elsewhere < landing.calls && !landing.bad,
	       "an NMI ends HLT: %lu times, %lu times between two halts", landing.calls - landing.elsewhere,
	       landing.elsewhere);
	report(event_overflows(&event) == kvm_pmu_count(&event) / 1000000, "clock: %lu ns, %lu overflows",
	       kvm_pmu_count(&event), event_overflows(&event));
	kvm_pmu_close(&event);
}

int guest_main(void)
{
	kvm_pmu_nmi_start();
	test_in_loop();
	test_at_user();
	test_registers();
	test_one_at_a_time();
	test_wakes_hlt();
	return report_summary();
}
