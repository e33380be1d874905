/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent (abi/agent.h) runs on a CPU of its own: an engine whose memory is all of RAM, where the guest's ends in front of
 * the agent's. So there is no address at which the guest could reach the agent, and nothing of the guest's CPU changes
 * while the agent runs, which it does within the guest's engine, between two instructions. The agent is not counted.
 */
#ifndef PV_ENGINE_AGENT_H
#define PV_ENGINE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

struct pv_engine;

/* The agent, as the guest's CPU has it. */
struct agent {
	struct pv_engine *engine; /* NULL: there is none */
	bool entered;             /* since it came to be */
	bool pending;             /* an NMI came, and waits for the next boundary */
};

/* The same as its own CPU has it. */
struct agent_of {
	uint64_t rip; /* of the guest, in front of which the agent runs */
	bool nmi;     /* in the handler */
	bool done;    /* the handler has ended */
	bool finish;  /* the host has sent the vCPU into the agent's finish: behind the handler */
};

/* 0, or a negative errno and a sentence. */
int agent_create(struct pv_engine *e, char *why, uint64_t why_size);
void agent_destroy(struct pv_engine *e);
void agent_nmi_inject(struct pv_engine *e);
/* Runs the agent's handler in front of `rip` of the guest for as long as an NMI is pending. False: the host has sent the
 * vCPU elsewhere. */
bool agent_nmi_serve(struct pv_engine *e, uint64_t rip);
void agent_nmi_abandon(struct pv_engine *e);
/* PV_ENTER_AGENT: runs it until the host sends the vCPU elsewhere, or it fails. `rip` of the guest is in front. */
void agent_enter(struct pv_engine *e, uint64_t rip);

/* Of the agent's own engine. PV_HC_AGENT_IRET: */
void agent_end(struct pv_engine *agent);
/* For an exit of the agent's, at its `rip`: the run page, with the guest's counts. */
void agent_publish(struct pv_engine *agent, uint64_t rip);
/* The time since the last call was the guest's, in its kernel. */
void agent_settle_time(struct pv_engine *agent);

#endif
