/* SPDX-License-Identifier: GPL-2.0-only */
/* The host side of a VM and of its vCPUs: what the rooms of the core share. Each keeps its own part of it. */
#ifndef PV_HOST_H
#define PV_HOST_H

#include <pthread.h>

#include "core/events/closed_times.h"
#include "core/events/event.h"
#include "core/events/owner.h"
#include "core/events/table.h"
#include "core/host/clock.h"
#include "core/host/console.h"
#include "core/host/fault.h"
#include "core/host/guest_mem.h"
#include "core/locks/pv_sync.h"
#include "core/overflow/clock_events.h"
#include "core/overflow/inject.h"
#include "core/overflow/ledger.h"
#include "core/overflow/queue.h"
#include "core/pmu/agent_counts.h"
#include "core/pmu/pmu.h"
#include "core/trace/trace.h"
#include "core/vm/vm.h"
#include "core/wake/end.h"
#include "core/wake/timer.h"
#include "core/wake/wake.h"

struct pv_design;
struct pv_nmi_policy;
struct pv_sync_policy;

/* What the core takes from its surroundings; tests put their own in. */
struct pv_host_hooks {
	void *(*alloc)(void *context, uint64_t size); /* zeroed memory, or NULL */
	void (*release)(void *context, void *memory); /* NULL is fine */
	uint64_t (*now_ns)(void *context);
	void (*hold_ns)(void *context, uint64_t ns); /* lets this time pass, with locks held */
	uint64_t (*secret)(void *context); /* for the table's hash; NULL: it follows from the seed */
	uint64_t ns_per_tick; /* of the time-stamp counter, times 2^32; 0: it is measured */
	uint64_t patience_ns; /* how long the VM's end waits for the vCPUs */
	void *context;
};

/* The way of a vCPU through a VM's life. */
enum vcpu_stage {
	STAGE_BOOTING = 0,     /* PV_EXIT_READY has not come yet */
	STAGE_AGENT_START,
	STAGE_GUEST,
	STAGE_AGENT_FINISH,
	STAGE_FINISHED,        /* the agent's finish is done */
};

enum vcpu_mode { VCPU_HOST = 0, VCPU_GUEST };

/* Written by the vCPU's host thread, read by any. */
struct vcpu_figures {
	pv_u64 exits[PV_EXIT_REASONS];
	pv_u64 hypercalls[KVM_PV_PERF_OP_MAX];
	pv_u64 other_hypercalls, guest_errors, rotations;
	pv_u64 console_bytes, dropped_port_writes, nmis_injected, quiet_points;
};

struct pv_vcpu {
	struct pv_vm *vm;
	uint32_t index;
	struct pv_run *run; /* what an exit says, and what an entry shall bring */
	struct pv_bell *bell;

	/* Guards the PMU, and who may be in guest mode. */
	struct pv_mutex event_mutex;
	/* event_mutex held: */
	enum vcpu_mode mode;
	uint32_t pause_requests; /* who wait for host mode; it does not enter meanwhile */
	struct pmu pmu;
	struct owed_nmis owed;
	struct agent_counts *agent_counts; /* NULL: there is no agent */
	bool undelivered; /* guest memory failed at the last sync */
	struct clock_queue clocks; /* clock_events.h: some of it has a lock of its own */
	struct overflow_queue queue;

	struct pv_event_count paused;  /* woken when the mode has become VCPU_HOST */
	struct pv_event_count resumed; /* woken when the last pause request is gone */

	/* vm->halt.lock held: */
	bool parked, kicked;
	bool for_nmi; /* its HLT is over because of an NMI that is due */
	struct pv_event_count kick;

	pv_u32 stage;        /* enum vcpu_stage; written by its host thread */
	pv_u32 stopped;      /* PV_ENTER_STOP was given */
	pv_u64 left_at;      /* CLOCK_MONOTONIC ns at which it last went into the agent, its time standing; 0: never */
	pv_u32 rotating;     /* more events than counters; written with event_mutex held */
	pv_u32 rotation_due; /* by the timer */
	struct event_table *table; /* of a design that has one per vCPU */

	struct vcpu_figures figures;
	struct pv_thread thread;
	pthread_t pthread; /* host_thread.c */
};

struct pv_vm {
	/* Fixed once created: */
	struct pv_vm_config config;
	struct pv_host_hooks hooks;
	struct guest_mem mem, agent_mem; /* what the guest has of RAM, and what its agent has */
	const struct pv_design *design;
	const struct pv_nmi_policy *nmi;
	const struct pv_sync_policy *sync;
	struct pv_vcpu *vcpus;
	struct pv_run **runs; /* the pages that the vCPU processes have */
	struct pv_run *run_copies; /* the vCPUs' `run`, once there are processes: see run_copy.h */

	struct pv_clock clock;
	struct event_table *table; /* of a design that has one for the VM */
	struct open_events open_events; /* of the guest */
	struct agent_events agent_events;
	uint64_t secret; /* of the tables' hash */
	pv_u64 unique_ids; /* given to events so far */
	struct event_set events;
	struct overflow_ledger ledger;
	struct fault_source faults;
	pv_ptr leaked; /* design `posted`: buffers that it forgot */
	struct closed_times closed;
	struct pv_console console;
	struct pv_halt halt;
	struct pv_timer timer;
	struct vm_ending end;
	struct pv_trace trace;

	pv_u64 kicks;
	pv_u64 entered_at; /* CLOCK_MONOTONIC ns of the guest's own first entry; 0: not yet */
	struct pv_thread timer_thread;
	pthread_t timer_pthread; /* host_thread.c */
	uint32_t threads;        /* vCPU threads to join */
	bool timer_started;
};

static inline enum vm_phase vm_phase(const struct pv_vm *vm)
{
	return (enum vm_phase)pv_u32_load(&vm->end.phase);
}

/* Is what it does the agent's doing? */
static inline bool vcpu_in_agent(const struct pv_vcpu *vcpu)
{
	uint32_t stage = pv_u32_load(&vcpu->stage);

	return stage == STAGE_AGENT_START || stage == STAGE_AGENT_FINISH;
}

#endif
