/* SPDX-License-Identifier: GPL-2.0-only */
/* An exit, served. */
#ifndef PV_EXIT_H
#define PV_EXIT_H

#include "abi/run_page.h"

struct pv_vcpu;

/* Serves the exit that the run page describes, and says how to enter. */
enum pv_entry_action exit_serve(struct pv_vcpu *vcpu);
/* hypercall.c: the same for a hypercall; the result is in the run page. */
enum pv_entry_action hypercall_serve(struct pv_vcpu *vcpu);
/* quiet.c: PV_HC_QUIET; bits of enum pv_quiet. */
int64_t quiet_check(struct pv_vcpu *vcpu, uint64_t taken);

#endif
