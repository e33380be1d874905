/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The native stress: the host core alone, a thread for each vCPU, with real locks and with noise. Machines, programs,
 * oracles and verdicts are the explorer's. In rounds: every vCPU runs its program, all come to rest, and what has to
 * hold then is looked at. After a violation the machine is broken and its threads may be stuck: the process that
 * called has nothing left to do but to tell and to end.
 */
#ifndef STRESS_H
#define STRESS_H

#include "explore/play/explore.h"

enum { STRESS_VCPUS = EXPLORE_VCPUS };

struct stress_amount {
	uint64_t seed;
	uint64_t first, count;  /* rounds */
	uint64_t deadline_ns;   /* of CLOCK_MONOTONIC, at which no other round begins; 0: none */
	uint64_t patience_ns;   /* a round that takes longer hangs */
	uint32_t noise_permille; /* of the points of synchronisation */
	/* How often a round plays the program without coming to rest, its results one history; 0: once, and all
	 * oracles. */
	uint32_t passes;
};

struct stress_totals {
	uint64_t rounds;
	uint64_t operations, refused; /* hypercalls that returned, and of those the ones with an error */
	uint64_t raised, delivered, dropped;
	uint64_t nmis, nmi_misses, failed_syncs;
	uint64_t ended; /* rounds in which a fault that was injected ended the VM, as it should */
	uint64_t full;  /* rounds in which as many events were open as may be */
	/* Of rounds with passes: the time that their histories took to be checked, in how many states at once the
	 * object may have been at most, and the histories of which nothing can be said, since too much ran at once
	 * or there was no memory. */
	uint64_t checked_ns, widest, unknown;
};

/* 0, or a negative errno with a reason. */
int stress_create(const struct explore_machine *machine, char *why, uint64_t why_size);
void stress_destroy(void);
/* Its specification is set by explore_specification_set(). */
int stress_program_set(const struct explore_program *program);
/* Runs rounds until one violates an oracle, all are done, or time is over; adds to *totals. The verdict's `index` is
 * the last round's. */
void stress_run(const struct stress_amount *amount, struct stress_totals *totals, struct explore_verdict *verdict);
/* Judges a history that was not played: results of the program's operations, and the number of times of which they tell.
 * The returned value is linearize_check()'s. */
uint32_t stress_judge_history(struct explore_result *results, uint32_t count, uint32_t clock,
			      struct explore_verdict *verdict);

#endif
