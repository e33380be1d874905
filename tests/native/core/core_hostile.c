/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests that mean harm: random arguments, and a host that is killed at any moment. */
#include <sched.h>
#include <string.h>
#include <time.h>

#include "core/designs/find.h"
#include "core_test.h"

enum { HOSTILE_OPS = 25000, KILLS = 200, HOSTILE_RAM = 1 << 16, SLOTS = 64 };
enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ, OPEN2 };

static struct fake_vm fake;
static uint8_t before[HOSTILE_RAM];
static uint32_t may_change[HOSTILE_RAM / 8]; /* 8-byte words that an event was opened on */
static uint32_t progress;

/* The table's design, which notes where the host may write. */
static struct pv_design noting;

/* Of version 2, what the host was given room for; else the count. */
static int note_and_insert(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event)
{
	for (uint32_t at = 0; at == 0 || at + 8 <= event->guest_bytes; at += 8)
		word_add(&may_change[(event->guest_addr + at) / 8], 1);
	return design_per_vm.insert(vm, vcpu, event);
}

static uint64_t hostile_word(struct rng *rng)
{
	static const uint64_t interesting[] = {
		0, 1, 2, 3, 7, 8, 16, 24, 72, 4095, HOSTILE_RAM, HOSTILE_RAM - 1, HOSTILE_RAM - 8,
		HOSTILE_RAM - 16, HOSTILE_RAM - 24, HOSTILE_RAM - 72, INT32_MAX, UINT32_MAX,
		1ull << 31, 1ull << 32, 1ull << 63, INT64_MAX, UINT64_MAX, UINT64_MAX - 7,
		UINT64_MAX - 23, -(1ull << 31),
	};

	switch (rng_below(rng, 4)) {
	case 0:
		return interesting[rng_below(rng, sizeof(interesting) / sizeof(interesting[0]))];
	case 1:
		return rng_next(rng);
	default:
		return rng_below(rng, HOSTILE_RAM) & ~(rng_below(rng, 4) ? 7ull : 0ull);
	}
}

/* In the second half of a slot, of version 2: half of them leaders, half siblings, each third with a bad field. */
static void fill_open2(struct rng *rng, uint32_t slot)
{
	gpa_t at = slot * 512 + 256;
	struct kvm_pv_perf_event_param2 param = {
		.attr_addr = at + 32, .guest_event_addr = rng_below(rng, HOSTILE_RAM / 256 - 1) * 256,
		.guest_event_bytes = 16 + rng_below(rng, 100), .id = (int32_t)rng_below(rng, 32),
		.group = slot % 2 ? (int32_t)rng_below(rng, 32) : -1,
	};
	struct kvm_pv_perf_attr attr = { .config = 1, .read_format = rng_below(rng, 16) };

	switch (rng_below(rng, 18)) {
	case 0: param.guest_event_bytes = (uint32_t)hostile_word(rng); break;
	case 1: param.guest_event_addr = hostile_word(rng); break;
	case 2: param.group = (int32_t)hostile_word(rng); break;
	case 3: param.reserved = (uint32_t)hostile_word(rng); break;
	case 4: param.attr_addr = hostile_word(rng); break;
	case 5: attr.read_format = hostile_word(rng); break;
	default: break;
	}
	memcpy(fake_ram(&fake, at), &param, sizeof(param));
	memcpy(fake_ram(&fake, at + 32), &attr, sizeof(attr));
}

/* Parameter blocks and attrs, some good, most with a field that is not. */
static void fill_ram(struct rng *rng)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		gpa_t at = i * 512 + (i % 3 ? 0 : rng_below(rng, 8));
		struct kvm_pv_perf_event_param param;
		struct kvm_pv_perf_attr attr;

		fill_open2(rng, i);
		put_open(&fake, at, (int32_t)rng_below(rng, 32), PV_TYPE_HARDWARE, 1, 0,
			 rng_below(rng, HOSTILE_RAM / 16 - 1) * 16);
		if (i % 2)
			continue;
		memcpy(&param, fake_ram(&fake, at), sizeof(param));
		memcpy(&attr, fake_ram(&fake, at + 32), sizeof(attr));
		switch (rng_below(rng, 8)) {
		case 0: param.attr_addr = hostile_word(rng); break;
		case 1: param.guest_event_addr = hostile_word(rng); break;
		case 2: param.guest_event_addr = at & ~7ull; break; /* aliases itself */
		case 3: param.id = (int32_t)hostile_word(rng); break;
		case 4: attr.type = (uint32_t)hostile_word(rng); break;
		case 5: attr.config = hostile_word(rng); break;
		case 6: attr.flags = hostile_word(rng); break;
		default: attr.sample_type = hostile_word(rng); break;
		}
		memcpy(fake_ram(&fake, at), &param, sizeof(param));
		memcpy(fake_ram(&fake, at + 32), &attr, sizeof(attr));
	}
}

static void attack(struct guest *guest)
{
	struct rng *rng = &guest->rng;

	for (int i = 0; i < HOSTILE_OPS && !guest->over; i++) {
		uint64_t op = rng_below(rng, 16) ? 1 + rng_below(rng, 6) : hostile_word(rng);
		uint64_t slot = rng_below(rng, SLOTS) * 512ull;
		uint64_t rcx = op == OPEN ? slot : op == OPEN2 ? slot + 256 : rng_below(rng, 32);
		uint64_t rdx = rng_below(rng, 32) ? 0 : hostile_word(rng);
		int64_t ret;

		if (!rng_below(rng, 3))
			rcx = hostile_word(rng);
		ret = guest_hypercall(guest, KVM_PERF_OP, op, rcx, rdx);
		CHECK(guest->over || (ret <= 0 && ret >= -PV_EOPNOTSUPP));
		guest_run(guest, 3);
	}
	word_add(&progress, 1);
	guest_wait(guest, &progress, FAKE_VCPUS);
	if (guest->vcpu == 0)
		guest_out(guest, PV_PORT_EXIT, 1, 0);
}

/* No result but the documented ones, and no byte changed but the counts of opened events. */
static void hostile_arguments(void)
{
	struct rng rng = { .state = 42 };
	struct pv_vm_statistics figures;
	struct pv_vm_end end;

	progress = 0;
	memset(may_change, 0, sizeof(may_change));
	noting = design_per_vm;
	noting.insert = note_and_insert;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.ram_size = HOSTILE_RAM;
	fake.config.max_events = 20;
	CHECK_EQ(fake_vm_create(&fake), 0);
	fake.vm->design = &noting;
	memset(fake.config.ram, 0xa5, FAKE_RAM);
	fill_ram(&rng);
	memcpy(before, fake.config.ram, HOSTILE_RAM);
	guests_start(&fake, attack);
	fake_end(&fake, &end);
	vm_statistics(fake.vm, &figures);
	CHECK(figures.events_opened > 100);
	CHECK(figures.events_open_peak <= 20);
	CHECK(figures.events_allocated <= 2 * figures.events_open); /* a closed leader each, for its lock */
	CHECK(figures.hypercalls[OPEN2] > 1000);
	guests_join(&fake);
	for (uint32_t i = 0; i < HOSTILE_RAM / 8; i++)
		if (memcmp(before + i * 8, fake.config.ram + i * 8, 8))
			CHECK(may_change[i]);
	for (uint32_t i = HOSTILE_RAM; i < FAKE_RAM; i++)
		CHECK_EQ(fake.config.ram[i], 0xa5);
	fake_vm_destroy(&fake);
}

/* Every kind of exit at random, until the VM is over. */
static void anything(struct guest *guest)
{
	struct rng *rng = &guest->rng;
	gpa_t params = 0x1000 + guest->vcpu * OPEN_BYTES;

	while (!guest->over) {
		uint32_t id = rng_below(rng, 6);

		word_add(&progress, 1);
		switch (rng_below(rng, 16)) {
		case 0:
		case 1:
			put_open(&fake, params, (int32_t)id, 0, 1, 0, 0x4000 + id * 16);
			guest_open(guest, params);
			break;
		case 2:
			guest_op(guest, CLOSE, id);
			break;
		case 3:
			guest_out(guest, PV_PORT_CONSOLE, 4, 0);
			break;
		case 4:
			guest_hlt(guest);
			break;
		case 5:
		case 6:
			guest_kick(guest, rng_below(rng, FAKE_VCPUS));
			break;
		case 7:
			guest_run(guest, 10);
			break;
		default:
			guest_op(guest, ENABLE + rng_below(rng, 3), id);
		}
	}
}

/* Until they have come so far; 20 ms at most, since they may all be blocked. A yield may take as long where others spin. */
static void let_them_run(uint32_t moment)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (word_load(&progress) < moment &&
		 (now.tv_sec - begun.tv_sec) * 1000000000 + now.tv_nsec - begun.tv_nsec < 20000000);
}

/* Killed, finished, or left to end by itself, at random moments: it always ends, whole. */
static void ends_at_random_moments(void)
{
	struct rng rng = { .state = 7 };

	for (int i = 0; i < KILLS; i++) {
		uint32_t moment = rng_below(&rng, 300);
		struct pv_vm_end end;

		progress = 0;
		fake_vm_init(&fake, FAKE_VCPUS);
		fake.config.console_bytes = 64;
		fake.config.counters = 1;
		fake.config.rotate_us = 50;
		CHECK_EQ(fake_vm_create(&fake), 0);
		for (int k = 0; k < FAKE_VCPUS; k++)
			fake.guests[k].rng.state = rng_next(&rng);
		guests_start(&fake, anything);
		let_them_run(moment);
		if (i % 2)
			vm_finish(fake.vm);
		else
			vm_kill(fake.vm, PV_END_VCPU_DIED, 0, 0, "killed");
		fake_end(&fake, &end);
		CHECK(end.reason == PV_END_ALL_HALTED ||
		      end.reason == (i % 2 ? PV_END_STOPPED : PV_END_VCPU_DIED));
		guests_join(&fake);
		fake_vm_destroy(&fake);
	}
}

const struct named_test hostile_tests[] = {
	{ "hostile_arguments", hostile_arguments, false },
	{ "ends_at_random_moments", ends_at_random_moments, false },
	{ NULL, NULL, false },
};
