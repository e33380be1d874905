/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent's NMI handler does with the overflows of an event: a sample in the vCPU's ring. */
#ifndef AGENT_NMI_H
#define AGENT_NMI_H

#include "agent.h"
#include "guest_walk.h"
#include "ring.h"

/* One NMI on one vCPU. */
struct nmi {
	uint32_t vcpu;
	uint32_t max_chain;
	const struct pv_agent_frame *frame;
	struct ring ring; /* .shared NULL: nothing is recorded */
	struct guest_walk walk;
};

/* Takes the overflows of `slot`, the vCPU's event number `event`, and makes a sample of them if there are any. */
void nmi_take(const struct nmi *nmi, struct pv_agent_slot *slot, uint32_t event);

#endif
