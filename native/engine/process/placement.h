/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * On one core with its host thread, or on another one? A hand-over within a core is a context switch, 2 us whatever else
 * runs. To another core it is a tenth of that if both sides may poll, and fifty times as much if somebody else wants those
 * cores. So the vCPU tries, and times its hand-overs: a few of them in the other place, given up as soon as they
 * have taken longer than as many where it is; seldom, if that keeps coming out the same, and at once if they begin to take another time.
 */
#ifndef PV_PLACEMENT_H
#define PV_PLACEMENT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct placement {
	bool apart;   /* now */
	bool trying;  /* the other place than before */
	uint32_t skip; /* hand-overs that are not looked at: the first ones in a place */
	uint32_t seen; /* in this window */
	uint64_t spent, usual; /* ticks: of this window, and of one in the place that is kept */
	uint32_t windows, patience; /* since the last try, and between two */
};

/* The same, with the cores that are meant. */
struct cores {
	struct placement placement;
	int host; /* that of the host thread; negative: the vCPU runs wherever it is put */
	bool may_part;
	cpu_set_t others;
};

/* Pins the caller to that of its host thread. May it part from it, there being others? */
void cores_choose(struct cores *cores, int host, bool may_part);
/* A hand-over took so many ticks: where the vCPU runs from now on. True: not where it did. */
bool cores_note(struct cores *cores, uint64_t ticks);

void placement_init(struct placement *placement);
/* A hand-over took so many ticks, to the entry. True: the vCPU has to move to where `apart` says. */
bool placement_note(struct placement *placement, uint64_t ticks);

#endif
