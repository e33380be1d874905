/* SPDX-License-Identifier: GPL-2.0-only */
/* The VM, and its vCPUs' host threads, all of which one native thread plays. */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "core/host/host.h"
#include "fuzz/model.h"
#include "fuzz/record.h"

enum place {
	IN_GUEST = 0, /* the one place from which it does anything */
	IN_HOST,      /* its thread stands further out on the stack */
	OUTSIDE,      /* has left guest mode for who wants it paused, and enters when it may */
	STOPPED,
};

struct fuzz_vcpu {
	struct pv_vcpu *vcpu;
	struct pv_run *run;
	struct pv_thread thread;
	enum place place;
	enum pv_entry_action action;
	uint32_t cpl;
	uint64_t ran; /* instructions, without what its exits retire */
	struct call call;
};

struct machine {
	struct pv_vm *vm;
	uint32_t vcpus;
	struct fuzz_vcpu vcpu[FUZZ_VCPUS];
	struct fuzz_vcpu *current; /* whose thread runs; NULL: the timer's, or the API's */
	uint64_t now;              /* ns */
	uint32_t allocations, fail_alloc;
	unsigned locks, leaves;    /* held by anybody; of them, spinlocks */
	uint64_t calls;            /* records and hypercalls that were begun */
};
extern struct machine machine;

/* Boots it. */
void machine_create(const struct fuzz_header *header);
/* Every vCPU's thread has left; everything that was allocated must be given back. */
void machine_destroy(void);
/* An exit of a vCPU in guest mode, and its entry unless somebody wants it paused. */
void machine_exit(struct fuzz_vcpu *vcpu, uint32_t reason);
/* A hypercall: *result is what the guest gets. False: it gets nothing, and its vCPU does not go on. */
bool machine_hypercall(struct fuzz_vcpu *vcpu, const uint64_t arg[4], int64_t *result);
/* The guest retires this much; an alarm that is reached is an exit. */
void machine_run(struct fuzz_vcpu *vcpu, uint8_t counters, bool user, uint64_t n);
/* The timer thread, once. `rotate`: a bit for each vCPU whose counters are due. */
void machine_timer(uint64_t ns, uint8_t rotate);
/* From a thread of the API's. */
void machine_api(void (*fn)(void *arg), void *arg);
/* Who waits on this has to be helped by others. */
void machine_wait(struct pv_event_count *count);
/* May another vCPU run now? Then nobody on the stack holds a lock, or is on its way out of guest mode. */
bool machine_may_run(void);

#endif
