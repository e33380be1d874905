/* SPDX-License-Identifier: GPL-2.0-only */
/* The slots of one vCPU. The agent's page tables map all of RAM onto itself: a gpa is a pointer. */
#ifndef AGENT_SLOTS_H
#define AGENT_SLOTS_H

#include "agent.h"

static inline struct pv_agent_slot *slots_of(uint32_t vcpu, const struct pv_agent_config *config)
{
	return (struct pv_agent_slot *)config->slots + (uint64_t)vcpu * config->events;
}

#endif
