/* SPDX-License-Identifier: GPL-2.0-only */
/* OPEN2: its errors, the room in guest memory, and what is stored there. */
#include <stddef.h>
#include <string.h>

#include "core_version2.h"

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

/* `posted` is of version 1, and says so; per-vcpu has groups of its own. */
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

static unsigned points;

static void sequence_is_odd(const char *tag)
{
	if (strcmp(tag, "deliver: sequence is odd"))
		return;
	points++;
	CHECK_EQ(event_of(1)->sequence % 2, 1);
	CHECK_EQ(event_of(1)->count, points == 1 ? 0 : 101 * (points - 1) - 1); /* as it was */
}

/* A record is marked as being written before any of it is, whoever writes it, and as written behind all of it. */
static void records_are_marked(void)
{
	points = 0;
	create(2);
	CHECK_EQ(open_in(1, -1, TIMES | ID | GROUP), 0);
	ok(ENABLE, 1);
	on_point = sequence_is_odd;
	for (unsigned i = 1; i <= 3; i++) {
		direct_run(&fake, 0, 0, 100);
		ok(i < 3 ? READ : DISABLE, 1);
		CHECK_EQ(event_of(1)->sequence, 2 * i);
		CHECK_EQ(event_of(1)->count, 101 * i - 1); /* the READs before, too */
	}
	on_point = NULL;
	CHECK_EQ(points, 3);
	fake_vm_destroy(&fake);
}

/* What the guest has written over is there again, also of an event that is stopped. */
static void read_writes_anew(void)
{
	create(2);
	for (unsigned version = 1; version <= 2; version++) {
		int32_t id = (int32_t)version;

		put_open(&fake, PARAM, id, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, at(version));
		CHECK_EQ(version == 1 ? direct_open(&fake, 0, PARAM) : open_in(id, -1, 0), 0);
		ok(ENABLE, version);
		direct_run(&fake, 0, 0, 100);
		ok(DISABLE, version);
		memset(fake_ram(&fake, at(version)), 0x5a, EVENT_BYTES);
		ok(READ, version);
		CHECK_EQ(version == 1 ? fake_count(&fake, at(version)) : event_of(version)->count, 100);
	}
	fake_vm_destroy(&fake);
}

static void close_the_leader(const char *tag)
{
	if (strcmp(tag, "open: leader found"))
		return;
	on_point = NULL;
	CHECK_EQ(direct_op(&fake, 1, CLOSE, 1), 0);
}

/* A leader that is closed between being found and being locked is none any more. */
static void leader_is_closed_meanwhile(void)
{
	create(2);
	CHECK_EQ(open_in(1, -1, 0), 0);
	on_point = close_the_leader;
	CHECK_EQ(open_in(2, 1, 0), -PV_ENOENT);
	CHECK(!on_point);
	CHECK_EQ(open_in(2, -1, 0), 0);
	fake_vm_destroy(&fake);
}

/* Event 0 leads as any other does. */
static void leader_0(void)
{
	create(2);
	CHECK_EQ(open_in(0, -1, GROUP), 0);
	CHECK_EQ(open_in(1, 0, GROUP), -PV_EINVAL);
	CHECK_EQ(open_in(1, 0, 0), 0);
	fake_vm_destroy(&fake);
}

const struct named_test open2_tests[] = {
	{ "open2_errors", open2_errors, false },
	{ "group_errors", group_errors, false },
	{ "room", room, false },
	{ "room_for_siblings", room_for_siblings, false },
	{ "formats", formats, false },
	{ "unique_ids", unique_ids, false },
	{ "other_designs", other_designs, false },
	{ "records_are_marked", records_are_marked, false },
	{ "read_writes_anew", read_writes_anew, false },
	{ "leader_is_closed_meanwhile", leader_is_closed_meanwhile, false },
	{ "leader_0", leader_0, false },
	{ NULL, NULL, false },
};
