/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/delivery.h"

#include <stddef.h>

#include "core/events/group.h"
#include "core/events/reading.h"
#include "core/host/host.h"

/* A clock's kernel share is a difference of two clocks, whose rates differ by a hair: never backwards. */
uint64_t deliver_value(struct host_event *event, const struct pmu_value *value)
{
	uint64_t count = pmu_count(event, value);

	if (source_splits_clock(&event->source) && count < event->written)
		count = event->written;
	event->written = count;
	return count;
}

/* A version 2 event that is being written: the first store that fails is the last. */
struct record {
	const struct guest_mem *mem;
	struct host_event *event;
	uint64_t now; /* the moment that it tells of, of the vCPU where it is attached */
	int error;
};

static void put_sequence(struct record *record, uint32_t sequence)
{
	gpa_t word = record->event->guest_addr + offsetof(struct kvm_pv_perf_event2, sequence);

	if (!record->error)
		record->error = guest_store_u32(record->mem, word, sequence);
}

static void put(struct record *record, uint64_t offset, uint64_t value)
{
	if (!record->error)
		record->error = guest_store_u64(record->mem, record->event->guest_addr + offset, value);
}

/* If this bit of the format asks for it. */
static void put_if(struct record *record, uint32_t bit, uint64_t offset, uint64_t value)
{
	if (record->event->read_format & bit)
		put(record, offset, value);
}

static uint64_t count_then(const struct record *record, struct host_event *event)
{
	struct pmu_value value = event->vcpu ? pmu_read_at(event->vcpu, event, record->now) : event->sum;

	return deliver_value(event, &value);
}

static void put_group(struct record *record)
{
	uint64_t at = offsetof(struct kvm_pv_perf_event2, member), nr = 0;

	for_each_member(member, record->event) {
		put(record, at + offsetof(struct kvm_pv_perf_member, value), count_then(record, member));
		put_if(record, KVM_PV_PERF_FORMAT_ID, at + offsetof(struct kvm_pv_perf_member, id), member->unique_id);
		at += sizeof(struct kvm_pv_perf_member);
		nr++;
	}
	put(record, offsetof(struct kvm_pv_perf_event2, nr), nr);
}

/* The stores are releases, in this order: a guest that finds the sequence even and unchanged has read one moment. */
static int deliver_record(const struct guest_mem *mem, struct host_event *event)
{
	struct record record = { .mem = mem, .event = event, .now = event->vcpu ? pmu_now(event->vcpu) : 0 };
	struct pv_event_times times = event->vcpu ? pmu_times_at(event, record.now) : event->times;

	if (!PV_CANARY(record_not_marked))
		put_sequence(&record, event->sequence + 1);
	pv_point("deliver: sequence is odd");
	put(&record, offsetof(struct kvm_pv_perf_event2, count), count_then(&record, event));
	pv_point("deliver: count is stored");
	put_if(&record, KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED, offsetof(struct kvm_pv_perf_event2, time_enabled),
	       times.enabled_ns);
	put_if(&record, KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING, offsetof(struct kvm_pv_perf_event2, time_running),
	       times.running_ns);
	put_if(&record, KVM_PV_PERF_FORMAT_ID, offsetof(struct kvm_pv_perf_event2, id), event->unique_id);
	if (event->read_format & KVM_PV_PERF_FORMAT_GROUP)
		put_group(&record);
	put_sequence(&record, event->sequence + 2);
	if (!record.error)
		event->sequence += 2;
	return record.error;
}

/* A version 2 event is read anew, with its group and its times at one moment. */
int deliver_count(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value)
{
	if (event->guest_bytes)
		return deliver_record(mem, event);
	return guest_store_u64(mem, event->guest_addr, deliver_value(event, value));
}

int deliver_overflows(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
		      uint64_t *delivered)
{
	uint64_t n = PV_CANARY(shadow_read_then_cleared) ? pv_u64_load(&event->shadow.overflows) :
							   pv_u64_exchange(&event->shadow.overflows, 0);
	gpa_t word = event->guest_addr + offsetof(struct kvm_pv_perf_event, overflows);
	uint32_t added = 0;
	int ret;

	pv_point("deliver: shadow taken");
	if (PV_CANARY(shadow_read_then_cleared))
		pv_u64_store(&event->shadow.overflows, 0);
	ret = deliver_count(mem, event, value);
	if (!ret && n)
		ret = guest_add_s32(mem, word, n, &added);
	if (added < n && !PV_CANARY(failed_write_not_undone))
		pv_u64_add(&event->shadow.overflows, n - added);
	pv_u64_add(&event->vm->ledger.delivered, added);
	*delivered = added;
	return ret;
}
