/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVPERF_PMU_H
#define PVPERF_PMU_H

#include <linux/atomic.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>

#include "hypercall.h"

/*
 * What an event shares with the host: read by it at OPEN, written by it until CLOSE. Its size is a
 * power of two, so that kmalloc() aligns it: it does not cross a page.
 */
struct pv_event {
	struct kvm_pv_perf_event shared;
	struct kvm_pv_perf_attr attr;
	struct kvm_pv_perf_event_param param;
	bool open; /* the host knows it */
	/* By frequency: overflows of an earlier period that are not sampled yet, and what they counted. */
	u64 carried, carried_period;
} __aligned(256);

static inline struct pv_event *pv_event_of(const struct perf_event *event)
{
	return (struct pv_event *)event->hw.event_base;
}

enum { PV_BREAKPOINT_SLOTS = 4 };

/* What the driver did, in a CPU's words; the sysfs files of the same names add them up. */
struct pv_figures {
	u64 nmis;            /* with overflows */
	u64 empty_nmis;      /* swallowed: see pv_nmi() */
	u64 overflows;       /* handed to perf, in samples */
	u64 samples;
	u64 at_stop;         /* overflows that were taken when the event was stopped */
	u64 never_sampled;   /* overflows too many, for which perf throttles their event */
	u64 reopened;        /* for another period */
	u64 refused;         /* operations that the host refused although it should not */
};

/* A CPU's events. The NMI handler reads it, its own CPU alone writes it. */
struct pv_cpu {
	struct perf_event **active; /* room for pv_slots; NULL: free */
	int counters;               /* in use */
	bool may_be_empty;          /* the next NMI may find nothing */
	struct pv_figures figures;
};
DECLARE_PER_CPU(struct pv_cpu, pv_cpu);

extern int pv_counters; /* of a CPU */
extern int pv_slots;

/* event.c: struct pmu's functions. */
int pv_event_init(struct perf_event *event);
int pv_breakpoint_init(struct perf_event *event);
int pv_add(struct perf_event *event, int flags);
void pv_del(struct perf_event *event, int flags);
void pv_start(struct perf_event *event, int flags);
void pv_stop(struct perf_event *event, int flags);
void pv_read(struct perf_event *event);
/* The count that the host stored last becomes perf's. */
void pv_update(struct perf_event *event);
/* DISABLE; what overflowed meanwhile is in the word. */
void pv_stop_counting(struct perf_event *event);
/* Does the event run with another period than perf wants? */
bool pv_period_is_stale(const struct perf_event *event);

/* sample.c */
int pv_sample_init(void);
void pv_sample_exit(void);
/* Takes what overflowed, if anything did. False: perf wants the event stopped. */
bool pv_take_overflows(struct perf_event *event, struct pt_regs *regs);

/* figures.c */
extern const struct attribute_group pv_figures_group;
void pv_figures_print(void);

/* power.c */
int pv_power_init(void);
void pv_power_exit(void);

#endif
