/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent's events have counted so far, while the VM runs: all of a vCPU's at one moment. The counts are exact
 * where the vCPU is in host mode; who asks while it is in guest mode has it come out, and its own thread reads them
 * there, so that nobody waits for a vCPU that may be gone.
 */
#ifndef PV_AGENT_COUNTS_H
#define PV_AGENT_COUNTS_H

#include <stdbool.h>

#include "abi/agent.h"
#include "core/vm/vm.h"

struct host_event;
struct pv_vcpu;

/* Of one vCPU, its event_mutex held. */
struct agent_counts {
	struct host_event *event[PV_AGENT_MAX_EVENTS]; /* those that are attached, by their numbers */
	bool wanted, ready;
	/* What was read when `ready` was set, and when that was, from the guest's first entry on. */
	struct pv_agent_count count[PV_AGENT_MAX_EVENTS];
	uint64_t guest_ns;
};

/* For all vCPUs of a VM with an agent. 0 or -ENOMEM. */
int agent_counts_create(struct pv_vm *vm);
void agent_counts_destroy(struct pv_vm *vm);

/* event_mutex held, the vCPU in host mode: */
void agent_counts_attach(struct pv_vcpu *vcpu, struct host_event *event);
void agent_counts_detach(struct pv_vcpu *vcpu, const struct host_event *event);
/* Reads them if somebody wants them: then true. */
bool agent_counts_take(struct pv_vcpu *vcpu);

/* vm_agent_counts(), by a thread that may take locks. */
int agent_counts_read(struct pv_vcpu *vcpu, struct pv_agent_count *ret, uint64_t *guest_ns);

#endif
