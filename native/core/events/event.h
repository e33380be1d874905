/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host event: what OPEN creates. It is counted by references: the table holds one
 * while the event is open, the PMU of a vCPU one while it is attached there, a vCPU's queue
 * one while the event waits there to be synced, and every operation one while it works on it.
 *
 * A freed event is poisoned and kept in quarantine for a while, so that who still uses it
 * is found out, and told apart from who freed it.
 */
#ifndef PV_EVENT_H
#define PV_EVENT_H

#include "core/events/attr.h"
#include "core/events/period.h"
#include "core/locks/pv_sync.h"
#include "core/overflow/clock_heap.h"
#include "core/vm/vm.h"

struct pv_vm;
struct pv_vcpu;

/* An event's two accumulators, or its source's reading. SOURCE_COUNTER: raw units at
 * kernel and user level. Clocks: ns, and user-mode time-stamp ticks. */
struct pmu_value {
	uint64_t part[2];
};

struct host_event {
	uint64_t magic;
	pv_u32 references;
	/* Fixed once created: */
	int32_t id;
	struct pv_vm *vm;
	gpa_t guest_addr;
	struct event_source source;
	uint32_t guest_bytes; /* room at guest_addr; 0: a version 1 event */
	uint32_t read_format; /* KVM_PV_PERF_FORMAT_* */
	uint64_t unique_id;   /* version 2 */
	struct pv_vcpu *opener; /* design `posted` alone looks at it */
	struct host_event *locked_by; /* whose lock guards it: its own or, for life, that of the leader it joined */
	bool agent; /* the agent opened it: its NMIs are the agent's */
	/* Who freed it, once it is in quarantine. */
	char freed_by[16];
	const char *freed_in;

	/* The table's lock held: */
	struct host_event *bucket_next;
	/* event_set.lock held: */
	struct host_event *older, *newer;

	/* Serialises operations on this event and its siblings, over their guest write too. */
	struct pv_mutex lock;
	/* lock held: */
	bool closed;
	/* lock held to read, and that vCPU's event_mutex too to change: */
	struct pv_vcpu *vcpu; /* where it is attached, or NULL */
	struct host_event *leader;  /* of its group: group.c; its own where it is none's sibling */
	struct host_event *sibling, *sibling_before; /* the next member of its group, and the one in front */
	struct host_event *last;  /* a leader's: of its group, as the sums that follow, which are its own where it leads none */
	uint32_t members;
	uint32_t counters;    /* hardware counters that they need */
	uint32_t breakpoints; /* and slots for breakpoints */
	uint32_t promised;    /* a leader's: slots of the vCPU that its group is about to move to */

	/* vcpu->event_mutex held while attached, else lock held: */
	uint64_t written;  /* the largest count that the guest was given */
	uint32_t sequence; /* what the guest's is, between two writes */
	struct host_event *before, *behind; /* a leader's: in its list of the PMU */
	bool running;                       /* counts, holding a counter where it needs one */
	struct host_event *running_before, *running_behind; /* in the PMU's list of those that hold one */
	struct pmu_value start;             /* reading at which it began to run */
	struct pmu_value floor;             /* reading from which on it is enabled */
	struct pmu_value sum;               /* what it has counted, without the current run */
	uint64_t enabled_since, running_since;
	struct pv_event_times times;
	uint64_t owed_in;    /* inject.c: while attached, the round in which an NMI is owed for it */
	bool owed_elsewhere; /* one was owed on the vCPU that it has left */
	uint32_t slot; /* SOURCE_BREAKPOINT: of the vCPU's breakpoints */

	/* Sampling: period.h. As above; in guest mode, its vCPU's NMI context. */
	struct event_overflow overflow;

	/* NMI context of its vCPU writes, anyone reads. */
	struct {
		pv_u64 count;     /* at its last overflow */
		pv_u64 overflows; /* raised, and not delivered yet: taken with an exchange */
	} shadow;

	/* That vCPU's event_mutex held: queue.c */
	bool queued;
	struct host_event *queue_before, *queue_next;
	/* Waits on that vCPU's lock-free list: */
	pv_u32 deferred;
	struct host_event *deferred_next;
	/* That vCPU's event_mutex held: clock_events.c */
	bool clock_armed;
	/* The lock of that vCPU's clocks held, while it is armed: */
	uint64_t clock_due; /* of its overflow, in its kind's time */
	struct clock_node clock; /* its key: when it is to be looked at */
};

enum { EVENT_QUARANTINE = 64, EVENT_POISON = 0x6b };

/* Every host event in memory of one VM, open or not. */
struct event_set {
	struct pv_spinlock lock;
	/* lock held: */
	struct host_event *newest;
	uint64_t allocated;
	struct host_event *quarantine[EVENT_QUARANTINE]; /* freed, oldest first from `freed` on */
	uint64_t freed;
};

void event_set_init(struct event_set *set);
/* Frees what is left, whoever references it: the VM is over. */
void event_set_destroy(struct pv_vm *vm);
uint64_t event_set_count(struct event_set *set);
/* What lies in the shadows of all of them. */
uint64_t event_set_shadow(struct event_set *set);

/* A new event, not attached, with one reference. NULL: no memory. */
struct host_event *event_create(struct pv_vm *vm, int32_t id, gpa_t guest_addr,
				const struct event_source *source);
/* Takes one more reference; the caller holds one, or the lock of who holds one. */
void event_get(struct host_event *event);
/* Drops one; the last one frees the event. */
void event_put(struct host_event *event);
/* Frees it, whoever still uses it. */
void event_free(struct host_event *event);
/* Host panic if the event was freed: names who freed it, and who uses it now for what. */
void event_check_live(const struct host_event *event, const char *doing);

#endif
