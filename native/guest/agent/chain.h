/* SPDX-License-Identifier: GPL-2.0-only */
/* Call chains of the guest, by frame pointer. */
#ifndef AGENT_CHAIN_H
#define AGENT_CHAIN_H

#include "agent.h"
#include "guest_walk.h"

/*
 * Return addresses, innermost first, at most `max`: how many. A frame lies above the one that it
 * called, so the walk ends; it ends early at whatever cannot be a frame.
 */
uint32_t chain_walk(const struct guest_walk *walk, const struct pv_agent_frame *frame, uint64_t *chain, uint32_t max);

#endif
