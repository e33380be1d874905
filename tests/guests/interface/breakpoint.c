/* SPDX-License-Identifier: GPL-2.0-only */
/* PERF_TYPE_BREAKPOINT on guest addresses: exact counts, and an overflow every k hits. */
#include "../nmi/sampling.h"

enum {
	ITERATIONS = 1000,
	PERIOD = 7,
	/* In an iteration of touch(), of the watched 8 bytes. */
	LOADS = 4,
	STORES = 2,
	TOUCHES = LOADS + STORES,
};

/* watched[1] is what the breakpoint is on; its neighbours are touched, too. */
static uint64_t watched[3] __attribute__((aligned(64)));
extern const uint8_t touch_loop[], touch_once[];

/* ENABLE, the loop, DISABLE. RDI is the id, RSI the address of `watched`, RDX the number of iterations. */
int64_t touch(int32_t id, uint64_t *memory, uint64_t iterations);
__asm__(".text\n"
	"touch:\n\t"
	"push %rbx\n\t"
	"mov %rdx, %r8\n\t"
	"mov $3, %eax; mov $3, %ebx; mov %edi, %ecx; vmcall\n\t"
	"mov %rax, %r9\n"
	"touch_once:\n\t"
	"nop\n"
	"touch_loop:\n\t"
	"mov 8(%rsi), %rax\n\t"  /* loads: all of it, */
	"movzbl 15(%rsi), %eax\n\t" /* its last byte, */
	"mov 4(%rsi), %rax\n\t"  /* across its beginning, */
	"mov 12(%rsi), %rax\n\t" /* across its end; */
	"mov %rax, 8(%rsi)\n\t"  /* stores: all of it, */
	"movb $1, 8(%rsi)\n\t"   /* its first byte; */
	"mov (%rsi), %rax\n\t"   /* and what is beside it */
	"mov 16(%rsi), %rax\n\t"
	"movb $1, 7(%rsi)\n\t"
	"mov %rax, 16(%rsi)\n\t"
	"dec %r8\n\t"
	"jnz touch_loop\n\t"
	"mov $3, %eax; mov $4, %ebx; mov %edi, %ecx; vmcall\n\t"
	"test %r9, %r9; cmovnz %r9, %rax\n\t"
	"pop %rbx; ret\n");

static const struct {
	const char *name;
	const void *address;
	uint32_t type;
	uint64_t length, count;
} rows[] = {
	{ "R", &watched[1], PV_BP_R, 8, LOADS *ITERATIONS },
	{ "W", &watched[1], PV_BP_W, 8, STORES *ITERATIONS },
	{ "RW", &watched[1], PV_BP_R | PV_BP_W, 8, TOUCHES *ITERATIONS },
	{ "W of the first byte", &watched[1], PV_BP_W, 1, 2 * ITERATIONS },
	{ "W of the second byte", (const uint8_t *)&watched[1] + 1, PV_BP_W, 1, ITERATIONS },
	{ "R of the last two bytes", (const uint8_t *)&watched[1] + 6, PV_BP_R, 2, 3 * ITERATIONS },
	{ "X in the loop", touch_loop, PV_BP_X, 8, ITERATIONS },
	{ "X before the loop", touch_once, PV_BP_X, 8, 1 },
	{ "X of what does not run", watched, PV_BP_X, 8, 0 },
};

static int64_t event_open(struct kvm_pmu_event *event, unsigned row, uint64_t period)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(PV_TYPE_BREAKPOINT, 0, false, false, period);

	attr.bp_type = rows[row].type;
	attr.bp_addr = (uint64_t)rows[row].address;
	attr.bp_len = rows[row].length;
	return kvm_pmu_open(event, &attr);
}

static int64_t touch_with(struct kvm_pmu_event *event)
{
	int64_t error;

	touch(0, watched, 10); /* no such event: nothing of this counts */
	event->slot = event->sampling ? kvm_pmu_slot_here(event) : NULL;
	error = touch(event->id, watched, ITERATIONS);
	kvm_pmu_slot_leave(event);
	touch(0, watched, 10);
	return error;
}

/* Counting alone, then with a period. */
static void test_row(unsigned row)
{
	uint64_t period = rows[row].count > PERIOD ? PERIOD : 1, expected = rows[row].count / period;
	struct kvm_pmu_event event;
	int64_t error = event_open(&event, row, 0);

	if (!error)
		error = touch_with(&event);
	report(!error && kvm_pmu_count(&event) == rows[row].count, "%s: error %ld, %lu hits of %lu", rows[row].name,
	       error, kvm_pmu_count(&event), rows[row].count);
	kvm_pmu_close(&event);
	error = event_open(&event, row, period);
	if (!error)
		error = touch_with(&event);
	report(!error && kvm_pmu_count(&event) == rows[row].count && event_overflows(&event) == expected,
	       "%s, every %lu hits: error %ld, %lu hits of %lu, %lu overflows of %lu", rows[row].name, period, error,
	       kvm_pmu_count(&event), rows[row].count, event_overflows(&event), expected);
	kvm_pmu_close(&event);
}

/* Four at once, as many as there are registers for it in hardware. */
static void test_four(void)
{
	static const unsigned four[] = { 0, 1, 2, 6 };
	struct kvm_pmu_event event[ARRAY_SIZE(four)];
	uint64_t wrong = 0;
	int64_t error = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(four); i++)
		error |= event_open(&event[i], four[i], 0) | kvm_pmu_enable(&event[i]);
	touch(0, watched, ITERATIONS);
	for (unsigned i = 0; i < ARRAY_SIZE(four); i++) {
		error |= kvm_pmu_disable(&event[i]);
		wrong += kvm_pmu_count(&event[i]) != rows[four[i]].count;
		error |= kvm_pmu_close(&event[i]);
	}
	report(!error && !wrong, "four at once: error %ld, %lu wrong", error, wrong);
}

int guest_main(void)
{
	kvm_pmu_nmi_start();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		test_row(i);
	test_four();
	return report_summary();
}
