/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/play/guest_record.h"

#include <stddef.h>

#include "explore/fibers/schedule.h"
#include "explore/play/world.h"

struct kvm_pv_perf_event guest_word(gpa_t gpa)
{
	const struct kvm_pv_perf_event *event = (const void *)(world.ram + gpa);

	return (struct kvm_pv_perf_event){ .count = __atomic_load_n(&event->count, __ATOMIC_ACQUIRE),
					   .overflows = __atomic_load_n(&event->overflows, __ATOMIC_ACQUIRE) };
}

static uint64_t field(const uint64_t *field, bool points)
{
	if (points)
		schedule_point(POINT_LOAD, field, "the guest reads a record");
	return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

static uint32_t sequence(const struct kvm_pv_perf_event2 *event, bool points)
{
	if (points)
		schedule_point(POINT_LOAD, &event->sequence, "the guest reads a sequence");
	return __atomic_load_n(&event->sequence, __ATOMIC_ACQUIRE);
}

static void read_group(struct guest_record *record, const struct kvm_pv_perf_event2 *event, bool points)
{
	record->nr = field(&event->nr, points);
	for (uint64_t i = 0; i < record->nr && i < RECORD_MEMBERS; i++) {
		record->value[i] = field(&event->member[i].value, points);
		record->member_id[i] = field(&event->member[i].id, false);
	}
}

bool guest_record_read(struct guest_record *record, gpa_t gpa, uint32_t format, bool points)
{
	const struct kvm_pv_perf_event2 *event = (const void *)(world.ram + gpa);
	uint32_t before = sequence(event, points);

	*record = (struct guest_record){ .format = format, .count = field(&event->count, points) };
	if (format & KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED)
		record->time_enabled = field(&event->time_enabled, points);
	if (format & KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING)
		record->time_running = field(&event->time_running, points);
	if (format & KVM_PV_PERF_FORMAT_ID)
		record->id = field(&event->id, false);
	if (format & KVM_PV_PERF_FORMAT_GROUP)
		read_group(record, event, points);
	return before && before % 2 == 0 && sequence(event, points) == before;
}

void guest_record_check(const struct guest_record *record, int32_t id)
{
	if (record->format & KVM_PV_PERF_FORMAT_GROUP && (!record->nr || record->nr > RECORD_MEMBERS))
		schedule_violation(EXPLORE_RECORDS, "event %d tells of a group of %llu", id,
				   (unsigned long long)record->nr);
	if (record->nr && record->value[0] != record->count)
		schedule_violation(EXPLORE_RECORDS, "event %d tells of two moments: it counted %llu, and in its group %llu",
				   id, (unsigned long long)record->count, (unsigned long long)record->value[0]);
	if (record->nr && record->member_id[0] != record->id)
		schedule_violation(EXPLORE_RECORDS, "event %d has the unique id %llu, and in its group %llu", id,
				   (unsigned long long)record->id, (unsigned long long)record->member_id[0]);
	if (record->time_running > record->time_enabled)
		schedule_violation(EXPLORE_TIMES, "event %d ran %llu ns, and was enabled %llu ns", id,
				   (unsigned long long)record->time_running, (unsigned long long)record->time_enabled);
}

void guest_record_check_time(int32_t id, const char *name, uint64_t time, uint64_t before, uint64_t least, uint64_t most)
{
	if (time < before)
		schedule_violation(EXPLORE_TIMES, "the time that event %d was %s went from %llu ns back to %llu", id, name,
				   (unsigned long long)before, (unsigned long long)time);
	if (time < least || time > most)
		schedule_violation(EXPLORE_TIMES, "event %d was %s between %llu and %llu ns, and is told %llu", id, name,
				   (unsigned long long)least, (unsigned long long)most, (unsigned long long)time);
}
