/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups, which count together: moved, closed in part, taking turns. */
#include <string.h>

#include "core_version2.h"

/* The mail's scenario 1, of three events that stay together. */
static void groups_move(void)
{
	const struct kvm_pv_perf_event2 *leader;

	create(4);
	leader = event_of(0);
	CHECK_EQ(open_in(0, -1, GROUP | ID | TIMES), 0);
	CHECK_EQ(open_in(1, 0, ID | TIMES), 0);
	put2(2, 0, 0);
	attr->flags = USER_ONLY;
	CHECK_EQ(open2(), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), -PV_EINVAL);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), -PV_EINVAL);
	ok(ENABLE, 0);
	ok(ENABLE, 0); /* again: no double count */
	direct_run(&fake, 0, 0, 1000);
	direct_run(&fake, 0, 1, 10);
	fake.now_ns += 500;
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 2), -PV_EINVAL);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
	direct_run(&fake, 0, 0, 77777);
	direct_run(&fake, 1, 0, 200);
	direct_run(&fake, 1, 1, 5);
	fake.now_ns += 20;
	ok(READ, 0);
	CHECK_EQ(leader->count, 1217);
	CHECK_EQ(leader->time_enabled, 520);
	CHECK_EQ(leader->time_running, 520);
	CHECK_EQ(leader->nr, 3);
	for (uint64_t i = 0; i < 3; i++) {
		CHECK_EQ(leader->member[i].id, i + 1);
		CHECK_EQ(leader->member[i].value, i == 2 ? 15 : 1217);
	}
	CHECK_EQ(event_of(1)->count, 0);
	CHECK_EQ(read_count(1), 1217);
	CHECK_EQ(event_of(1)->time_enabled, 520);
	CHECK_EQ(event_of(1)->id, 2);
	direct_run(&fake, 1, 1, 1);
	CHECK_EQ(direct_op(&fake, 1, DISABLE, 0), 0);
	CHECK_EQ(leader->count, 1218);
	CHECK_EQ(event_of(1)->count, 1218); /* DISABLE is the whole group's */
	CHECK_EQ(event_of(2)->count, 16);
	direct_run(&fake, 1, 1, 50);
	CHECK_EQ(read_count(2), 16);
	fake_vm_destroy(&fake);
}

/* A sibling that is closed leaves the others running as they are; its counter is free. */
static void sibling_leaves(void)
{
	create(2);
	CHECK_EQ(open_in(0, -1, GROUP | TIMES), 0);
	CHECK_EQ(open_in(1, 0, 0), 0);
	open_clock(2, 0, 0, 0);
	CHECK_EQ(open_in(3, -1, 0), 0);
	ok(ENABLE, 0);
	ok(ENABLE, 3); /* waits */
	direct_run(&fake, 0, 0, 10);
	fake.now_ns += 100;
	CHECK_EQ(read_count(3), 0);
	event_of(1)->count = 1234;
	ok(CLOSE, 1);
	CHECK_EQ(event_of(1)->count, 1234);
	CHECK_EQ(direct_op(&fake, 0, READ, 1), -PV_ENOENT);
	direct_run(&fake, 0, 0, 5);
	fake.now_ns += 100;
	CHECK_EQ(read_count(3), 7); /* CLOSE itself and the READ behind it, as it was enabled before */
	ok(READ, 0);
	CHECK_EQ(event_of(0)->nr, 2);
	CHECK_EQ(event_of(0)->member[0].value, 15 + 5);
	CHECK_EQ(event_of(0)->member[1].value, 200);
	CHECK_EQ(event_of(0)->time_running, 200);
	ok(CLOSE, 2);
	ok(READ, 0);
	CHECK_EQ(event_of(0)->nr, 1);
	CHECK_EQ(fake.vm->vcpus[0].pmu.attached, 2);
	CHECK_EQ(fake.vm->vcpus[0].pmu.used, 2);
	fake_vm_destroy(&fake);
}

/* A group whose last counter goes with a sibling need not wait for its turn any more. */
static void last_counter_leaves(void)
{
	create(1);
	CHECK_EQ(open_in(9, -1, 0), 0);
	ok(ENABLE, 9);
	open_clock(0, -1, TIMES, 0);
	CHECK_EQ(open_in(1, 0, 0), 0);
	ok(ENABLE, 0);
	fake.now_ns += 100;
	CHECK_EQ(read_count(0), 0); /* 9 has the counter, so the clock waits with its sibling */
	ok(CLOSE, 1);
	fake.now_ns += 30;
	CHECK_EQ(read_count(0), 30);
	CHECK_EQ(event_of(0)->time_enabled, 130);
	CHECK_EQ(event_of(0)->time_running, 30);
	CHECK_EQ(fake.vm->vcpus[0].pmu.attached, 1);
	ok(DISABLE, 0);
	ok(CLOSE, 9);
	CHECK_EQ(fake.vm->vcpus[0].pmu.attached, 0);
	CHECK_EQ(fake.vm->vcpus[0].pmu.used, 0);
	fake_vm_destroy(&fake);
}

/* A leader that is closed stops its group, as DISABLE does; then its siblings are events like any other. */
static void leader_closes(void)
{
	struct pv_vm_statistics figures;

	create(4);
	CHECK_EQ(open_in(0, -1, GROUP), 0);
	CHECK_EQ(open_in(1, 0, 0), 0);
	CHECK_EQ(open_in(2, 0, TIMES), 0);
	ok(ENABLE, 0);
	direct_run(&fake, 0, 0, 40);
	fake.now_ns += 9;
	event_of(0)->count = 1234;
	ok(CLOSE, 0);
	CHECK_EQ(event_of(0)->count, 1234);
	CHECK_EQ(event_of(1)->count, 40);
	CHECK_EQ(event_of(2)->count, 40);
	CHECK_EQ(event_of(2)->time_running, 9);
	direct_run(&fake, 0, 0, 1000);
	CHECK_EQ(read_count(1), 40);
	CHECK_EQ(open_in(0, 1, 0), 0); /* the id is free; 1 leads now */
	ok(ENABLE, 1);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 2), 0); /* and 2 goes elsewhere */
	direct_run(&fake, 0, 0, 5);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), -PV_EINVAL);
	ok(CLOSE, 1);
	CHECK_EQ(event_of(0)->count, 5);
	ok(CLOSE, 2);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_open, 1);
	CHECK_EQ(figures.events_allocated, 2); /* the first leader's lock is still in use */
	ok(CLOSE, 0);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_allocated, 0);
	fake_vm_destroy(&fake);
}

/* Two counters; A needs both, B and C one each. None runs in part, and none overtakes another. */
static void groups_rotate(void)
{
	/* in order: ABC, then BCA, then CAB: there A needs more than C leaves */
	static const uint64_t a_runs[] = { 1, 0, 0, 1, 0, 0 }, b_runs[] = { 0, 1, 0, 0, 1, 0 };
	uint64_t a = 0, b = 0, a_ns = 0, b_ns = 0, step = 1;

	create(2);
	CHECK_EQ(open_in(0, -1, GROUP | TIMES), 0); /* A */
	CHECK_EQ(open_in(1, 0, TIMES), 0);
	CHECK_EQ(open_in(2, -1, TIMES), 0); /* B */
	CHECK_EQ(open_in(3, -1, TIMES), 0); /* C */
	open_clock(4, 2, TIMES, 0); /* B's clock stops with it */
	ok(ENABLE, 0);
	ok(ENABLE, 2);
	ok(ENABLE, 3);
	CHECK_EQ(direct_op(&fake, 1, READ, 0), 0);
	a = event_of(0)->count;
	for (int i = 0; i < 6; i++, step *= 10) {
		direct_run(&fake, 0, 1, step);
		fake.now_ns += step;
		a += a_runs[i] * step;
		b += b_runs[i] * step;
		a_ns += a_runs[i] * step;
		b_ns += b_runs[i] * step;
		rotate();
	}
	for (uint32_t id = 0; id < 5; id++)
		CHECK_EQ(direct_op(&fake, 1, READ, id), 0);
	CHECK_EQ(event_of(0)->member[0].value, event_of(0)->member[1].value);
	CHECK_EQ(event_of(1)->count, event_of(0)->count);
	CHECK_EQ(event_of(0)->time_enabled, 111111);
	CHECK_EQ(event_of(0)->time_running, a_ns);
	CHECK_EQ(event_of(1)->time_running, a_ns);
	CHECK_EQ(event_of(2)->time_enabled, 111111);
	CHECK_EQ(event_of(2)->time_running, b_ns);
	CHECK_EQ(event_of(4)->time_running, b_ns);
	CHECK_EQ(event_of(4)->count, b_ns);
	CHECK_EQ(event_of(0)->count, a);
	CHECK_EQ(event_of(2)->count, b);
	CHECK_EQ(event_of(3)->time_running, 110110);
	fake_vm_destroy(&fake);
}

/* Breakpoints of a group get their slots all or none, and count only while the group runs. */
static void breakpoints(void)
{
	create(1);
	for (int32_t id = 0; id < 2 * PV_BREAKPOINTS; id++) {
		struct host_event *event;

		CHECK_EQ(open_in(id, -1, 0), 0);
		event = fake.last;
		event->source.kind = SOURCE_BREAKPOINT;
		event->counters = 0;
		event->breakpoints = 1;
	}
	for (uint32_t id = 0; id < PV_BREAKPOINTS; id++)
		ok(ENABLE, id);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, PV_BREAKPOINTS), -PV_ENOSPC);
	ok(DISABLE, 2);
	ok(ENABLE, PV_BREAKPOINTS);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 2), -PV_ENOSPC);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 2), 0); /* another vCPU has its own */
	direct_enter(&fake, 0);
	CHECK_EQ(fake.vm->vcpus[0].run->wanted, 15u << PV_COUNT_BREAKPOINT);
	fake_vm_destroy(&fake);
}

/* ENABLE on a vCPU that has too few slots leaves the event where it runs. */
static void refused_move(void)
{
	create(1);
	for (int32_t id = 0; id <= PV_BREAKPOINTS; id++) {
		put2(id, -1, 0);
		*attr = (struct kvm_pv_perf_attr){ .type = PV_TYPE_BREAKPOINT, .bp_type = PV_BP_W, .bp_addr = EVENTS,
						   .bp_len = 8 };
		CHECK_EQ(open2(), 0);
		CHECK_EQ(direct_op(&fake, id < PV_BREAKPOINTS, ENABLE, (uint64_t)id), 0);
	}
	CHECK_EQ(direct_op(&fake, 1, ENABLE, PV_BREAKPOINTS), -PV_ENOSPC);
	fake.vm->vcpus[0].run->count[PV_COUNT_BREAKPOINT][PV_CPL_KERNEL] += 3;
	CHECK_EQ(read_count(PV_BREAKPOINTS), 3);
	ok(DISABLE, 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, PV_BREAKPOINTS), 0);
	fake.vm->vcpus[0].run->count[PV_COUNT_BREAKPOINT][PV_CPL_KERNEL] += 3;
	fake.vm->vcpus[1].run->count[PV_COUNT_BREAKPOINT][PV_CPL_KERNEL] += 4; /* in the slot that came free */
	CHECK_EQ(read_count(PV_BREAKPOINTS), 7);
	CHECK_EQ(fake.vm->vcpus[1].pmu.promised, 0);
	fake_vm_destroy(&fake);
}

static char panic_text[512];

static void note_panic(void *context, const char *text)
{
	(void)context;
	strncpy(panic_text, text, sizeof(panic_text) - 1);
}

static void read_sibling(void *arg)
{
	(void)arg;
	direct_op(&fake, 0, READ, 1);
}

/* A sibling's lock is its leader's, also when that is closed; without references it has gone with it. */
static void lock_outlives_leader(void)
{
	static const char *const names[] = { "per-vm", "no-refcount" };

	for (int breaks = 0; breaks < 2; breaks++) {
		struct pv_thread self = { .name = "tester", .panic = note_panic };
		uint32_t panicked = 0;

		self.panicked = &panicked;
		panic_text[0] = 0;
		prepare(2);
		fake.config.design = names[breaks];
		CHECK_EQ(fake_vm_create(&fake), 0);
		pv_thread_adopt(&self);
		direct_boot(&fake);
		CHECK_EQ(open_in(0, -1, 0), 0);
		CHECK_EQ(open_in(1, 0, 0), 0);
		ok(CLOSE, 0);
		CHECK_EQ(pv_guarded(read_sibling, NULL), !breaks);
		CHECK_EQ(!strstr(panic_text, "in READ locks event 0 after tester in CLOSE freed it"), !breaks);
		pv_thread_adopt(NULL);
		fake_vm_destroy(&fake);
	}
}

const struct named_test group_tests[] = {
	{ "groups_move", groups_move, false },
	{ "sibling_leaves", sibling_leaves, false },
	{ "last_counter_leaves", last_counter_leaves, false },
	{ "leader_closes", leader_closes, false },
	{ "groups_rotate", groups_rotate, false },
	{ "breakpoints", breakpoints, false },
	{ "refused_move", refused_move, false },
	{ "lock_outlives_leader", lock_outlives_leader, false },
	{ NULL, NULL, false },
};
