/* SPDX-License-Identifier: GPL-2.0-only */
/* An engine: its CPU, and what takes that out of guest mode and back. Of each mechanism, what its header says. */
#ifndef PV_ENGINE_STATE_H
#define PV_ENGINE_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/atomic/span.h"
#include "engine/count/cpu.h"
#include "engine/exception/nmi.h"
#include "engine/platform/platform.h"
#include "engine/process/placement.h"
#include "engine/run/agent.h"
#include "engine/run/block_hook.h"
#include "engine/run/boundary.h"
#include "engine/run/vmexit.h"
#include "engine/system/system.h"

struct pv_engine {
	struct cpu cpu; /* first: the block hook's line */
	struct block_hook block_hook;
	struct span span; /* for locked operations across pages that are no neighbours in RAM */
	struct boundary boundary;
	struct vmexit vmexit;
	struct nmi nmi;
	struct platform platform;
	struct system system;
	struct agent agent;
	struct pv_engine *guest; /* of the agent's CPU: the guest's; NULL: this is the guest's */
	struct agent_of agent_of;
	struct cores cores;
};

static inline struct pv_engine *engine_of(struct cpu *cpu)
{
	return (struct pv_engine *)(void *)((uint8_t *)cpu - offsetof(struct pv_engine, cpu));
}

#endif
