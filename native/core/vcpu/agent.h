/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a vCPU is sent. Each sets run->jump. */
#ifndef PV_CORE_AGENT_H
#define PV_CORE_AGENT_H

#include "abi/run_page.h"

struct pv_vcpu;

enum pv_entry_action agent_enter_start(struct pv_vcpu *vcpu); /* boots where there is no agent */
enum pv_entry_action agent_enter_finish(struct pv_vcpu *vcpu);
/* PV_HC_AGENT_DONE: 0 and the action, or a result for the guest. */
int64_t agent_done(struct pv_vcpu *vcpu, uint64_t what, enum pv_entry_action *ret);

#endif
