/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVPERF_HYPERCALL_H
#define PVPERF_HYPERCALL_H

#include <linux/types.h>

#define PV_ABI_TYPES
#include "kvm_pv_perf.h"

/* How many counters a CPU has; or -ENODEV: this hypervisor has no such interface. */
int pv_discover(void);

/* The host's answer: 0 or a negative errno. */
int pv_op(enum kvm_pv_perf_op op, s32 id);
int pv_open(const struct kvm_pv_perf_event_param *param);

#endif
