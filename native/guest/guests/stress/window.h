/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When an event has surely been enabled, and when at most, from who did what with it when: calls that met may have come
 * in either order. A vCPU knows exactly how far it was itself; of another one, between which of its moments on the common
 * clock it must have been.
 */
#ifndef STRESS_WINDOW_H
#define STRESS_WINDOW_H

#include "stress.h"

struct span {
	uint64_t least, most;
};

/* Before a step's call, behind it (when that took effect, or the guest looked), or when all is quiet. */
enum moment { BEFORE, BEHIND, AT_END };

/* The calls that changed when an event counts, of all vCPUs. */
struct acts {
	const struct attempt *attempt, *leader; /* leader NULL: it joined none */
	unsigned length;
	const struct step *act[GUEST_MAX_VCPUS * STEPS];
};

/* False: of this event nothing is known, since others had its id, or its leader's, in this round, too. */
bool acts_find(struct acts *acts, const struct attempt *attempt);
/* What it must have counted at that moment of a step's. */
struct span window_count(const struct acts *acts, enum moment moment, const struct step *step);
/* For how long it was enabled, in ticks of the time-stamp counter. */
struct span window_time(const struct acts *acts, enum moment moment, const struct step *step);
/* May it have been on the step's vCPU at some time since the vCPU's last moment: when that was called, or before? */
bool window_may_be_on(const struct acts *acts, const struct step *step, bool called);
/* Does this vCPU alone change when it counts? */
bool window_is_own(const struct acts *acts, uint32_t vcpu);
bool act_starts(const struct step *act);

#endif
