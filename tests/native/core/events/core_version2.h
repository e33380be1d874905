/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of two vCPUs whose guest is of ABI version 2, played directly. Each suite that includes this has its own. */
#ifndef CORE_VERSION2_H
#define CORE_VERSION2_H

#include "../core_test.h"

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

static inline void prepare(uint32_t counters)
{
	fake_vm_init(&fake, 2);
	fake.config.counters = counters;
	fake.now_ns = 1000;
}

static inline void create(uint32_t counters)
{
	prepare(counters);
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static inline gpa_t at(uint32_t id)
{
	return EVENTS + id * EVENT_BYTES;
}

static inline struct kvm_pv_perf_event2 *event_of(uint32_t id)
{
	return fake_ram(&fake, at(id));
}

/* What OPEN2 is given; the test changes what it is about. */
static struct kvm_pv_perf_event_param2 *param;
static struct kvm_pv_perf_attr *attr;

static inline void put2(int32_t id, int32_t group, uint64_t format)
{
	param = fake_ram(&fake, PARAM);
	attr = fake_ram(&fake, PARAM + 32);
	*param = (struct kvm_pv_perf_event_param2){ .attr_addr = PARAM + 32, .guest_event_addr = at((uint32_t)id),
						    .guest_event_bytes = EVENT_BYTES, .id = id, .group = group };
	*attr = (struct kvm_pv_perf_attr){ .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS,
					   .read_format = format };
}

static inline int64_t open2_on(uint32_t vcpu)
{
	return direct_hypercall(&fake, vcpu, KVM_PERF_OP, OPEN2, PARAM, 0);
}

static inline int64_t open2(void)
{
	return open2_on(0);
}

static inline int64_t open_in(int32_t id, int32_t group, uint64_t format)
{
	put2(id, group, format);
	return open2();
}

static inline void open_clock(int32_t id, int32_t group, uint64_t format, uint64_t period)
{
	put2(id, group, format);
	attr->type = PV_TYPE_SOFTWARE;
	attr->config = PV_SW_CPU_CLOCK;
	attr->sample_period = period;
	CHECK_EQ(open2(), 0);
}

static inline void ok(uint64_t op, uint32_t id)
{
	CHECK_EQ(direct_op(&fake, 0, op, id), 0);
}

static inline uint64_t read_count(uint32_t id)
{
	ok(READ, id);
	return event_of(id)->count;
}

static inline void rotate(void)
{
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex);
	pmu_rotate(&fake.vm->vcpus[0]);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
}

#endif
