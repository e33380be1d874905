/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a VM. Somebody asks for it; the first reason is the VM's, unless a host panic
 * comes behind it. Then each vCPU is brought out of guest mode, runs the agent's finish where
 * there is one and the end is an orderly one, and is told to stop. The end is published when
 * the last host thread has left, which is the timer's: nothing is raised behind it. What has not come out after PV_END_PATIENCE_NS is given up.
 */
#ifndef PV_END_H
#define PV_END_H

#include "core/locks/pv_sync.h"
#include "core/vm/vm.h"

/* In this order; a VM never goes back. */
enum vm_phase {
	PHASE_RUNNING = 0,
	PHASE_FINISHING, /* vCPUs are sent through the agent's finish */
	PHASE_STOPPING,  /* vCPUs are told to stop as they come out */
	PHASE_OVER,      /* nobody waits for anybody any more */
};

#define PV_END_PATIENCE_NS 2000000000ull /* unless a test has less, or more */

struct vm_ending {
	pv_u32 phase;
	pv_u32 panicked;
	pv_u32 serving;   /* host threads: those that serve a vCPU, and the timer's, if there is one */
	pv_u32 published;
	pv_u64 deadline;  /* CLOCK_MONOTONIC ns; 0: nobody has asked for the end */
	struct pv_spinlock lock;
	/* lock held, until published: */
	bool started;
	struct pv_vm_end what;
};

void end_init(struct pv_vm *vm);
/* Asks for the VM's end, in good order. A reason that is no orderly one cuts the agent short. */
void vm_request_end(struct pv_vm *vm, const struct pv_vm_end *end);
/* Host error: ends the VM; the vCPU that met it must not go on as if nothing had happened. */
void vm_host_error(struct pv_vm *vm, int32_t vcpu, int error, const char *text);
/* Ends it at once. */
void vm_force_end(struct pv_vm *vm, const struct pv_vm_end *end);
/* Marks the VM as started, unless it has ended: then -ECANCELED. */
int end_start(struct pv_vm *vm, uint32_t threads);
/* A host thread has stopped serving; the last one publishes the end. */
void end_thread_left(struct pv_vm *vm);

#endif
