/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cooperative tasks. A task runs on the vCPU it was started on till it yields,
 * migrates or returns. Its events run only while it does, and on the vCPU that it
 * is on: they are disabled before it leaves and enabled where it goes on.
 */
#ifndef GUEST_TASK_H
#define GUEST_TASK_H

#include "cpu.h"
#include "pmu/kvm_pmu.h"

enum { TASK_STACK = 16384 };

struct task {
	void (*fn)(void *arg);
	void *arg;
	uint64_t rsp;  /* while it does not run */
	unsigned next_vcpu; /* where it goes on */
	bool over;
	struct completion finished;
	struct kvm_pmu_event *events;
	struct task *next; /* in a run queue */
	uint8_t stack[TASK_STACK] __attribute__((aligned(16)));
};

/* Queues a task on a vCPU. */
void task_start(struct task *task, unsigned vcpu, void (*fn)(void *arg), void *arg);
/* Until it has returned. */
void task_join(struct task *task);

/* Inside a task. */
struct task *task_current(void); /* NULL outside of tasks */
void task_yield(void);
/* Goes on on that vCPU; its own is allowed. */
void task_migrate(unsigned vcpu);
/* Its events: an open, disabled event becomes the task's and is enabled; and back. Both
 * return 0 or the hypercall's negative result. */
int64_t task_event_attach(struct kvm_pmu_event *event);
int64_t task_event_detach(struct kvm_pmu_event *event);

/* Outside of tasks: lets one task of this vCPU run. False if there is none. */
bool task_run_one(void);

#endif
