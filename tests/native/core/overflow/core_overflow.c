/* SPDX-License-Identifier: GPL-2.0-only */
/* Overflow, NMI path, sync and injection, one vCPU's exits at a time. */
#include <errno.h>

#include "core/host/spacing.h"
#include "core/overflow/overflow.h"
#include "core/overflow/sync.h"
#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENTS = 0x2000 };
enum { USER_ONLY = 1 << KVM_PV_PERF_EXCLUDE_KERNEL };

static struct fake_vm fake;

static gpa_t at(uint32_t id)
{
	return EVENTS + id * 16;
}

static void prepare(void)
{
	fake_vm_init(&fake, 2);
	fake.now_ns = 1000;
}

static void create(void)
{
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static void open_sampling(uint32_t id, uint64_t config, uint64_t flags, uint64_t period)
{
	put_sampling(&fake, PARAM, (int32_t)id, config, flags, period, at(id));
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
}

/* Event 0 samples instructions from here on. */
static void sample(uint64_t flags, uint64_t period)
{
	open_sampling(0, PV_HW_INSTRUCTIONS, flags, period);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
}

static struct pv_run *run_page(uint32_t vcpu)
{
	return fake.vm->vcpus[vcpu].run;
}

static struct pv_vm_statistics statistics(void)
{
	struct pv_vm_statistics ret;

	vm_statistics(fake.vm, &ret);
	CHECK_EQ(ret.overflows_raised,
		 ret.overflows_delivered + ret.overflows_in_shadow + ret.overflows_dropped);
	return ret;
}

/* The vCPU executes until its alarm, or `most` instructions, and leaves. The NMI that its entry brought, or 0. */
static uint32_t run_some(uint32_t vcpu, uint64_t most)
{
	uint32_t inject = direct_enter(&fake, vcpu);

	direct_run(&fake, vcpu, 0, most);
	direct_exit(&fake, vcpu, PV_EXIT_OVERFLOW);
	return inject;
}

static const unsigned instructions_all = PV_COUNT_INSTRUCTIONS * PV_ALARM_LEVELS + 2;

/* Exactly floor(N/P), however many are crossed at an exit, and an NMI for each exit that crossed one. */
static void exact(void)
{
	static const struct {
		uint64_t period, step, steps, overflows, nmis;
	} rows[] = {
		{ 100000, 100000, 10, 10, 10 }, { 100000, 1000, 1000, 10, 10 }, { 100000, 999999, 1, 9, 1 },
		{ 1, 1, 50, 50, 50 },		{ 1, 5000, 3, 15000, 3 },	{ 7, 10, 100, 142, 100 },
		{ 1000001, 100000, 10, 0, 0 },	{ INT64_MAX, 1000, 10, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t nmis = 0, taken = 0;

		prepare();
		create();
		sample(0, rows[i].period);
		for (uint64_t k = 0; k < rows[i].steps; k++) {
			nmis += run_some(0, rows[i].step) == PV_INJECT_NMI;
			taken += fake_take(&fake, at(0));
		}
		nmis += direct_enter(&fake, 0) == PV_INJECT_NMI;
		taken += fake_take(&fake, at(0));
		CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
		CHECK_EQ(nmis, rows[i].nmis);
		CHECK_EQ(taken, rows[i].overflows);
		CHECK_EQ(fake_take(&fake, at(0)), 0);
		CHECK_EQ(fake_count(&fake, at(0)), rows[i].step * rows[i].steps);
		CHECK_EQ(statistics().overflows_raised, rows[i].overflows);
		fake_vm_destroy(&fake);
	}
}

/* The alarm stands where the next overflow comes, for the nearest event of each kind. */
static void alarms(void)
{
	const unsigned user = PV_COUNT_INSTRUCTIONS * PV_ALARM_LEVELS + (1 << PV_CPL_USER) - 1;
	const unsigned bus = PV_COUNT_CYCLES * PV_ALARM_LEVELS + 2;
	struct pv_run *run;

	prepare();
	create();
	run = run_page(0);
	direct_run(&fake, 0, 0, 5000);
	direct_run(&fake, 0, 1, 300);
	open_sampling(0, PV_HW_INSTRUCTIONS, 0, 1000);
	open_sampling(1, PV_HW_INSTRUCTIONS, 0, 400);
	open_sampling(2, PV_HW_INSTRUCTIONS, USER_ONLY, 50);
	open_sampling(3, PV_HW_BUS_CYCLES, 0, 10);
	open_sampling(4, PV_HW_BRANCH_INSTRUCTIONS, 0, 0);
	for (uint32_t id = 0; id < 5; id++)
		CHECK_EQ(direct_op(&fake, 0, ENABLE, id), 0);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	CHECK_EQ(run->armed, 1ull << instructions_all | 1ull << user | 1ull << bus);
	/* Ten hypercalls retired so far; of the events, 1 was enabled behind the seventh. */
	CHECK_EQ(run->alarm[instructions_all], 5300 + 7 + 400);
	CHECK_EQ(run->alarm[user], 300 + 50);
	direct_run(&fake, 0, 0, 500);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(run->alarm[instructions_all], 5300 + 7 + 800);
	CHECK_EQ(fake_take(&fake, at(1)), 1);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	CHECK_EQ(run->alarm[instructions_all], 5300 + 6 + 1000);
	fake_vm_destroy(&fake);
}

/* An event's remaining period goes with it to another vCPU. */
static void period_moves(void)
{
	prepare();
	create();
	sample(0, 1000);
	CHECK_EQ(run_some(0, 700), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
	CHECK_EQ(run_some(1, 299), 0);
	CHECK_EQ(direct_enter(&fake, 1), 0);
	direct_run(&fake, 1, 0, 1);
	direct_exit(&fake, 1, PV_EXIT_OVERFLOW);
	CHECK_EQ(direct_enter(&fake, 1), PV_INJECT_NMI);
	CHECK_EQ(fake_take(&fake, at(0)), 1);
	CHECK_EQ(run_page(0)->armed, 1ull << instructions_all); /* of its last entry: it has had none since */
	CHECK_EQ(direct_enter(&fake, 0), 0);
	CHECK_EQ(run_page(0)->armed, 0);
	fake_vm_destroy(&fake);
}

/* What was queued when the event moves is delivered where it goes on. */
static void queued_moves(void)
{
	prepare();
	create();
	sample(0, 100);
	CHECK_EQ(run_some(0, 250), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	CHECK_EQ(direct_enter(&fake, 1), PV_INJECT_NMI);
	CHECK_EQ(fake_take(&fake, at(0)), 2);
	fake_vm_destroy(&fake);
}

/* Nothing comes after DISABLE or CLOSE, wherever they come from; DISABLE gives what is left. */
static void nothing_after(void)
{
	for (uint64_t op = CLOSE; op <= DISABLE; op += DISABLE - CLOSE) {
		prepare();
		create();
		sample(0, 100);
		CHECK_EQ(run_some(0, 250), 0);
		CHECK_EQ(direct_op(&fake, 1, op, 0), 0);
		CHECK_EQ(fake_take(&fake, at(0)), op == DISABLE ? 2 : 0);
		CHECK_EQ(statistics().overflows_dropped, op == DISABLE ? 0 : 2);
		CHECK_EQ(run_some(0, 1000), 0);
		CHECK_EQ(direct_enter(&fake, 0), 0);
		CHECK_EQ(fake_take(&fake, at(0)), 0);
		CHECK_EQ(fake_count(&fake, at(0)), op == DISABLE ? 250 : 0);
		fake_vm_destroy(&fake);
	}
}

/* Every trylock is lost: the data wait in the shadow, and what becomes of them is the policy's. */
static void misses(void)
{
	static const struct {
		const char *nmi;
		uint32_t nmis;
		uint64_t misses, taken_before_disable;
	} rows[] = { { "trylock", 0, 5, 0 }, { "deferred", 5, 5, 5 }, { "lockless", 5, 0, 5 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t nmis = 0;
		uint64_t taken = 0;

		prepare();
		fake.config.nmi = rows[i].nmi;
		fake.config.fault_permille[PV_FAULT_TRYLOCK] = 1000;
		create();
		sample(0, 100);
		for (int k = 0; k < 6; k++) {
			nmis += run_some(0, k == 5 ? 0 : 100) == PV_INJECT_NMI;
			taken += fake_take(&fake, at(0));
		}
		CHECK_EQ(nmis, rows[i].nmis);
		CHECK_EQ(taken, rows[i].taken_before_disable);
		CHECK_EQ(statistics().nmi_misses, rows[i].misses);
		CHECK_EQ(statistics().overflows_in_shadow, 5 - taken);
		CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
		CHECK_EQ(taken + fake_take(&fake, at(0)), 5);
		fake_vm_destroy(&fake);
	}
}

/* Guest memory that cannot be written: the exchange is undone, and the event stays queued. */
static void unwritable(void)
{
	prepare();
	fake.config.fault_permille[PV_FAULT_GUEST_WRITE] = 1000;
	create();
	sample(0, 100);
	CHECK_EQ(run_some(0, 300), 0);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	CHECK_EQ(statistics().overflows_in_shadow, 3);
	CHECK_EQ(statistics().failed_syncs, 1);
	CHECK_EQ(fake_take(&fake, at(0)), 0);
	fake.vm->config.fault_permille[PV_FAULT_GUEST_WRITE] = 0;
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(fake_take(&fake, at(0)), 3);
	CHECK_EQ(statistics().overflows_in_shadow, 0);
	fake_vm_destroy(&fake);
}

/* A word that is full takes no more; what it cannot take is kept. */
static void full_word(void)
{
	int32_t *word;

	prepare();
	create();
	word = fake_ram(&fake, at(0) + 8);
	sample(0, 1);
	*word = INT32_MAX - 10;
	CHECK_EQ(run_some(0, 25), 0);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(*word, INT32_MAX);
	CHECK_EQ(statistics().overflows_in_shadow, 15);
	*word = 0;
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
	CHECK_EQ(*word, 15);
	fake_vm_destroy(&fake);
}

/* Too many NMIs in a window: the event is left alone until the next, and says so; nothing is lost. */
static void throttling(void)
{
	uint32_t nmis = 0;

	prepare();
	fake.config.max_sample_rate = 1000; /* four in a window */
	create();
	sample(0, 100);
	fake.now_ns += OVERFLOW_WINDOW_NS;
	for (int k = 0; k < 10; k++)
		nmis += run_some(0, 100) == PV_INJECT_NMI;
	CHECK_EQ(direct_enter(&fake, 0), 0);
	CHECK_EQ(nmis, 4);
	CHECK_EQ(run_page(0)->armed, 0);
	CHECK_EQ(statistics().throttled, 1);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	fake.now_ns += OVERFLOW_WINDOW_NS;
	CHECK_EQ(run_some(0, 1), 0);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(statistics().unthrottled, 1);
	CHECK_EQ(fake_take(&fake, at(0)), 10);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 0), 0);
	CHECK_EQ(pv_u32_load(&fake.vm->timer.throttled), 0);
	fake_vm_destroy(&fake);
}

/* Nothing has been crossed when the window is over: the next overflow has its alarm all the same. */
static void throttling_ends(void)
{
	prepare();
	fake.config.max_sample_rate = 1; /* one in a window */
	create();
	sample(0, 100);
	fake.now_ns += OVERFLOW_WINDOW_NS;
	CHECK_EQ(run_some(0, 100), 0);
	CHECK_EQ(run_some(0, 100), PV_INJECT_NMI);
	CHECK_EQ(statistics().throttled, 1);
	CHECK_EQ(run_some(0, 50), 0);
	fake.now_ns += OVERFLOW_WINDOW_NS;
	CHECK_EQ(run_some(0, 1), 0);
	CHECK_EQ(statistics().unthrottled, 1);
	direct_enter(&fake, 0);
	CHECK_EQ(run_page(0)->armed, 1ull << instructions_all);
	fake_vm_destroy(&fake);
}

/* A frequency: the period goes to where the overflows come that often, whatever the speed. */
static void frequency(void)
{
	uint64_t taken = 0;

	prepare();
	create();
	sample(1 << KVM_PV_PERF_FREQ, 1000);
	for (int k = 0; k < 4000; k++) { /* 2 instructions a ns: a period of 2,000,000 is right */
		fake.now_ns += 50000;
		run_some(0, 100000);
		if (k >= 2000)
			taken += fake_take(&fake, at(0));
		else
			fake_take(&fake, at(0));
	}
	CHECK(taken >= 98 && taken <= 102);
	fake_vm_destroy(&fake);
}

/* An overflow that is noticed late is followed by the next one soon: that is no change of speed. */
static void frequency_late(void)
{
	struct host_event *event;

	prepare();
	create();
	open_sampling(0, PV_HW_INSTRUCTIONS, 1 << KVM_PV_PERF_FREQ, 1000);
	event = fake.last;
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
	for (int k = 0; k < 200; k++) { /* 2 instructions a ns, of which the first 3,990,000 without an exit */
		fake.now_ns += 1995000;
		run_some(0, 3990000);
		fake.now_ns += 5000;
		run_some(0, 10000);
		if (k > 100)
			CHECK(event->overflow.period > 1900000 && event->overflow.period < 2100000);
	}
	fake_vm_destroy(&fake);
}

/* Each step on the way: an eighth of what is missing, and the next overflow lies that much farther on. */
static void frequency_steps(void)
{
	const uint64_t run = 7000, frequency = 1000;
	uint64_t at = 10000, period = 10000, count = 0, last_ns = 0, last_count = 0;
	struct host_event *event;

	prepare();
	create();
	open_sampling(0, PV_HW_INSTRUCTIONS, 1 << KVM_PV_PERF_FREQ, frequency);
	event = fake.last;
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
	for (int k = 0; k < 500; k++) {
		fake.now_ns += 1000 + (uint64_t)(k / 50) * 3000; /* slower and slower */
		run_some(0, run);
		count += run;
		if (count >= at) {
			at += (1 + (count - at) / period) * period;
			if (last_ns) {
				uint64_t right = (count - last_count) * 1000000000 / (fake.now_ns - last_ns) / frequency;
				uint64_t step = right > period ? (right - period + 7) / 8 : -((period - right) / 8);

				period += step;
				at += step;
			}
			last_ns = fake.now_ns;
			last_count = count;
		}
		CHECK_EQ(event->overflow.at, at);
		CHECK_EQ(event->overflow.period, period);
	}
	fake_vm_destroy(&fake);
}

static void park(bool parked)
{
	struct pv_vcpu *vcpu = &fake.vm->vcpus[0];

	pv_mutex_lock(&vcpu->event_mutex);
	pmu_park(vcpu, parked);
	pv_mutex_unlock(&vcpu->event_mutex);
}

/* What a period should be follows from the time that the vCPU ran: HLT says nothing of how fast an event counts. */
static void frequency_idle(void)
{
	struct host_event *event;

	prepare();
	create();
	open_sampling(0, PV_HW_INSTRUCTIONS, 1 << KVM_PV_PERF_FREQ, 1000);
	event = fake.last;
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
	for (int k = 0; k < 300; k++) { /* 2 instructions a ns, and 100 ms of HLT behind every third overflow */
		fake.now_ns += 1000000;
		run_some(0, 2000000);
		if (k % 3 == 0) {
			park(true);
			fake.now_ns += 100000000;
			park(false);
		}
		if (k > 100)
			CHECK(event->overflow.period > 1900000 && event->overflow.period < 2100000);
	}
	fake_vm_destroy(&fake);
}

/* Between an exit and the entry behind it, an overflow is synced by `entry` alone. */
static void sync_policies(void)
{
	static const char *const names[] = { "entry", "every-exit" };

	for (int i = 0; i < 2; i++) {
		prepare();
		fake.config.sync = names[i];
		create();
		sample(0, 100);
		CHECK_EQ(run_some(0, 150), 0);
		sync_after_exit(&fake.vm->vcpus[0]);
		CHECK_EQ(fake_take(&fake, at(0)), i);
		CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
		CHECK_EQ(fake_take(&fake, at(0)), !i);
		fake_vm_destroy(&fake);
	}
}

/* One sync brings the guest's NMI and the agent's, in whatever order their events came. */
static void two_owners(void)
{
	for (uint32_t agents = 0; agents < 2; agents++) {
		prepare();
		create();
		for (uint32_t id = 0; id < 2; id++) {
			open_sampling(id, PV_HW_INSTRUCTIONS, 0, 100);
			CHECK_EQ(direct_op(&fake, 0, ENABLE, id), 0);
			if (id == agents)
				((struct host_event *)fake.last)->agent = true;
		}
		run_some(0, 200);
		CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI | PV_INJECT_AGENT_NMI);
		fake_vm_destroy(&fake);
	}
}

/* The time that a sync holds the lock, where something is queued. */
static void hold(void)
{
	uint64_t before;

	prepare();
	fake.config.hold_us = 50;
	create();
	sample(0, 100);
	before = fake.now_ns;
	CHECK_EQ(run_some(0, 150), 0);
	CHECK_EQ(fake.now_ns, before);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(fake.now_ns, before + 50000);
	fake_vm_destroy(&fake);
}

/* Distances that are drawn have the mean and the spread of an exponential distribution, and depend on the seed alone. */
static void distances(void)
{
	enum { DRAWS = 100000, MEAN = 1000 };
	uint64_t state = spacing_seed(1, 2), again = spacing_seed(1, 2), other = spacing_seed(1, 3);
	uint64_t sum = 0, squares = 0, beyond = 0, differ = 0;

	for (int i = 0; i < DRAWS; i++) {
		uint64_t one = spacing_draw(&state, MEAN);

		CHECK_EQ(spacing_draw(&again, MEAN), one);
		differ += spacing_draw(&other, MEAN) != one;
		sum += one;
		squares += one * one;
		beyond += one > 3 * MEAN; /* e^-3 of them */
	}
	CHECK(differ > DRAWS * 9 / 10);
	CHECK(sum / DRAWS > MEAN * 99 / 100 && sum / DRAWS < MEAN * 101 / 100);
	CHECK(squares / DRAWS > MEAN * MEAN * 196 / 100 && squares / DRAWS < MEAN * MEAN * 204 / 100);
	CHECK(beyond > 4800 && beyond < 5150);
	CHECK_EQ(spacing_draw(&state, 1) >= 1, 1);
}

/* An event whose distances are drawn overflows where they say, however late that is noticed. */
static void drawn(void)
{
	uint64_t state = spacing_seed(7, 0), due = spacing_draw(&state, 100), expected = 0;

	prepare();
	fake.config.poisson = 1;
	fake.config.seed = 7;
	create();
	sample(0, 100);
	for (uint64_t count = 70; count <= 70000; count += 70) {
		run_some(0, 70);
		for (; due <= count; expected++)
			due += spacing_draw(&state, 100);
		CHECK_EQ(statistics().overflows_raised, expected);
	}
	CHECK(expected > 600 && expected < 800);
	direct_enter(&fake, 0);
	CHECK_EQ(fake_take(&fake, at(0)), expected);
	fake_vm_destroy(&fake);
}

/* How long an NMI draws has a bound; what is noticed after a million million instructions is all there. */
static void drawn_late(void)
{
	prepare();
	fake.config.poisson = 1;
	create();
	sample(0, 100);
	run_some(0, 1000000000000);
	CHECK(statistics().overflows_raised > 9990000000);
	CHECK(statistics().overflows_raised < 10010000000);
	fake_vm_destroy(&fake);
}

const struct named_test overflow_tests[] = {
	{ "exact", exact, false },
	{ "alarms", alarms, false },
	{ "period_moves", period_moves, false },
	{ "queued_moves", queued_moves, false },
	{ "nothing_after", nothing_after, false },
	{ "misses", misses, false },
	{ "unwritable", unwritable, false },
	{ "full_word", full_word, false },
	{ "throttling", throttling, false },
	{ "throttling_ends", throttling_ends, false },
	{ "frequency", frequency, false },
	{ "frequency_late", frequency_late, false },
	{ "frequency_steps", frequency_steps, false },
	{ "frequency_idle", frequency_idle, false },
	{ "sync_policies", sync_policies, false },
	{ "two_owners", two_owners, false },
	{ "hold", hold, false },
	{ "distances", distances, false },
	{ "drawn", drawn, false },
	{ "drawn_late", drawn_late, false },
	{ NULL, NULL, false },
};
