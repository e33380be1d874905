/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PMU of one vCPU: the events attached to it, and its hardware counters. All of
 * it is guarded by the vCPU's event_mutex, and counts can be read only while the vCPU
 * is in host mode.
 *
 * Events that count with a hardware counter stand in rotation order, and the first
 * `counters` of them hold one. A rotation puts the first one last. A breakpoint has a slot of
 * its own, and there are few. Clocks and dummies need nothing. These always run.
 *
 * While the vCPU is in the agent its counters and its time are frozen: what passes then
 * is taken off every later reading.
 */
#ifndef PV_PMU_H
#define PV_PMU_H

#include "event.h"

struct event_list {
	struct host_event *first, *last;
};

struct pmu {
	uint32_t counters; /* hardware counters, >= 1 */
	uint32_t attached; /* events in `hardware` */
	struct event_list hardware, breakpoints, software;
	struct host_event *slot[PV_BREAKPOINTS]; /* the breakpoint that has it, or NULL */
	uint32_t sampling; /* events of the first two lists that run and have a period */
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

/* Attaches an event that is attached nowhere; it counts from behind the instruction that exits.
 * 0, or -PV_ENOSPC: every breakpoint slot of this vCPU is taken. */
int pmu_attach(struct pv_vcpu *vcpu, struct host_event *event);
/* Detaches it: event->sum, event->times and its shadow are final, and it is queued no more. */
void pmu_detach(struct pv_vcpu *vcpu, struct host_event *event);
/* What an attached event has counted so far. */
struct pmu_value pmu_read(const struct pv_vcpu *vcpu, const struct host_event *event);
/* Its times so far. */
struct pv_event_times pmu_times(const struct pv_vcpu *vcpu, const struct host_event *event);
/* Gives the counters to the next events, if there are more events than counters. */
void pmu_rotate(struct pv_vcpu *vcpu);
void pmu_freeze(struct pv_vcpu *vcpu);
void pmu_unfreeze(struct pv_vcpu *vcpu);
/* Before entry: alarms, wanted counters and breakpoints into the run page. */
void pmu_arm(struct pv_vcpu *vcpu);
/* The vCPU stands in HLT, or goes on: task-clock events do not count meanwhile. */
void pmu_park(struct pv_vcpu *vcpu, bool parked);

/* The count that a value of this event stands for. */
uint64_t pmu_count(const struct host_event *event, const struct pmu_value *value);

/* Between the files of the PMU: */

/* The vCPU's own time in ns: it stands still while frozen. */
uint64_t pmu_now(const struct pv_vcpu *vcpu);
/* Where the event's source stands on this vCPU. */
struct pmu_value pmu_reading(const struct pv_vcpu *vcpu, const struct host_event *event);
/* The larger of two readings. One may lie a little below 0: see pmu_unfreeze(). */
uint64_t pmu_later(uint64_t a, uint64_t b);
/* Does it count with a raw counter, and with which? */
bool pmu_has_counter(const struct host_event *event);
unsigned pmu_counter_of(const struct host_event *event);
bool pmu_is_clock(const struct host_event *event);
/* The event has begun to run, or is about to stop: a clock that samples is armed, and disarmed. */
void pmu_clock_start(struct pv_vcpu *vcpu, struct host_event *event);
void pmu_clock_stop(struct pv_vcpu *vcpu, struct host_event *event);

#endif
