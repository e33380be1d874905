/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups under fire: leaders and siblings are opened, moved, read and closed from four vCPUs at once. */
#include <sched.h>
#include <string.h>

#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ, OPEN2 };
enum { PARAMS = 0x1000, EVENTS = 0x4000, EVENT_BYTES = 256, MEMBERS = 3, IDS = 12, OPS = 3000, MOVES = 1200 };

static struct fake_vm fake;
static uint32_t step, opened, closed;

static void create(uint32_t counters)
{
	step = opened = closed = 0;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.counters = counters;
	fake.config.rotate_us = 100;
	CHECK_EQ(fake_vm_create(&fake), 0);
}

static gpa_t at(uint32_t id)
{
	return EVENTS + id * EVENT_BYTES;
}

static int64_t open2(struct guest *guest, int32_t id, int32_t group, uint64_t format, uint64_t period)
{
	gpa_t gpa = PARAMS + guest->vcpu * OPEN_BYTES;
	struct kvm_pv_perf_event_param2 param = { .attr_addr = gpa + 32, .guest_event_addr = at((uint32_t)id),
						  .guest_event_bytes = EVENT_BYTES, .id = id, .group = group };
	struct kvm_pv_perf_attr attr = { .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS,
					 .sample_period = period, .read_format = format };

	memcpy(fake_ram(&fake, gpa), &param, sizeof(param));
	memcpy(fake_ram(&fake, gpa + 32), &attr, sizeof(attr));
	return guest_hypercall(guest, KVM_PERF_OP, OPEN2, gpa, 0);
}

/* Everybody arrives before anybody goes on. */
static void meet(struct guest *guest)
{
	uint32_t arrived = __atomic_fetch_add(&step, 1, __ATOMIC_SEQ_CST);

	guest_wait(guest, &step, (arrived / FAKE_VCPUS + 1) * FAKE_VCPUS);
}

static void exit_port(struct guest *guest)
{
	meet(guest);
	if (guest->vcpu == 0)
		guest_out(guest, PV_PORT_EXIT, 1, 0);
}

static uint64_t word(gpa_t gpa)
{
	return __atomic_load_n((const uint64_t *)fake_ram(&fake, gpa), __ATOMIC_ACQUIRE);
}

static uint32_t sequence(gpa_t event)
{
	return __atomic_load_n((const uint32_t *)fake_ram(&fake, event + 12), __ATOMIC_ACQUIRE);
}

/* Without a hypercall, whatever the others do: members that count the same have the same counts. */
static uint64_t check_snapshot(gpa_t leader)
{
	uint32_t before = sequence(leader);
	uint64_t count = word(leader), enabled = word(leader + 16), running = word(leader + 24), values[MEMBERS];

	for (uint32_t i = 0; i < MEMBERS; i++)
		values[i] = word(leader + 48 + i * 16);
	if (before % 2 || before == 0 || sequence(leader) != before)
		return 0;
	for (uint32_t i = 0; i < MEMBERS; i++)
		CHECK_EQ(values[i], count);
	CHECK(running <= enabled);
	CHECK_EQ(word(leader + 40), MEMBERS);
	return count;
}

static void move_and_look(struct guest *guest)
{
	static const uint64_t ops[] = { ENABLE, READ, READ, DISABLE };
	uint64_t last = 0, seen = 0;
	int32_t rival = MEMBERS + (int32_t)guest->vcpu;

	CHECK_EQ(open2(guest, rival, -1, 0, 0), 0);
	CHECK_EQ(guest_op(guest, ENABLE, (uint64_t)rival), 0);
	if (guest->vcpu == 0)
		for (int32_t id = 0; id < MEMBERS; id++)
			CHECK_EQ(open2(guest, id, id ? 0 : -1, id ? 0 : 11, 0), 0);
	meet(guest);
	for (int i = 0; i < MOVES && !guest->over; i++) {
		uint64_t count;

		CHECK_EQ(guest_op(guest, ops[rng_below(&guest->rng, 4)], 0), 0);
		CHECK_EQ(guest_op(guest, ENABLE, 1), -PV_EINVAL);
		guest_run(guest, 7);
		count = check_snapshot(at(0));
		if (!count)
			continue;
		CHECK(count >= last);
		last = count;
		seen++;
	}
	CHECK(seen > 0);
	exit_port(guest);
}

/* A group is whole at every moment, on whatever vCPU, and taking turns with an event that wants one of its counters. */
static void group_is_whole(void)
{
	create(MEMBERS);
	guests_start(&fake, move_and_look);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

static void one_operation(struct guest *guest)
{
	uint32_t id = rng_below(&guest->rng, IDS), kind = rng_below(&guest->rng, 8);
	int64_t ret;

	if (kind < 3) {
		int32_t group = rng_below(&guest->rng, 3) ? (int32_t)rng_below(&guest->rng, IDS) : -1;

		ret = open2(guest, (int32_t)id, group, group < 0 ? 15 : 7, rng_below(&guest->rng, 2) * 50);
		CHECK(ret == 0 || ret == -PV_EEXIST || ret == -PV_ENOENT || ret == -PV_EINVAL);
		if (!ret)
			word_add(&opened, 1);
		return;
	}
	ret = guest_op(guest, kind == 3 ? CLOSE : ENABLE + kind % 3, id);
	CHECK(ret == 0 || ret == -PV_ENOENT || (ret == -PV_EINVAL && kind != 3));
	if (!ret && kind == 3)
		word_add(&closed, 1);
}

static void hammer(struct guest *guest)
{
	for (int i = 0; i < OPS && !guest->over; i++) {
		one_operation(guest);
		guest_run(guest, 13);
	}
	meet(guest);
	if (guest->vcpu == 0)
		for (uint32_t id = 0; id < IDS; id++)
			if (guest_op(guest, CLOSE, id) == 0)
				word_add(&closed, 1);
	exit_port(guest);
}

/* Nothing is left behind: no event, no lock of a leader, no counter, and every overflow is accounted for. */
static void groups_under_fire(void)
{
	struct pv_vm_statistics figures;
	struct pv_vm_end end;

	create(3);
	guests_start(&fake, hammer);
	fake_end(&fake, &end);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_open, 0);
	CHECK_EQ(figures.events_allocated, 0);
	CHECK_EQ(figures.events_opened, opened);
	CHECK_EQ(opened, closed);
	CHECK(opened > IDS);
	CHECK(figures.overflows_raised > 0);
	CHECK_EQ(figures.overflows_raised, figures.overflows_delivered + figures.overflows_dropped);
	for (int i = 0; i < FAKE_VCPUS; i++) {
		CHECK_EQ(fake.vm->vcpus[i].pmu.attached, 0);
		CHECK_EQ(fake.vm->vcpus[i].pmu.used, 0);
		CHECK_EQ(fake.vm->vcpus[i].pmu.sampling, 0);
	}
	guests_finish(&fake, PV_END_EXIT_PORT);
}

const struct named_test group_race_tests[] = {
	{ "group_is_whole", group_is_whole, false },
	{ "groups_under_fire", groups_under_fire, false },
	{ NULL, NULL, false },
};
