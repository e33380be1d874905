/* SPDX-License-Identifier: GPL-2.0-only */
/* vCPUs against each other: the limit, migration, reading and stopping what runs elsewhere. */
#include <sched.h>

#include "core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAMS = 0x1000, EVENTS = 0x4000 };

static struct fake_vm fake;
static uint32_t progress, opened, step;

static void create(uint32_t vcpus)
{
	progress = opened = step = 0;
	fake_vm_init(&fake, vcpus);
	CHECK_EQ(fake_vm_create(&fake), 0);
}

static gpa_t event_of(uint32_t n)
{
	return EVENTS + n * 16;
}

static int64_t open_event(struct guest *guest, uint32_t id, uint64_t config, uint32_t slot)
{
	gpa_t params = PARAMS + guest->vcpu * OPEN_BYTES;

	put_open(&fake, params, (int32_t)id, PV_TYPE_HARDWARE, config, 0, event_of(slot));
	return guest_open(guest, params);
}

/* Everybody arrives before anybody goes on. */
static void meet(struct guest *guest)
{
	uint32_t n = fake.config.vcpus, arrived = __atomic_fetch_add(&step, 1, __ATOMIC_SEQ_CST);

	guest_wait(guest, &step, (arrived / n + 1) * n);
}

static void exit_port(struct guest *guest)
{
	meet(guest);
	if (guest->vcpu == 0)
		guest_out(guest, PV_PORT_EXIT, 1, 0);
}

enum { LIMIT = 100, DUPLICATES = 1250 };

/* 4 x 50 opens for 100 slots, each id tried by two vCPUs; then duplicates; then all again. */
static void open_to_the_limit(struct guest *guest)
{
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 2 * LIMIT; i++) {
			uint32_t id = (i + guest->vcpu * 50) % (2 * LIMIT);
			int64_t ret = open_event(guest, id, 1, 0);

			CHECK(ret == 0 || ret == -PV_EEXIST || ret == -PV_ENOSPC);
			if (ret == 0)
				word_add(&opened, 1);
		}
		meet(guest);
		CHECK_EQ(word_load(&opened), LIMIT);
		for (uint32_t i = 0; i < DUPLICATES; i++) {
			int64_t ret = open_event(guest, i % (2 * LIMIT), 1, 0);

			CHECK(ret == -PV_EEXIST || ret == -PV_ENOSPC);
		}
		meet(guest);
		for (uint32_t id = 0; id < 2 * LIMIT; id++)
			if (guest_op(guest, CLOSE, id) == 0)
				__atomic_sub_fetch(&opened, 1, __ATOMIC_SEQ_CST);
		meet(guest);
		CHECK_EQ(word_load(&opened), 0);
		meet(guest);
	}
	exit_port(guest);
}

static void limit(void)
{
	struct pv_vm_statistics figures;
	struct pv_vm_end end;

	progress = opened = step = 0;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.max_events = LIMIT;
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, open_to_the_limit);
	fake_end(&fake, &end);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_open, 0);
	CHECK_EQ(figures.events_open_peak, LIMIT);
	CHECK_EQ(figures.events_opened, 2 * LIMIT);
	CHECK_EQ(figures.events_allocated, 0);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

/* Enabled on 0, then 1, then 2, while 3 reads all the time. Each vCPU runs a known number. */
static void migrate(struct guest *guest)
{
	uint64_t last = 0;

	if (guest->vcpu == 0)
		CHECK_EQ(open_event(guest, 9, PV_HW_INSTRUCTIONS, 9), 0);
	meet(guest);
	if (guest->vcpu == 3) {
		while (!guest->over && word_load(&progress) < 3) {
			CHECK_EQ(guest_op(guest, READ, 9), 0);
			CHECK(fake_count(&fake, event_of(9)) >= last);
			last = fake_count(&fake, event_of(9));
		}
		CHECK_EQ(guest_op(guest, DISABLE, 9), 0);
		CHECK_EQ(fake_count(&fake, event_of(9)), 1000 + 2000 + 3000 + 2);
		exit_port(guest);
		return;
	}
	guest_wait(guest, &progress, guest->vcpu);
	CHECK_EQ(guest_op(guest, ENABLE, 9), 0);
	for (uint32_t i = 0; i < (guest->vcpu + 1) * 1000; i++)
		guest_run(guest, 1);
	if (guest->vcpu < 2)
		CHECK_EQ(guest_op(guest, READ, 9), 0); /* counts for one each */
	word_add(&progress, 1);
	exit_port(guest);
}

static void migration(void)
{
	for (int i = 0; i < 20; i++) {
		create(FAKE_VCPUS);
		guests_start(&fake, migrate);
		guests_finish(&fake, PV_END_EXIT_PORT);
	}
}

enum { CROSS_READS = 1500 };

/* Everybody reads everybody's running events at the same time, and runs in between. */
static void read_all(struct guest *guest)
{
	uint64_t last[FAKE_VCPUS] = { 0 }, before, n = fake.config.vcpus;

	CHECK_EQ(open_event(guest, guest->vcpu, PV_HW_INSTRUCTIONS, guest->vcpu), 0);
	CHECK_EQ(guest_op(guest, ENABLE, guest->vcpu), 0);
	before = guest->ran;
	meet(guest);
	for (uint32_t i = 0; i < CROSS_READS && !guest->over; i++) {
		uint32_t other = (uint32_t)((guest->vcpu + 1 + i % (n - 1)) % n);

		CHECK_EQ(guest_op(guest, READ, other), 0);
		CHECK(fake_count(&fake, event_of(other)) >= last[other]);
		last[other] = fake_count(&fake, event_of(other));
		guest_run(guest, 17);
	}
	meet(guest);
	before = guest->ran - before;
	CHECK_EQ(guest_op(guest, DISABLE, guest->vcpu), 0);
	CHECK_EQ(fake_count(&fake, event_of(guest->vcpu)), before);
	exit_port(guest);
}

static void cross_reads(void)
{
	for (uint32_t vcpus = 2; vcpus <= FAKE_VCPUS; vcpus += 2) {
		create(vcpus);
		guests_start(&fake, read_all);
		guests_finish(&fake, PV_END_EXIT_PORT);
	}
}

/* One event that everybody enables, disables and reads at once. Only 0 runs instructions. */
static void fight(struct guest *guest)
{
	uint64_t last = 0;

	if (guest->vcpu == 0)
		CHECK_EQ(open_event(guest, 1, PV_HW_INSTRUCTIONS, 1), 0);
	meet(guest);
	for (int i = 0; i < 1500 && !guest->over; i++) {
		static const uint64_t ops[] = { ENABLE, READ, ENABLE, DISABLE };

		CHECK_EQ(guest_op(guest, ops[rng_below(&guest->rng, 4)], 1), 0);
		CHECK(fake_count(&fake, event_of(1)) >= last);
		last = fake_count(&fake, event_of(1));
		guest_run(guest, 5);
	}
	exit_port(guest);
}

static void one_event_for_all(void)
{
	create(FAKE_VCPUS);
	guests_start(&fake, fight);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

/* 1 is parked, 2 blocks on a full console, 3 waits as a reader of 1 and 2: 0 reads them all. */
static void stuck(struct guest *guest)
{
	uint32_t me = guest->vcpu;

	CHECK_EQ(open_event(guest, me, PV_HW_INSTRUCTIONS, me), 0);
	CHECK_EQ(guest_op(guest, ENABLE, me), 0);
	guest_run(guest, 100 + me);
	meet(guest);
	if (me == 1) {
		guest_hlt(guest);
		CHECK_EQ(guest_op(guest, DISABLE, 1), 0);
		CHECK_EQ(fake_count(&fake, event_of(1)), 101);
	} else if (me == 2) {
		while (!guest->over)
			guest_out(guest, PV_PORT_CONSOLE, 1, 'x');
	} else {
		for (uint32_t i = 0; i < 300; i++) {
			CHECK_EQ(guest_op(guest, READ, 1 + i % 3), 0);
			CHECK_EQ(fake_count(&fake, event_of(1)), i ? 101 : fake_count(&fake, event_of(1)));
		}
	}
	if (me != 2)
		word_add(&progress, 1);
	if (me == 0) {
		guest_wait(guest, &progress, 2);
		guest_kick(guest, 1);
		guest_wait(guest, &progress, 3);
		guest_out(guest, PV_PORT_EXIT, 1, 0);
	}
}

static void stuck_vcpus_can_be_read(void)
{
	struct pv_vm_end end;

	progress = opened = step = 0;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.console_bytes = 2;
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, stuck);
	do {
		vm_end(fake.vm, &end); /* the console is not read */
		sched_yield();
	} while (!end.reason);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

/* 1 dies in guest mode without a word; 0, 2 and 3 wait for it as readers and closers. */
static void wait_for_the_dead(struct guest *guest)
{
	int64_t ret;

	if (guest->vcpu == 1) {
		CHECK_EQ(open_event(guest, 1, PV_HW_INSTRUCTIONS, 1), 0);
		CHECK_EQ(guest_op(guest, ENABLE, 1), 0);
		guest->over = true;
		word_add(&progress, 1);
		return;
	}
	guest_wait(guest, &progress, 1);
	word_add(&progress, 1);
	ret = guest_op(guest, guest->vcpu == 2 ? CLOSE : guest->vcpu == 3 ? ENABLE : READ, 1);
	CHECK(guest->over || (guest->vcpu != 2 && ret == -PV_ENOENT)); /* closed before it was found */
}

static void death_frees_who_waits(void)
{
	for (int i = 0; i < 20; i++) {
		create(FAKE_VCPUS);
		guests_start(&fake, wait_for_the_dead);
		while (word_load(&progress) < 4)
			sched_yield();
		for (int yields = 0; yields < i * 10; yields++)
			sched_yield();
		vm_kill(fake.vm, PV_END_VCPU_DIED, 1, 0, "vCPU 1 was killed by signal 9");
		guests_finish(&fake, PV_END_VCPU_DIED);
	}
}

/* One counter, two events that count the same: at any moment one of them runs, so that
 * together they have counted everything. The timer rotates them. */
static void rotate(struct guest *guest)
{
	uint64_t ran;

	CHECK_EQ(open_event(guest, 1, PV_HW_INSTRUCTIONS, 1), 0);
	CHECK_EQ(open_event(guest, 2, PV_HW_INSTRUCTIONS, 2), 0);
	CHECK_EQ(guest_op(guest, ENABLE, 1), 0);
	ran = guest->ran;
	CHECK_EQ(guest_op(guest, ENABLE, 2), 0);
	for (int both = 0; !both && !guest->over;) {
		guest_run(guest, 11);
		guest_op(guest, READ, 1);
		guest_op(guest, READ, 2);
		both = fake_count(&fake, event_of(1)) > 1000 && fake_count(&fake, event_of(2)) > 1000;
	}
	ran = guest->ran - ran;
	CHECK_EQ(guest_op(guest, DISABLE, 2), 0);
	CHECK_EQ(guest_op(guest, DISABLE, 1), 0);
	ran += 1; /* DISABLE of 2 counts for 1 alone, whichever had the counter */
	CHECK_EQ(fake_count(&fake, event_of(1)) + fake_count(&fake, event_of(2)), ran);
	exit_port(guest);
}

static void timer_rotates(void)
{
	struct pv_vm_statistics figures;
	struct pv_vm_end end;

	progress = opened = step = 0;
	fake_vm_init(&fake, 1);
	fake.config.counters = 1;
	fake.config.rotate_us = 200;
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, rotate);
	fake_end(&fake, &end);
	vm_statistics(fake.vm, &figures);
	CHECK(figures.rotations > 0);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

const struct named_test race_tests[] = {
	{ "limit", limit, false },
	{ "migration", migration, false },
	{ "cross_reads", cross_reads, false },
	{ "one_event_for_all", one_event_for_all, false },
	{ "stuck_vcpus_can_be_read", stuck_vcpus_can_be_read, false },
	{ "death_frees_who_waits", death_frees_who_waits, false },
	{ "timer_rotates", timer_rotates, false },
	{ NULL, NULL, false },
};
