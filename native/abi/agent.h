/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent: guest code that `stat` places at the top of RAM, hidden from the
 * guest. On each vCPU it opens and enables the wanted events through KVM_PERF_OP
 * before the guest's entry, and disables and closes them when the VM ends. The
 * counters of a vCPU stay frozen while it is in the agent.
 *
 * Region, from a page-aligned base: blob (starts with pv_agent_header), then what
 * the loader lays out: config, slots, a GDT, page tables, a stack per vCPU.
 */
#ifndef PV_AGENT_H
#define PV_AGENT_H

#include "kvm_pv_perf.h"

enum {
	/* RBX = 0: events are enabled, enter the guest. RBX = 1: events are closed.
	 * -KVM_ENOSYS unless the vCPU is in the agent. */
	PV_HC_AGENT_DONE = 0x50560001,
	PV_AGENT_STARTED = 0,
	PV_AGENT_FINISHED = 1,

	PV_AGENT_MAX_EVENTS = 64,
	PV_AGENT_FIRST_ID = 0x7f000000, /* id = first + vCPU * PV_AGENT_MAX_EVENTS + event */
	PV_AGENT_STACK_BYTES = 4096,
};

/* First bytes of the blob; offsets from its base. */
struct pv_agent_header {
	uint8_t magic[8]; /* "PVAGENT1" */
	uint64_t start;   /* both: RDI vCPU index, RSI gpa of pv_agent_config, RSP a stack */
	uint64_t finish;
};

struct pv_agent_config {
	uint32_t events; /* per vCPU */
	uint32_t vcpus;
	gpa_t slots; /* of pv_agent_slot[vcpus][events] */
	struct kvm_pv_perf_attr attr[PV_AGENT_MAX_EVENTS];
};

/* One event on one vCPU, written by the agent; errors are the hypercalls' results. */
struct pv_agent_slot {
	struct kvm_pv_perf_event event;
	struct kvm_pv_perf_event_param param;
	int32_t opened;
	int32_t enabled;
	int32_t disabled; /* 0: event.count is the final count */
	int32_t closed;
	uint64_t pad;
};
_Static_assert(sizeof(struct pv_agent_slot) == 64, "pv_agent_slot");

#endif
