/* SPDX-License-Identifier: GPL-2.0-only */
/* Work on other vCPUs. They halt while they have none. */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "cpu.h"

/* fn(arg) on that vCPU; on the caller's own, at once. Calls to one vCPU run in order. */
void smp_call(unsigned vcpu, void (*fn)(void *arg), void *arg);
/* Until all calls given to that vCPU so far are done. */
void smp_wait(unsigned vcpu);
/* fn(arg) on every vCPU, this one included; returns when all are done. */
void smp_run_all(void (*fn)(void *arg), void *arg);

void completion_add(struct completion *completion);
/* Until `done` reaches `value`. Runs this vCPU's tasks meanwhile, and halts while there
 * are none; inside a task it lets the others run. */
void completion_wait(struct completion *completion, uint64_t value);

/* All of `n` vCPUs wait for each other, again and again. Zero-initialised. */
struct barrier {
	uint32_t arrived, generation;
};
void barrier_wait(struct barrier *barrier, unsigned n);

/* The life of every vCPU but 0. */
_Noreturn void smp_worker(void);

#endif
