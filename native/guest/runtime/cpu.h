/* SPDX-License-Identifier: GPL-2.0-only */
/* One vCPU as the guest sees it: segments, task state segment, and what it is doing. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stddef.h>

#include "kvm_pv_perf.h"
#include "spinlock.h"

enum {
	GUEST_MAX_VCPUS = 64,

	/* Selectors of each vCPU's own GDT; user data before user code, as SYSRET wants it. */
	SELECTOR_KERNEL_CODE = PV_SELECTOR_CODE,
	SELECTOR_KERNEL_DATA = PV_SELECTOR_DATA,
	SELECTOR_USER_DATA = 0x18 | 3,
	SELECTOR_USER_CODE = 0x20 | 3,
	SELECTOR_TSS = 0x28,

	/* Memory of each vCPU, from the first free gpa on, lowest first. */
	CPU_USER_STACK = 16384,
	CPU_FAULT_STACK = 4096, /* double fault */
	CPU_NMI_STACK = 8192, /* all registers, and what `overflow` needs: kvm_pmu.h */
	CPU_STACK = 16384,
	CPU_AREA = CPU_USER_STACK + CPU_FAULT_STACK + CPU_NMI_STACK + CPU_STACK,

	/* Exit statuses of the runtime's own. */
	STATUS_USAGE = 2,
	STATUS_CRASHED = 70,
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map; /* past the limit: CPL 3 may use no port */
} __attribute__((packed));

struct task;

/* Counts what was done; vCPUs may wait for it. Zero-initialised. */
struct completion {
	uint64_t done;
	uint64_t waiters; /* a bit per vCPU that wants a kick */
};
_Static_assert(GUEST_MAX_VCPUS <= 64, "a bit per vCPU");

struct cpu {
	struct cpu *self; /* at GS:0 */
	unsigned index;
	uint64_t user_stack; /* top */

	/* smp.c: one call, waiting to be taken. */
	struct spinlock call_lock;
	void (*call)(void *arg);
	void *call_arg;
	uint64_t calls_given;
	struct completion calls_done;

	/* task.c */
	struct task *current; /* NULL: the scheduler, or no task at all */
	uint64_t scheduler_rsp;
	struct spinlock queue_lock;
	struct task *queue_head, *queue_tail;

	uint64_t gdt[7];
	struct tss tss;
} __attribute__((aligned(64)));

/* The vCPU that runs this. A task may be on another one after its next task_*() call. */
static inline struct cpu *cpu_this(void)
{
	struct cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline unsigned cpu_index(void)
{
	return cpu_this()->index;
}

struct cpu *cpu_get(unsigned vcpu);
unsigned cpu_count(void);
const struct pv_boot_info *boot_info(void);

/* Ends the VM with this exit status. */
_Noreturn void guest_exit(int status);

#endif
