/* SPDX-License-Identifier: GPL-2.0-only */
/* What `bench hypercall` times with many events: each operation on all of them, one after another. */
#include "guest.h"

GUEST_DESCRIPTION("ticks of each operation on many events at once; events=1000 kind=software|hardware|clock|group");

enum { FIRST_ID = 1, NEVER = 60 /* 2^60 ns, or instructions */ };

static uint64_t events;
static bool group;
static struct kvm_pv_perf_attr attr;
static struct kvm_pv_perf_event *words;

static int64_t open_one(uint64_t i)
{
	struct kvm_pv_perf_event_param2 param = {
		.attr_addr = (gpa_t)&attr, .guest_event_addr = (gpa_t)&words[i], .guest_event_bytes = sizeof(*words),
		.id = (int32_t)(FIRST_ID + i), .group = group && i ? FIRST_ID : -1,
	};
	gpa_t gpa = (gpa_t)&param;

	return hypercall(KVM_PERF_OP, KVM_PV_PERF_OP_OPEN2, (uint32_t)gpa, gpa >> 32);
}

/* Out and in again, with all of them attached. */
static int64_t leave(void)
{
	return hypercall(UINT64_MAX, 0, 0, 0) + KVM_ENOSYS;
}

static int64_t operate(uint64_t op, uint64_t i)
{
	if (op == KVM_PV_PERF_OP_OPEN2)
		return open_one(i);
	return op ? perf_op(op, (int32_t)(FIRST_ID + i)) : leave();
}

/* ENABLE and DISABLE of a leader are its group's. */
static bool is_leaders_alone(uint64_t op)
{
	return group && (op == KVM_PV_PERF_OP_ENABLE || op == KVM_PV_PERF_OP_DISABLE);
}

static bool time_all(const char *name, uint64_t op)
{
	uint64_t calls = is_leaders_alone(op) ? 1 : events, begin = __builtin_ia32_rdtsc(), ticks;

	for (uint64_t i = 0; i < calls; i++) {
		int64_t error = operate(op, i);

		if (error) {
			console_printf("many: %s of event %lu gave %ld\n", name, i, error);
			return false;
		}
	}
	ticks = __builtin_ia32_rdtsc() - begin;
	console_printf("op=%s calls=%lu ticks=%lu\n", name, events, ticks);
	return true;
}

static bool choose(const char *kind)
{
	group = !strcmp(kind, "group");
	attr = kvm_pmu_attr(PV_TYPE_SOFTWARE, PV_SW_DUMMY, false, false);
	if (!strcmp(kind, "hardware"))
		attr = kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, 1ull << NEVER);
	else if (!strcmp(kind, "clock"))
		attr = kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, false, false, 1ull << NEVER);
	else
		return group || !strcmp(kind, "software");
	return true;
}

int guest_main(void)
{
	bool done;

	option_only("events", "kind", NULL);
	events = option_number("events", 1000);
	if (!events || !choose(option_text("kind", "software"))) {
		console_printf("many: events is 1 or more, kind software, hardware, clock or group\n");
		return STATUS_USAGE;
	}
	kvm_pmu_nmi_start();
	words = memory_need(events * sizeof(*words), 64);
	done = time_all("open", KVM_PV_PERF_OP_OPEN2) && time_all("enable", KVM_PV_PERF_OP_ENABLE) &&
	       time_all("exit", 0) && time_all("read", KVM_PV_PERF_OP_READ) &&
	       time_all("disable", KVM_PV_PERF_OP_DISABLE) && time_all("close", KVM_PV_PERF_OP_CLOSE);
	return done ? 0 : 1;
}
