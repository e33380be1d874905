/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the sources of events stand on a vCPU, and what that says of an event. The vCPU's event_mutex is held. */
#ifndef PV_READING_H
#define PV_READING_H

#include "core/events/event.h"

/* What an attached event has counted so far. */
struct pmu_value pmu_read(const struct pv_vcpu *vcpu, const struct host_event *event);
/* The same at a moment that pmu_now() has told: so that several events are read at one. */
struct pmu_value pmu_read_at(const struct pv_vcpu *vcpu, const struct host_event *event, uint64_t now);
/* Its times at that moment. */
struct pv_event_times pmu_times_at(const struct host_event *event, uint64_t now);
/* The vCPU's own time in ns: it stands still while frozen. */
uint64_t pmu_now(const struct pv_vcpu *vcpu);
/* The count that a value of this event stands for. */
uint64_t pmu_count(const struct host_event *event, const struct pmu_value *value);

/* Where the event's source stands on this vCPU, at that moment. */
struct pmu_value pmu_reading_at(const struct pv_vcpu *vcpu, const struct host_event *event, uint64_t now);
/* The larger of two readings. One may lie a little below 0: see pmu_unfreeze(). */
uint64_t pmu_later(uint64_t a, uint64_t b);
/* How long an attached event has run so far, HLT aside. */
uint64_t pmu_event_ran(const struct host_event *event);
/* The same of its vCPU, at a moment that pmu_now() has told. */
uint64_t pmu_vcpu_ran(const struct pv_vcpu *vcpu, uint64_t now);
/* Does it count with a raw counter, and with which? */
bool pmu_has_counter(const struct host_event *event);
unsigned pmu_counter_of(const struct host_event *event);
bool pmu_is_clock(const struct host_event *event);

#endif
