/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls, one at a time: results, their order, what is written and what is not. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "abi/agent.h"
#include "core/vm/vm_config.h"
#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENT = 0x2000 };

static struct fake_vm fake;

static void create(uint32_t vcpus, uint32_t max_events)
{
	fake_vm_init(&fake, vcpus);
	fake.config.max_events = max_events;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static void put(gpa_t gpa, int32_t id)
{
	put_open(&fake, gpa, id, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, EVENT);
}

static int64_t open_event(int32_t id)
{
	put(PARAM, id);
	return direct_open(&fake, 0, PARAM);
}

static struct pv_vm_statistics figures(void)
{
	struct pv_vm_statistics ret;

	vm_statistics(fake.vm, &ret);
	return ret;
}

static void hypercall_numbers(void)
{
	struct pv_run *run;

	create(1, 1);
	run = fake.vm->vcpus[0].run;
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, 0, 0, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, KVM_PV_PERF_OP_MAX, 0, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, 1ull << 32 | READ, 0, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, 1ull << 32 | KVM_PERF_OP, READ, 0, 0), -KVM_ENOSYS);
	CHECK_EQ(direct_hypercall(&fake, 0, 0, 0, 0, 0), -KVM_ENOSYS);
	CHECK_EQ(direct_hypercall(&fake, 0, UINT64_MAX, 0, 0, 0), -KVM_ENOSYS);
	CHECK_EQ(direct_hypercall(&fake, 0, PV_HC_AGENT_DONE, 0, 0, 0), -KVM_ENOSYS);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_HC_KICK_CPU, 0, 1, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_HC_KICK_CPU, 0, 1ull << 32, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_HC_KICK_CPU, 0, 0, 0), 0);
	CHECK_EQ(figures().guest_errors, 9);
	CHECK_EQ(figures().hypercalls[0], 3);
	for (uint32_t cpl = 1; cpl < 4; cpl++) {
		run->cpl = cpl;
		CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, READ, 0, 0), -KVM_EPERM);
		CHECK_EQ(direct_hypercall(&fake, 0, KVM_HC_KICK_CPU, 0, 0, 0), -KVM_EPERM);
		CHECK_EQ(direct_hypercall(&fake, 0, 99, 0, 0, 0), -KVM_EPERM);
	}
	fake_vm_destroy(&fake);
}

static void feature_off(void)
{
	fake_vm_init(&fake, 1);
	fake.config.pv_perf = 0;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	CHECK_EQ(direct_op(&fake, 0, READ, 1), -KVM_ENOSYS);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_HC_KICK_CPU, 0, 0, 0), 0);
	CHECK_EQ(vm_check_extension(fake.vm, KVM_CAP_PV_PERF), 0);
	fake_vm_destroy(&fake);
}

static void open_errors(void)
{
	const gpa_t last = FAKE_RAM - sizeof(struct kvm_pv_perf_event_param);
	struct kvm_pv_perf_event_param *param;

	create(1, 1);
	param = fake_ram(&fake, PARAM);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN, 1ull << 32, 0), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN, PARAM, 1ull << 32), -PV_EINVAL);
	CHECK_EQ(direct_hypercall(&fake, 0, KVM_PERF_OP, OPEN, PARAM, 1), -PV_EFAULT);
	CHECK_EQ(direct_open(&fake, 0, last + 1), -PV_EFAULT);
	CHECK_EQ(direct_open(&fake, 0, FAKE_RAM), -PV_EFAULT);
	CHECK_EQ(direct_open(&fake, 0, UINT64_MAX), -PV_EFAULT);
	CHECK_EQ(direct_open(&fake, 0, UINT64_MAX - 23), -PV_EFAULT);
	put(PARAM, -1);
	param->attr_addr = UINT64_MAX; /* the id comes before it */
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EINVAL);
	param->id = 1;
	param->guest_event_addr = 4; /* and the attr before the event */
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EFAULT);
	param->attr_addr = FAKE_RAM - 71;
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EFAULT);
	put_open(&fake, PARAM, 1, 77, 0, 0, 4);
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_ENOENT);
	put(PARAM, 1);
	for (gpa_t off = 1; off < 8; off++) {
		param->guest_event_addr = EVENT + off;
		CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EINVAL);
	}
	param->guest_event_addr = FAKE_RAM - 15; /* out of range and misaligned */
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EFAULT);
	param->guest_event_addr = FAKE_RAM - 8;
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EFAULT);
	param->guest_event_addr = UINT64_MAX - 7;
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EFAULT);
	CHECK_EQ(figures().events_open, 0);
	CHECK_EQ(figures().events_allocated, 0);
	param->guest_event_addr = FAKE_RAM - 16;
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EEXIST); /* before the limit */
	param->id = 2;
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_ENOSPC);
	CHECK_EQ(figures().events_allocated, 1);
	fake_vm_destroy(&fake);
}

/* A parameter block may lie at the very end of RAM, at any alignment, and alias its event. */
static void open_aliases(void)
{
	struct kvm_pv_perf_event_param *param;
	gpa_t at = FAKE_RAM - 24;

	create(1, 4);
	put(PARAM, 1);
	memcpy(fake_ram(&fake, at), fake_ram(&fake, PARAM), 24);
	CHECK_EQ(direct_open(&fake, 0, at), 0);
	put(PARAM + 3, 2);
	CHECK_EQ(direct_open(&fake, 0, PARAM + 3), 0);
	put(PARAM, 3);
	param = fake_ram(&fake, PARAM);
	param->guest_event_addr = PARAM;
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 0, READ, 3), 0);
	CHECK_EQ(param->attr_addr, 0); /* the count went there, and nowhere else */
	CHECK_EQ(param->guest_event_addr, PARAM);
	fake_vm_destroy(&fake);
}

static void ids(void)
{
	create(1, 4);
	CHECK_EQ(open_event(0), 0);
	CHECK_EQ(open_event(INT_MAX), 0);
	CHECK_EQ(open_event(-1), -PV_EINVAL);
	CHECK_EQ(open_event(INT_MIN), -PV_EINVAL);
	for (uint64_t op = CLOSE; op <= READ; op++) {
		CHECK_EQ(direct_op(&fake, 0, op, 1), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, op, 1ull << 32), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, op, 1ull << 32 | INT_MAX), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, op, UINT64_MAX << 32), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, op, UINT64_MAX), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, op, UINT32_MAX), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, op, 1ull << 63), -PV_ENOENT);
	}
	CHECK_EQ(direct_op(&fake, 0, CLOSE, INT_MAX), 0);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, INT_MAX), -PV_ENOENT);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 0), 0);
	CHECK_EQ(figures().events_allocated, 0);
	fake_vm_destroy(&fake);
}

/* The window of an event: strictly between the vmcall that enables it and the one that stops it. */
static void window(void)
{
	struct kvm_pv_perf_event *event;

	create(1, 1);
	event = fake_ram(&fake, EVENT);
	event->count = 77;
	event->overflows = 5;
	event->pad = 6;
	CHECK_EQ(open_event(1), 0);
	CHECK_EQ(event->count, 77); /* OPEN writes nothing */
	direct_run(&fake, 0, 0, 1000);
	CHECK_EQ(direct_op(&fake, 0, READ, 1), 0);
	CHECK_EQ(event->count, 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0);
	CHECK_EQ(direct_op(&fake, 0, READ, 1), 0);
	CHECK_EQ(event->count, 0);
	direct_run(&fake, 0, 0, 10);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0); /* again: no double count */
	direct_run(&fake, 0, 1, 5);
	CHECK_EQ(direct_op(&fake, 0, READ, 1), 0);
	CHECK_EQ(event->count, 17); /* 10 + 5, a READ and an ENABLE */
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0);
	CHECK_EQ(event->count, 18);
	direct_run(&fake, 0, 0, 100);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0);
	CHECK_EQ(direct_op(&fake, 0, READ, 1), 0);
	CHECK_EQ(event->count, 18);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0);
	direct_run(&fake, 0, 0, 2);
	event->count = 1234;
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 1), 0);
	CHECK_EQ(event->count, 1234); /* CLOSE writes nothing either */
	CHECK_EQ(event->overflows, 5);
	CHECK_EQ(event->pad, 6);
	fake_vm_destroy(&fake);
}

/* Everything has room for one; each thing twice. */
static void capacities_of_one(void)
{
	struct pv_event_times times;

	fake_vm_init(&fake, 1);
	fake.config.max_events = fake.config.hash_buckets = fake.config.console_bytes = 1;
	fake.config.counters = fake.config.rotate_us = 1;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	for (int32_t id = 1; id < 4; id++) {
		CHECK_EQ(open_event(id), 0);
		CHECK_EQ(open_event(id + 1), -PV_ENOSPC);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, (uint64_t)id), 0);
		CHECK_EQ(direct_op(&fake, 0, CLOSE, (uint64_t)id), 0);
		CHECK_EQ(vm_event_times(fake.vm, id, &times), 0);
		CHECK_EQ(vm_event_times(fake.vm, id - 1, &times), -ENOENT);
	}
	fake_vm_destroy(&fake);
}

static void many_in_one_bucket(void)
{
	fake_vm_init(&fake, 1);
	fake.config.max_events = 200;
	fake.config.hash_buckets = 1;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	for (int32_t id = 0; id < 200; id++)
		CHECK_EQ(open_event(id * 7919), 0);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(open_event(i % 200 * 7919), -PV_EEXIST);
	CHECK_EQ(open_event(5), -PV_ENOSPC);
	CHECK_EQ(figures().events_open, 200);
	CHECK_EQ(figures().events_allocated, 200);
	for (int32_t id = 0; id < 200; id += 2)
		CHECK_EQ(direct_op(&fake, 0, CLOSE, (uint64_t)id * 7919), 0);
	for (int32_t id = 0; id < 200; id++)
		CHECK_EQ(direct_op(&fake, 0, READ, (uint64_t)id * 7919), id % 2 ? 0 : -PV_ENOENT);
	CHECK_EQ(figures().events_open, 100);
	fake_vm_destroy(&fake);
}

/* The n-th allocation fails, for each n: vm_create() says so, and an OPEN ends the VM
 * instead of giving the guest an errno. */
static void allocation_failures(void)
{
	int64_t n = 0;
	int ret = -ENOMEM;

	while (ret == -ENOMEM) {
		fake_vm_init(&fake, 1);
		fake.fail_at = ++n;
		ret = fake_vm_create(&fake);
		if (ret)
			fake_vm_destroy(&fake);
	}
	CHECK_EQ(ret, 0);
	CHECK_EQ(n, 7); /* VM, vCPUs, run pages, console, times, table; the next is an event's */
	direct_boot(&fake);
	CHECK_EQ(open_event(1), 0xdeadbeef); /* no result was stored */
	CHECK_EQ(vm_phase(fake.vm), PHASE_OVER);
	CHECK_EQ(fake.vm->end.what.reason, PV_END_HOST_ERROR);
	CHECK_EQ(fake.vm->end.what.error, ENOMEM);
	CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_KICK), PV_ENTER_STOP);
	fake_vm_destroy(&fake);
}

static void bad_configurations(void)
{
	static const struct {
		const char *field;
		size_t offset;
		uint32_t value;
	} bad[] = {
#define BAD(field, value) { #field, offsetof(struct pv_vm_config, field), value }
		BAD(vcpus, 0), BAD(vcpus, PV_MAX_VCPUS + 1), BAD(max_events, 0),
		BAD(max_events, 1u << 25), BAD(counters, 0), BAD(hash_buckets, 1u << 25),
		BAD(ram_size, 0), BAD(ram_size, 4097),
#undef BAD
	};
	char why[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_vm_init(&fake, 1);
		memcpy((uint8_t *)&fake.config + bad[i].offset, &bad[i].value, 4);
		CHECK_EQ(vm_create_hooked(&fake.config, &fake.hooks, &fake.vm, why, sizeof(why)),
			 -EINVAL);
		CHECK(!strncmp(why, bad[i].field, strlen(bad[i].field)));
		fake_vm_destroy(&fake);
	}
	for (int i = 0; i < 3; i++) {
		fake_vm_init(&fake, 1);
		*(i == 0 ? &fake.config.design : i == 1 ? &fake.config.nmi : &fake.config.sync) = "x";
		CHECK_EQ(fake_vm_create(&fake), -EINVAL);
		fake_vm_destroy(&fake);
	}
}

static bool readable(void)
{
	struct pollfd fd = { .fd = vm_event_fd(fake.vm), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* Readable when the guest is entered, as long as there is a byte left, and for good once the VM has ended. */
static void event_fd(void)
{
	struct pv_run *run;
	uint8_t bytes[8];

	create(1, 1);
	run = fake.vm->vcpus[0].run;
	CHECK(readable()); /* the guest has been entered */
	CHECK_EQ(vm_console_read(fake.vm, bytes, 3), 0);
	CHECK(!readable());
	run->arg[0] = PV_PORT_CONSOLE;
	run->arg[1] = 4;
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_IO_OUT), PV_ENTER_RESUME);
		CHECK(readable());
		CHECK_EQ(vm_console_read(fake.vm, bytes, 3), 3);
		CHECK(readable());
		CHECK_EQ(vm_console_read(fake.vm, bytes, 3), 1);
		CHECK(!readable());
		CHECK_EQ(vm_console_read(fake.vm, bytes, 3), 0);
	}
	vm_finish(fake.vm);
	for (int i = 0; i < 2; i++) {
		CHECK(readable());
		CHECK_EQ(vm_console_read(fake.vm, bytes, 3), 0);
	}
	fake_vm_destroy(&fake);
}

static void ports(void)
{
	struct pv_run *run;
	uint8_t bytes[8];

	create(1, 1);
	run = fake.vm->vcpus[0].run;
	for (uint32_t size = 1; size <= 4; size *= 2) {
		run->arg[0] = PV_PORT_CONSOLE;
		run->arg[1] = size;
		run->arg[2] = 0x64636261;
		CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_IO_OUT), PV_ENTER_RESUME);
		CHECK_EQ(vm_console_read(fake.vm, bytes, sizeof(bytes)), size);
		CHECK(!memcmp(bytes, "abcd", size));
	}
	run->arg[0] = 0x80;
	CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_IO_OUT), PV_ENTER_RESUME);
	CHECK_EQ(figures().dropped_port_writes, 1);
	CHECK_EQ(figures().console_bytes, 7);
	run->arg[0] = PV_PORT_EXIT;
	run->arg[2] = 0x12345;
	CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_IO_OUT), PV_ENTER_STOP);
	CHECK_EQ(fake.vm->end.what.reason, PV_END_EXIT_PORT);
	CHECK_EQ(fake.vm->end.what.status, 0x45);
	fake_vm_destroy(&fake);
}

/* What an engine must not do ends the VM, and says who did it. */
static void bad_exits(void)
{
	static const uint32_t bad[] = { PV_EXIT_NONE, PV_EXIT_READY, PV_EXIT_REASONS, UINT32_MAX };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		create(2, 1);
		CHECK_EQ(direct_exit(&fake, 1, bad[i]), PV_ENTER_STOP);
		CHECK_EQ(fake.vm->end.what.reason, PV_END_ENGINE_ERROR);
		CHECK_EQ(fake.vm->end.what.vcpu, 1);
		CHECK(fake.vm->end.what.text[0]);
		fake_vm_destroy(&fake);
	}
	fake_vm_init(&fake, 1);
	CHECK_EQ(fake_vm_create(&fake), 0);
	CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_HYPERCALL), PV_ENTER_STOP);
	CHECK_EQ(fake.vm->end.what.reason, PV_END_ENGINE_ERROR);
	fake_vm_destroy(&fake);
}

const struct named_test op_tests[] = {
	{ "hypercall_numbers", hypercall_numbers, false },
	{ "feature_off", feature_off, false },
	{ "open_errors", open_errors, false },
	{ "open_aliases", open_aliases, false },
	{ "ids", ids, false },
	{ "window", window, false },
	{ "capacities_of_one", capacities_of_one, false },
	{ "many_in_one_bucket", many_in_one_bucket, false },
	{ "allocation_failures", allocation_failures, false },
	{ "bad_configurations", bad_configurations, false },
	{ "event_fd", event_fd, false },
	{ "ports", ports, false },
	{ "bad_exits", bad_exits, false },
	{ NULL, NULL, false },
};
