/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_AGENT_H
#define ENGINE_AGENT_H

#include "engine_test.h"

enum { ALL_LEVELS = 3 };
enum { NMIS = GUEST_DATA + 0x800, LANDED = GUEST_DATA + 0x808, AGENT_NMIS = AGENT_DATA, AGENT_SAW = AGENT_DATA + 16 };

/* Where the guest is, and what the agent is to be told of it. */
void check_frame(struct vcpu *vcpu, uint64_t rip, uint32_t cpl);

#endif
