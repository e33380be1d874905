/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest's kvm_pv_perf_attr asks for, and which counter source that is. */
#ifndef PV_ATTR_H
#define PV_ATTR_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"

enum source_kind {
	SOURCE_COUNTER = 0, /* one of the vCPU's raw counters: takes a hardware counter */
	SOURCE_CPU_CLOCK,   /* ns while attached to a vCPU */
	SOURCE_TASK_CLOCK,  /* the same without the time that the vCPU is parked in HLT */
	SOURCE_DUMMY,       /* 0 */
	SOURCE_BREAKPOINT,  /* one of the vCPU's breakpoint slots, which is chosen when it begins to run */
};

struct event_source {
	uint8_t kind;     /* enum source_kind */
	uint8_t counter;  /* SOURCE_COUNTER: enum pv_hw_counter */
	bool kernel, user; /* the privilege levels that count */
	uint32_t divisor; /* SOURCE_COUNTER, SOURCE_BREAKPOINT: raw units in one count */
	struct pv_breakpoint breakpoint; /* SOURCE_BREAKPOINT */
	uint64_t period;    /* counts between two overflows; 0: it does not sample */
	uint32_t frequency; /* overflows a second instead; 0: none */
};

/* bus-cycles: a core of 2.5 GHz on a bus of 100 MHz. */
enum { PV_CYCLES_PER_BUS_CYCLE = 25 };

/*
 * Checks an attr and says what it counts. 0 and the source in *ret, or, in this order,
 * -PV_EINVAL for what is malformed, -PV_ENOENT for an event type that this host cannot
 * count, -PV_EOPNOTSUPP for what it knows and does not support. Padding is ignored: it
 * is the guest compiler's.
 */
int attr_validate(const struct kvm_pv_perf_attr *attr, struct event_source *ret);

/* Does it count time, which runs on in host mode? */
bool source_is_clock(const struct event_source *source);
/* A clock of one privilege level alone: told by time-stamp ticks, so it cannot sample. */
bool source_splits_clock(const struct event_source *source);

#endif
