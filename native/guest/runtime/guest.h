/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest runtime: all that a guest program includes. A program defines
 *
 *	int guest_main(void);
 *
 * which runs on vCPU 0; its return value (0..255) is the exit status of the VM.
 * The other vCPUs wait for work: smp_call(), smp_run_all(), tasks. Virtual
 * addresses equal guest physical addresses.
 */
#ifndef GUEST_H
#define GUEST_H

#include "atomic.h"
#include "avx.h"
#include "console/console.h"
#include "console/option.h"
#include "console/report.h"
#include "cpu.h"
#include "exception.h"
#include "memory.h"
#include "paging.h"
#include "pmu/hypercall.h"
#include "pmu/kvm_pmu.h"
#include "pmu/kvm_pmu_group.h"
#include "pmu/kvm_pmu_nmi.h"
#include "smp.h"
#include "spinlock.h"
#include "task/task.h"
#include "task/user.h"

int guest_main(void);

/* One line that a list of guests shows: what it does; key=default of its options. */
#define GUEST_DESCRIPTION(text) \
	static const char guest_description[] __attribute__((used)) = "guest-description: " text

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
