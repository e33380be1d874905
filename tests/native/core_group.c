/* SPDX-License-Identifier: GPL-2.0-only */
/* Version 2: OPEN2, read formats, and groups, one vCPU's exits at a time. */
#include <stddef.h>
#include <string.h>

#include "core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ, OPEN2 };
enum { PARAM = 0x1000, EVENTS = 0x2000, EVENT_BYTES = 256, ALL = FAKE_RAM - EVENTS };
enum { USER_ONLY = 1 << KVM_PV_PERF_EXCLUDE_KERNEL };
enum {
	ENABLED = KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED,
	RUNNING = KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING,
	ID = KVM_PV_PERF_FORMAT_ID,
	GROUP = KVM_PV_PERF_FORMAT_GROUP,
	TIMES = ENABLED | RUNNING,
};

static struct fake_vm fake;

static void prepare(uint32_t counters)
{
	fake_vm_init(&fake, 2);
	fake.config.counters = counters;
	fake.now_ns = 1000;
}

static void create(uint32_t counters)
{
	prepare(counters);
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static gpa_t at(uint32_t id)
{
	return EVENTS + id * EVENT_BYTES;
}

static struct kvm_pv_perf_event2 *event_of(uint32_t id)
{
	return fake_ram(&fake, at(id));
}

/* What OPEN2 is given; the test changes what it is about. */
static struct kvm_pv_perf_event_param2 *param;
static struct kvm_pv_perf_attr *attr;

static void put2(int32_t id, int32_t group, uint64_t format)
{
	param = fake_ram(&fake, PARAM);
	attr = fake_ram(&fake, PARAM + 32);
	*param = (struct kvm_pv_perf_event_param2){ .attr_addr = PARAM + 32, .guest_event_addr = at((uint32_t)id),
						    .guest_event_bytes = EVENT_BYTES, .id = id, .group = group };
	*attr = (struct kvm_pv_perf_attr){ .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS,
					   .read_format = format };
}

static int64_t open2_on(uint32_t vcpu)
{
	return direct_hypercall(&fake, vcpu, KVM_PERF_OP, OPEN2, PARAM, 0);
}

static int64_t open2(void)
{
	return open2_on(0);
}

static int64_t open_in(int32_t id, int32_t group, uint64_t format)
{
	put2(id, group, format);
	return open2();
}

static void open_clock(int32_t id, int32_t group, uint64_t format, uint64_t period)
{
	put2(id, group, format);
	attr->type = PV_TYPE_SOFTWARE;
	attr->config = PV_SW_CPU_CLOCK;
	attr->sample_period = period;
	CHECK_EQ(open2(), 0);
}

static void ok(uint64_t op, uint32_t id)
{
	CHECK_EQ(direct_op(&fake, 0, op, id), 0);
}

static uint64_t read_count(uint32_t id)
{
	ok(READ, id);
	return event_of(id)->count;
}

static void rotate(void)
{
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex);
	pmu_rotate(&fake.vm->vcpus[0]);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
}

static void open2_errors(void)
{
	const gpa_t last = FAKE_RAM - sizeof(*param);

	create(2);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN2, 1ull << 32, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN2, PARAM, 1ull << 32), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN2, PARAM, 1), -PV_EFAULT);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN2, last + 1, 0), -PV_EFAULT);
	/* one wrong thing more in each row, each in front of those before */
	put2(1, -1, 0);
	param->guest_event_addr = FAKE_RAM - 4;
	CHECK_EQ(open2(), -PV_EFAULT);
	param->guest_event_bytes = 15;
	CHECK_EQ(open2(), -PV_EINVAL);
	param->guest_event_bytes = EVENT_BYTES;
	param->group = 9; /* there is none */
	CHECK_EQ(open2(), -PV_EFAULT);
	attr->read_format = GROUP; /* of a sibling */
	CHECK_EQ(open2(), -PV_EINVAL);
	attr->read_format = GROUP | 16;
	CHECK_EQ(open2(), -PV_EOPNOTSUPP);
	attr->type = 77;
	CHECK_EQ(open2(), -PV_ENOENT);
	attr->read_format = GROUP | 32;
	CHECK_EQ(open2(), -PV_EINVAL);
	param->attr_addr = FAKE_RAM - 71;
	CHECK_EQ(open2(), -PV_EFAULT);
	param->reserved = 1;
	CHECK_EQ(open2(), -PV_EINVAL);
	param->reserved = 0;
	param->group = -2;
	CHECK_EQ(open2(), -PV_EINVAL);
	param->group = -1;
	param->id = -1;
	CHECK_EQ(open2(), -PV_EINVAL);
	for (gpa_t off = 1; off < 8; off++) {
		put2(1, -1, 0);
		param->guest_event_addr += off;
		CHECK_EQ(open2(), -PV_EINVAL);
	}
	CHECK_EQ(fake.allocations - fake.live, 0);
	fake_vm_destroy(&fake);
}

/* The errors that groups have, in front of those of the table. */
static void group_errors(void)
{
	prepare(2);
	fake.config.max_events = 3;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	CHECK_EQ(open_in(1, 1, 0), -PV_ENOENT); /* its own leader */
	CHECK_EQ(open_in(1, -1, GROUP), 0);
	CHECK_EQ(open_in(1, -1, 0), -PV_EEXIST);
	CHECK_EQ(open_in(1, 1, 0), -PV_EEXIST);
	CHECK_EQ(open_in(2, 7, 0), -PV_ENOENT);
	CHECK_EQ(open_in(2, 1, 0), 0);
	CHECK_EQ(open_in(2, 2, 0), -PV_EINVAL); /* 2 is a sibling; in front of -EEXIST */
	CHECK_EQ(open_in(2, 1, 0), -PV_EINVAL); /* a third counter, of two */
	open_clock(3, 1, 0, 0);
	put2(4, 1, 0);
	attr->type = PV_TYPE_SOFTWARE;
	CHECK_EQ(open2(), -PV_ENOSPC); /* the limit */
	ok(CLOSE, 3);
	ok(ENABLE, 1);
	CHECK_EQ(open2(), -PV_EINVAL); /* the group runs */
	ok(DISABLE, 1);
	CHECK_EQ(open2(), 0);
	CHECK_EQ(event_of(1)->nr, 2);
	ok(READ, 1);
	CHECK_EQ(event_of(1)->nr, 3); /* what failed has left nothing behind */
	fake_vm_destroy(&fake);
}

/* Every format, at every boundary of the room that it needs. */
static void room(void)
{
	for (uint32_t format = 0; format < 16; format++) {
		uint32_t need = format & GROUP ? 64 : format & ID ? 40 : format & RUNNING ? 32 : format & ENABLED ? 24 : 16;

		create(4);
		put2(1, -1, format);
		for (uint32_t bytes = 0; bytes < need; bytes++) {
			param->guest_event_bytes = bytes;
			param->guest_event_addr = FAKE_RAM - bytes;
			CHECK_EQ(open2(), -PV_EINVAL);
		}
		param->guest_event_bytes = UINT32_MAX;
		CHECK_EQ(open2(), -PV_EFAULT);
		param->guest_event_bytes = need;
		param->guest_event_addr = FAKE_RAM - (need & ~7u) + 8;
		CHECK_EQ(open2(), -PV_EFAULT);
		param->guest_event_addr = FAKE_RAM - need;
		CHECK_EQ(open2(), 0);
		ok(ENABLE, 1);
		ok(DISABLE, 1);
		CHECK_EQ(open_in(2, 1, 0), format & GROUP ? -PV_ENOSPC : 0);
		fake_vm_destroy(&fake);
	}
}

/* Siblings are taken for as long as the leader's memory has room for them. */
static void room_for_siblings(void)
{
	for (uint32_t bytes = 64; bytes < 64 + 3 * 16; bytes++) {
		uint32_t siblings = (bytes - 64) / 16, behind = 64 + siblings * 16;
		uint8_t *memory;

		create(8);
		memory = fake_ram(&fake, at(0));
		memset(memory, 0xa5, EVENT_BYTES);
		put2(0, -1, GROUP);
		param->guest_event_bytes = bytes;
		CHECK_EQ(open2(), 0);
		for (uint32_t i = 1; i <= siblings; i++)
			CHECK_EQ(open_in((int32_t)i, 0, 0), 0);
		CHECK_EQ(open_in(9, 0, 0), -PV_ENOSPC);
		ok(ENABLE, 0);
		ok(DISABLE, 0);
		CHECK_EQ(event_of(0)->nr, siblings + 1);
		for (uint32_t i = behind; i < EVENT_BYTES; i++)
			CHECK_EQ(memory[i], 0xa5);
		if (siblings) {
			ok(CLOSE, 1);
			CHECK_EQ(open_in(9, 0, 0), 0);
		}
		CHECK_EQ(open_in(10, 0, 0), -PV_ENOSPC);
		fake_vm_destroy(&fake);
	}
}

/* What was asked for is stored, and nothing else. */
static void formats(void)
{
	const struct kvm_pv_perf_event2 *event;

	for (uint32_t format = 0; format < 16; format++) {
		struct kvm_pv_perf_event2 untouched;

		create(1);
		event = event_of(1);
		memset(&untouched, 0xa5, sizeof(untouched));
		memset(fake_ram(&fake, at(1)), 0xa5, EVENT_BYTES);
		CHECK_EQ(open_in(1, -1, format), 0);
		CHECK_EQ(event->sequence, untouched.sequence); /* OPEN2 writes nothing */
		ok(ENABLE, 1);
		direct_run(&fake, 0, 0, 100);
		fake.now_ns += 70;
		ok(READ, 1);
		CHECK_EQ(event->count, 100);
		CHECK_EQ(event->overflows, untouched.overflows);
		CHECK_EQ(event->sequence, 2);
		CHECK_EQ(event->time_enabled, format & ENABLED ? 70 : untouched.time_enabled);
		CHECK_EQ(event->time_running, format & RUNNING ? 70 : untouched.time_running);
		CHECK_EQ(event->id, format & ID ? 1 : untouched.id);
		CHECK_EQ(event->nr, format & GROUP ? 1 : untouched.nr);
		CHECK_EQ(event->member[0].value, format & GROUP ? 100 : untouched.id);
		CHECK_EQ(event->member[0].id, (format & (GROUP | ID)) == (GROUP | ID) ? 1 : untouched.id);
		CHECK_EQ(event->member[1].value, untouched.id);
		ok(DISABLE, 1);
		CHECK_EQ(event->sequence, 4);
		CHECK_EQ(event->count, 101);
		fake_vm_destroy(&fake);
	}
}

/* An id is given once, also when the guest's own is used again. Version 1 knows none of this. */
static void unique_ids(void)
{
	create(1);
	for (uint64_t i = 1; i <= 3; i++) {
		CHECK_EQ(open_in(1, -1, ID), 0);
		ok(READ, 1);
		CHECK_EQ(event_of(1)->id, i);
		ok(CLOSE, 1);
	}
	for (uint64_t format = 1; format < 32; format++) {
		put_open(&fake, PARAM, 1, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, at(2));
		((struct kvm_pv_perf_attr *)fake_ram(&fake, PARAM + 32))->read_format = format;
		CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EOPNOTSUPP);
	}
	put_open(&fake, PARAM, 1, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, at(2));
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	memset(fake_ram(&fake, at(2)), 0xa5, 64);
	ok(READ, 1);
	CHECK_EQ(event_of(2)->count, 0);
	CHECK_EQ(event_of(2)->sequence, 0xa5a5a5a5); /* its padding */
	fake_vm_destroy(&fake);
}

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

static uint32_t raised(uint32_t vcpu, uint64_t instructions)
{
	uint32_t inject = direct_enter(&fake, vcpu);

	direct_run(&fake, vcpu, 0, instructions);
	direct_exit(&fake, vcpu, PV_EXIT_OVERFLOW);
	return inject;
}

static void check_ledger(uint64_t expected)
{
	struct pv_vm_statistics ret;

	vm_statistics(fake.vm, &ret);
	CHECK_EQ(ret.overflows_raised, expected);
	CHECK_EQ(ret.overflows_raised, ret.overflows_delivered + ret.overflows_in_shadow + ret.overflows_dropped);
}

/* Members that sample, each exact, across a rotation and a move; with every trylock lost, too. */
static void siblings_sample(void)
{
	for (uint32_t lost = 0; lost <= 1000; lost += 1000) {
		prepare(2);
		fake.config.fault_permille[PV_FAULT_TRYLOCK] = lost;
		CHECK_EQ(fake_vm_create(&fake), 0);
		direct_boot(&fake);
		CHECK_EQ(open_in(0, -1, GROUP | TIMES), 0);
		for (int32_t id = 1; id < 4; id++) {
			put2(id, id < 2 ? 0 : -1, 0);
			attr->sample_period = id * 100;
			CHECK_EQ(open2(), 0);
		}
		ok(ENABLE, 0);
		CHECK_EQ(raised(0, 250), 0);
		CHECK_EQ(raised(0, 50), lost ? 0 : PV_INJECT_NMI);
		ok(ENABLE, 2); /* waits */
		rotate();
		raised(0, 1000);
		CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
		CHECK_EQ(raised(1, 98), lost ? PV_INJECT_NMI : 0); /* what it brought is queued where it goes on */
		CHECK_EQ(direct_op(&fake, 1, ENABLE, 2), 0);
		CHECK_EQ(raised(1, 1), PV_INJECT_NMI); /* 2 has brought some, too */
		CHECK_EQ(direct_op(&fake, 1, DISABLE, 0), 0);
		CHECK_EQ(event_of(1)->overflows, 4); /* 301 on vCPU 0, 100 on 1 */
		CHECK_EQ(direct_op(&fake, 1, DISABLE, 2), 0);
		CHECK_EQ(event_of(2)->overflows, (int32_t)(event_of(2)->count / 200));
		CHECK_EQ(event_of(0)->member[1].value, event_of(1)->count);
		CHECK_EQ(event_of(1)->count, 401);
		check_ledger(4 + event_of(2)->count / 200);
		fake_vm_destroy(&fake);
	}
}

/* A clock that samples in a group that takes turns: what was crossed before it stopped is not late for good. */
static void sampled_clock_takes_turns(void)
{
	create(1);
	CHECK_EQ(open_in(0, -1, GROUP | TIMES), 0);
	open_clock(1, 0, TIMES, 1000);
	CHECK_EQ(open_in(2, -1, 0), 0);
	ok(ENABLE, 0);
	ok(ENABLE, 2);
	fake.now_ns += 3500; /* the timer has not looked */
	rotate();
	fake.now_ns += 100000;
	CHECK_EQ(clock_events_run(fake.vm), UINT64_MAX);
	rotate();
	CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + 500);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(event_of(1)->overflows, 3);
	CHECK_EQ(event_of(1)->time_running, 3500); /* the sync gives all of it */
	CHECK_EQ(event_of(1)->count, 3500);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	fake.now_ns += 600;
	ok(DISABLE, 0);
	CHECK_EQ(event_of(1)->overflows, 4);
	check_ledger(4);
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

/* `posted` is of version 1, and says so; without references, a sibling's lock goes with its leader. */
static void other_designs(void)
{
	prepare(2);
	fake.config.design = "posted";
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	CHECK_EQ(fake.config.page->pv_perf, 1);
	CHECK_EQ(open_in(0, -1, 0), -PV_EINVAL);
	fake_vm_destroy(&fake);

	prepare(2);
	fake.config.design = "per-vcpu";
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	CHECK_EQ(fake.config.page->pv_perf, 2);
	CHECK_EQ(open_in(0, -1, 0), 0);
	put2(1, 0, 0);
	CHECK_EQ(open2_on(1), -PV_ENOENT);
	CHECK_EQ(open2_on(0), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), -PV_ENOENT);
	ok(ENABLE, 0);
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

const struct core_test group_tests[] = {
	{ "open2_errors", open2_errors, false },
	{ "group_errors", group_errors, false },
	{ "room", room, false },
	{ "room_for_siblings", room_for_siblings, false },
	{ "formats", formats, false },
	{ "unique_ids", unique_ids, false },
	{ "groups_move", groups_move, false },
	{ "sibling_leaves", sibling_leaves, false },
	{ "last_counter_leaves", last_counter_leaves, false },
	{ "leader_closes", leader_closes, false },
	{ "groups_rotate", groups_rotate, false },
	{ "siblings_sample", siblings_sample, false },
	{ "sampled_clock_takes_turns", sampled_clock_takes_turns, false },
	{ "breakpoints", breakpoints, false },
	{ "refused_move", refused_move, false },
	{ "other_designs", other_designs, false },
	{ "lock_outlives_leader", lock_outlives_leader, false },
	{ NULL, NULL, false },
};
