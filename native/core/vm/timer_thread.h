/* SPDX-License-Identifier: GPL-2.0-only */
/* The timer thread: rotation of counters, clocks that sample, throttling, and patience at the VM's end. */
#ifndef PV_TIMER_THREAD_H
#define PV_TIMER_THREAD_H

struct pv_vm;

/* The thread's life: returns once every vCPU's thread has left. */
void timer_run(struct pv_vm *vm);

#endif
