/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent: guest code that `stat` and `record` place behind the guest's RAM, where the guest cannot reach it: it runs on a
 * CPU of its own, which alone has that memory. On each vCPU it opens and enables the wanted events through KVM_PERF_OP
 * before the guest's entry, and disables and closes them when the VM ends. Events of a group count all together or not at
 * all: where one cannot be opened none is enabled. The counters of a vCPU stay frozen while it is in the agent. Its events
 * are not there for the guest, nor the guest's for it: each has its own ids, and may open as many as the limit says.
 *
 * The NMIs of the agent's own events are its own, too: the engine writes where the guest is
 * into the vCPU's pv_agent_frame, and runs the agent's NMI handler, which takes
 * the overflows and leaves samples in the vCPU's ring (sample.h). It ends with the
 * hypercall PV_HC_AGENT_IRET, which the engine answers by itself: the guest goes on as if
 * nothing had been. So any guest can be sampled, whatever its IDT and its page tables.
 *
 * Region, from a page-aligned base: blob (starts with pv_agent_header), then what
 * the loader lays out: config, slots, frames, rings, a GDT, page tables, a stack per vCPU.
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
	PV_HC_AGENT_IRET = 0x50560002, /* in the agent's NMI handler alone */

	PV_AGENT_MAX_EVENTS = 64,
	PV_AGENT_FIRST_ID = 0x7f000000, /* id = first + vCPU * PV_AGENT_MAX_EVENTS + event */
	PV_AGENT_STACK_BYTES = 4096,
};

/* First bytes of the blob; offsets from its base. */
struct pv_agent_header {
	uint8_t magic[8]; /* "PVAGENT3" */
	uint64_t start;   /* all: RDI vCPU index, RSI gpa of pv_agent_config, RSP a stack */
	uint64_t finish;
	uint64_t nmi;
};

struct pv_agent_config {
	uint32_t events; /* per vCPU */
	uint32_t vcpus;
	gpa_t slots; /* of pv_agent_slot[vcpus][events] */
	gpa_t frames; /* of pv_agent_frame[vcpus] */
	gpa_t rings; /* of a pv_sample_ring per vCPU, ring_stride bytes apart; 0: nothing is recorded */
	uint64_t ring_stride;
	uint32_t ring_bytes; /* of a ring's data, a power of 2 */
	uint32_t max_chain;  /* return addresses to record with a sample, 0 to PV_SAMPLE_MAX_CHAIN */
	uint64_t ram_size;   /* the guest's, which is read for call chains */
	struct kvm_pv_perf_attr attr[PV_AGENT_MAX_EVENTS];
	uint32_t leader[PV_AGENT_MAX_EVENTS]; /* of the event's group, in front of its siblings: itself, if it is alone */
};

/* One event on one vCPU, written by the agent; errors are the hypercalls' results. */
struct pv_agent_slot {
	struct kvm_pv_perf_event event; /* as OPEN2 writes it, too: `pad` is the sequence */
	int32_t id;
	int32_t opened;
	int32_t enabled; /* of a group, also the error for which a member could not be opened */
	int32_t disabled; /* 0: event.count is the final count */
	int32_t closed;
	uint64_t counted; /* of the count, what samples were made of */
	uint64_t taken;   /* overflows taken, by the NMI handler and in the end */
	uint64_t left;    /* of them, those for which there was no NMI any more: taken in the end */
	uint64_t samples; /* records made for them, those that found no room included */
	uint64_t pad[7];
};
_Static_assert(sizeof(struct pv_agent_slot) == 128, "pv_agent_slot");

/* Where the guest was when the agent's NMI came; written by the engine. */
struct pv_agent_frame {
	uint64_t rip, cs, rflags, rsp, rbp, cr3;
	uint64_t time_ns; /* CLOCK_MONOTONIC of the host */
	uint64_t pad;
};
_Static_assert(sizeof(struct pv_agent_frame) == 64, "pv_agent_frame");

#endif
