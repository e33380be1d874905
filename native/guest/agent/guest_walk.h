/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest-virtual memory, by a walk through the guest's own page tables (SDM vol. 3, 4.5; four levels). */
#ifndef AGENT_GUEST_WALK_H
#define AGENT_GUEST_WALK_H

#include <stdbool.h>

#include "kvm_pv_perf.h"

struct guest_walk {
	uint64_t ram; /* where gpa 0 is mapped: 0 in the agent */
	uint64_t ram_size;
	uint64_t cr3;
};

/* Bits 63 to 47 are all the same. */
static inline bool address_is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* The gpa of a canonical address; false if it is not mapped. It may lie outside RAM. */
bool guest_translate(const struct guest_walk *walk, uint64_t address, gpa_t *ret);
/* The aligned word at a guest-virtual address; false if it cannot be read. Faults nowhere, whatever the tables say. */
bool guest_read(const struct guest_walk *walk, uint64_t address, uint64_t *ret);

#endif
