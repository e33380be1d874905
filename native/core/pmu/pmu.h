/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PMU of one vCPU: the events attached to it, and its hardware counters. All of
 * it is guarded by the vCPU's event_mutex, and counts can be read only while the vCPU
 * is in host mode.
 *
 * What takes turns are groups, of one event or more. Those that need hardware counters stand
 * in rotation order: from the front, as many run as there are counters for, and none overtakes
 * another. A rotation puts the first one last. Groups that need none always run. A breakpoint
 * has a slot of its own while it is attached, and there are few.
 *
 * While the vCPU is in the agent its counters and its time are frozen: what passes then
 * is taken off every later reading.
 */
#ifndef PV_PMU_H
#define PV_PMU_H

#include "core/events/event.h"

struct event_list {
	struct host_event *first, *last;
};

struct pmu {
	uint32_t counters; /* hardware counters, >= 1 */
	uint32_t attached; /* of them, those that the attached groups need */
	uint32_t used;     /* those that are held */
	struct event_list rotating, fixed; /* leaders of the groups that need counters, and of the others */
	struct host_event *running; /* events with a counter or a slot that run: what an entry and an NMI look at */
	struct host_event *slot[PV_BREAKPOINTS]; /* the breakpoint that has it, or NULL */
	uint32_t promised; /* of those that are free */
	uint32_t sampling; /* events other than clocks that run and have a period */
	bool rearm;        /* what the run page says of alarms and wanted counters is out of date */

	bool frozen;
	uint64_t frozen_count[PV_COUNTS][PV_CPLS]; /* of the run page, when it froze */
	uint64_t frozen_ns;
	uint64_t hidden_count[PV_COUNTS][PV_CPLS]; /* of frozen stretches that are over */
	uint64_t hidden_ns;

	bool parked;
	uint64_t parked_since, parked_ns; /* in pmu_now() time */
};

/* All with vcpu->event_mutex held. */

/* Keeps breakpoint slots free for a group that is attached elsewhere, until pmu_attach() here. Errors are the same. */
int pmu_promise(struct pv_vcpu *vcpu, struct host_event *leader);
/* Attaches a group that is attached nowhere; it counts from behind the instruction that exits.
 * 0, or -PV_ENOSPC: too few breakpoint slots of this vCPU are free. */
int pmu_attach(struct pv_vcpu *vcpu, struct host_event *leader);
/* Detaches it: its events' sum, times and shadow are final, and they are queued no more. */
void pmu_detach(struct pv_vcpu *vcpu, struct host_event *leader);
/* The same for one sibling, which leaves its group, while that goes on. */
void pmu_leave(struct pv_vcpu *vcpu, struct host_event *sibling);
/* Gives the counters to the next groups, if they need more than there are. */
void pmu_rotate(struct pv_vcpu *vcpu);
void pmu_freeze(struct pv_vcpu *vcpu);
void pmu_unfreeze(struct pv_vcpu *vcpu);
/* Before entry: alarms, wanted counters and breakpoints into the run page. */
void pmu_arm(struct pv_vcpu *vcpu);
/* The vCPU stands in HLT, or goes on: task-clock events do not count meanwhile. */
void pmu_park(struct pv_vcpu *vcpu, bool parked);

/* Between the files of the PMU: */

/* The event has begun to run, or is about to stop: a clock that samples is armed, and disarmed.
 * Time that is read behind the latter is no earlier than what its overflows stand for. */
void pmu_clock_start(struct pv_vcpu *vcpu, struct host_event *event);
void pmu_clock_stop(struct pv_vcpu *vcpu, struct host_event *event);

#endif
