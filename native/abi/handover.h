/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hands the logical CPU from a vCPU process to its host thread and back. Both
 * sides wait by polling, then on a futex in the run page.
 */
#ifndef PV_HANDOVER_H
#define PV_HANDOVER_H

#include "run_page.h"

enum { PV_HANDED = 0, PV_HANDOVER_ENDED = -1 };

/* vCPU process: publish the exit that the run page describes and wait for the entry.
 * Returns PV_HANDED, or PV_HANDOVER_ENDED once the VM is over. */
int handover_exit(struct pv_run *run, const struct pv_vm_page *vm);

/* Host thread: wait for the next exit. `seen` is the exit_count last served. */
int handover_wait_exit(struct pv_run *run, const struct pv_vm_page *vm, uint32_t seen);

/* Host thread: let the vCPU enter. */
void handover_enter(struct pv_run *run);

/*
 * How long to poll next time, after a wait that polling for poll_ns has not ended: like
 * KVM's halt polling, longer when up to `most` would have ended it, shorter when not. A core
 * that went idle takes tens of microseconds to come back, which exits that are 100 us apart
 * (an event that is sampled) would pay twice each.
 */
uint32_t handover_poll_next(uint32_t poll_ns, uint64_t waited_ns, uint32_t most);

/* The host: ask the vCPU to leave guest mode soon. */
void handover_ring(struct pv_bell *bell);
/* A vCPU: ask another one to look at what was left for it, without an exit. */
void handover_nudge(struct pv_bell *bell);

/* vCPU process: take what was rung, bits of PV_BELL_*. */
uint32_t handover_take_doorbell(struct pv_bell *bell);
/* vCPU process: waits until there is one, or the VM is over. */
void handover_wait_doorbell(struct pv_bell *bell, const struct pv_vm_page *vm);
/* The same, for so many ns at most; how long it has waited. */
uint64_t handover_wait_doorbell_for(struct pv_bell *bell, const struct pv_vm_page *vm, uint64_t ns);
/* vCPU process: is there one? A plain load. */
int handover_doorbell(const struct pv_bell *bell);

/* Host: mark the VM as over and wake both sides of every run page. */
void handover_end(struct pv_vm_page *vm, struct pv_run *const *runs, unsigned n);

#endif
