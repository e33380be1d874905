/* SPDX-License-Identifier: GPL-2.0-only */
/* Many clocks of one vCPU: their order, what they may raise together, and that nobody waits for all of them. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/overflow/overflow.h"
#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENTS = 0x2000, PERIOD = 1000 };

static struct fake_vm fake;

static void create(uint32_t max_sample_rate)
{
	fake_vm_init(&fake, 2);
	fake.now_ns = 1000;
	fake.config.max_sample_rate = max_sample_rate;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static gpa_t word_of(int32_t id)
{
	return EVENTS + (gpa_t)id * sizeof(struct kvm_pv_perf_event);
}

static void enable_clock(int32_t id, uint64_t period)
{
	put_open(&fake, PARAM, id, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 0, word_of(id));
	((struct kvm_pv_perf_attr *)fake_ram(&fake, PARAM + 32))->sample_period = period;
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, (uint64_t)id), 0);
}

static struct pv_vm_statistics statistics(void)
{
	struct pv_vm_statistics ret;

	vm_statistics(fake.vm, &ret);
	CHECK_EQ(ret.overflows_lost, 0);
	return ret;
}

/* Every parent comes first, and the way down on the right is the shorter one. */
static uint32_t check_heap(const struct host_event *event)
{
	uint32_t left, right;

	if (!event)
		return 0;
	left = check_heap(event->clock.left);
	right = check_heap(event->clock.right);
	CHECK(right <= left);
	CHECK_EQ(event->clock.distance, right + 1);
	for (int i = 0; i < 2; i++) {
		const struct host_event *below = i ? event->clock.left : event->clock.right;

		CHECK(!below || (below->clock.above == event && below->clock.key >= event->clock.key));
	}
	return right + 1;
}

/* What is first is the smallest of those that are in, whatever came and went. */
static void clock_heap(void)
{
	enum { N = 200, STEPS = 20000 };
	struct host_event *event = calloc(N, sizeof(*event)), *first = NULL;
	struct rng rng = { 1 };
	bool in[N] = { false };

	for (int step = 0; step < STEPS; step++) {
		uint32_t i = rng_below(&rng, N), smallest = N;

		if (in[i])
			clock_heap_remove(&first, &event[i]);
		else
			clock_heap_add(&first, &event[i], rng_below(&rng, 1000));
		in[i] = !in[i];
		for (uint32_t k = 0; k < N; k++)
			if (in[k] && (smallest == N || event[k].clock.key < event[smallest].clock.key))
				smallest = k;
		CHECK_EQ(first != NULL, smallest < N);
		CHECK(!first || (first->clock.key == event[smallest].clock.key && !first->clock.above));
		if (step % 100 == 0)
			check_heap(first);
	}
	free(event);
}

/* Each has its turn, at its time; a kind whose time stands is passed over. */
static void clocks_in_turn(void)
{
	create(0);
	for (int32_t id = 0; id < 100; id++)
		enable_clock(id, PERIOD + (uint64_t)id);
	for (uint64_t past = 1; past <= 100; past++) {
		fake.now_ns = 1000 + PERIOD + past - 1;
		CHECK_EQ(clock_events_run(fake.vm), past < 100 ? fake.now_ns + 1 : 1000 + 2 * PERIOD);
		CHECK_EQ(statistics().overflows_raised, past);
	}
	fake_vm_destroy(&fake);
}

/*
 * A vCPU's clocks together raise as many NMIs in a window as one of them may, and one more; each of them has its turn
 * over the windows, and no overflow is lost.
 */
static void clocks_together(void)
{
	enum { CLOCKS = 40, IN_A_WINDOW = 5, WINDOWS = 80 };
	struct pv_vm_statistics figures;
	uint64_t taken = 0, begin = 10 * OVERFLOW_WINDOW_NS;

	create(1000); /* four in a window */
	fake.now_ns = begin;
	for (int32_t id = 0; id < CLOCKS; id++)
		enable_clock(id, PERIOD);
	for (int window = 1; window <= WINDOWS; window++) {
		fake.now_ns += OVERFLOW_WINDOW_NS / 2;
		clock_events_run(fake.vm);
		fake.now_ns += OVERFLOW_WINDOW_NS / 2 - 1;
		CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + OVERFLOW_WINDOW_NS / 2 + 1);
		CHECK_EQ(statistics().nmi_raised, (uint64_t)window * IN_A_WINDOW);
		fake.now_ns += 1;
		direct_exit(&fake, 0, PV_EXIT_KICK);
		direct_enter(&fake, 0);
	}
	figures = statistics();
	CHECK_EQ(figures.throttled, WINDOWS);
	CHECK_EQ(figures.unthrottled, WINDOWS - 1);
	for (int32_t id = 0; id < CLOCKS; id++) {
		CHECK(fake_take(&fake, word_of(id)) > 0);
		direct_exit(&fake, 0, PV_EXIT_KICK);
		CHECK_EQ(direct_op(&fake, 0, DISABLE, (uint64_t)id), 0);
		taken += fake_take(&fake, word_of(id));
	}
	figures = statistics();
	CHECK_EQ(figures.overflows_raised, CLOCKS * ((fake.now_ns - begin) / PERIOD));
	CHECK_EQ(figures.overflows_delivered, figures.overflows_raised);
	CHECK_EQ(figures.unthrottled, WINDOWS);
	CHECK_EQ(clock_events_run(fake.vm), UINT64_MAX);
	CHECK(taken > 0);
	fake_vm_destroy(&fake);
}

static int turns;

static void disable_in_between(const char *tag)
{
	if (strcmp(tag, "clocks: between two") || turns++)
		return;
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0); /* a host panic, were the lock held over the pass */
}

/* Between two clocks the host thread has its turn. */
static void clocks_let_others_in(void)
{
	create(0);
	turns = 0;
	for (int32_t id = 0; id < 3; id++)
		enable_clock(id, PERIOD + (uint64_t)id);
	fake.now_ns += PERIOD + 1;
	on_point = disable_in_between;
	clock_events_run(fake.vm);
	on_point = NULL;
	CHECK_EQ(turns, 1); /* the second clock is due, and was disabled; the third one is not due */
	CHECK_EQ(statistics().overflows_raised, 2);
	CHECK_EQ(statistics().nmi_raised, 1);
	fake_vm_destroy(&fake);
}

/* So many are raised in one go, and then the vCPU is brought out. */
static void clocks_in_goes(void)
{
	create(0);
	for (int32_t id = 0; id < 100; id++)
		enable_clock(id, PERIOD);
	fake.now_ns += PERIOD;
	CHECK(clock_events_run(fake.vm) <= fake.now_ns);
	CHECK_EQ(statistics().nmi_raised, 64);
	CHECK_EQ(fake.vm->vcpus[0].run->bell.rung, 1);
	CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + PERIOD);
	CHECK_EQ(statistics().nmi_raised, 100);
	fake_vm_destroy(&fake);
}

/* Due within the hour, a clock can wake a vCPU; later, or never, it keeps no VM alive, and the end says why. */
static void far_clocks(void)
{
	static const uint64_t due[] = { CLOCK_WAKES_WITHIN_NS, CLOCK_WAKES_WITHIN_NS + 1, (1ull << 63) - 1 };

	for (int i = 0; i < 3; i++) {
		fake_vm_init(&fake, 1);
		fake.now_ns = 1000;
		CHECK_EQ(fake_vm_create(&fake), 0);
		direct_boot(&fake);
		enable_clock(7, due[i]);
		CHECK_EQ(clock_events_may_wake(fake.vm), i == 0);
		if (i) {
			direct_exit(&fake, 0, PV_EXIT_HLT);
			CHECK_EQ(fake.vm->end.what.reason, PV_END_ALL_HALTED);
			CHECK(strstr(fake.vm->end.what.text, "the clock of event 7 on vCPU 0 is due in "));
			end_thread_left(fake.vm);
		}
		fake_vm_destroy(&fake);
	}
}

const struct named_test clock_queue_tests[] = {
	{ "clock_heap", clock_heap, false },
	{ "clocks_in_turn", clocks_in_turn, false },
	{ "clocks_together", clocks_together, false },
	{ "clocks_let_others_in", clocks_let_others_in, false },
	{ "clocks_in_goes", clocks_in_goes, false },
	{ "far_clocks", far_clocks, false },
	{ NULL, NULL, false },
};
