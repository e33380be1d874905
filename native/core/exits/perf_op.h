/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_PERF_OP. */
#ifndef PV_PERF_OP_H
#define PV_PERF_OP_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/kvm_pv_perf.h"

struct pv_vm;
struct pv_vcpu;
struct pv_event_times;

/* The result for the guest, or HC_NO_RESULT. */
enum { HC_NO_RESULT = INT32_MIN }; /* a host error: the guest gets no result and does not go on */
int64_t perf_op(struct pv_vcpu *vcpu, uint64_t op, uint64_t rcx, uint64_t rdx);
/* open.c: OPEN and OPEN2 as the sound designs do them. */
int64_t event_open(struct pv_vcpu *vcpu, gpa_t param);
int64_t event_open2(struct pv_vcpu *vcpu, gpa_t param);
int event_times(struct pv_vm *vm, bool agent, int32_t id, struct pv_event_times *ret);

#endif
