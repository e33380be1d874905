/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that is played leaves guest mode where the engine would: at an alarm. */
#ifndef EXPLORE_ALARM_H
#define EXPLORE_ALARM_H

#include <stdbool.h>

#include "abi/run_page.h"

static inline bool alarm_reached(const struct pv_run *run)
{
	for (uint64_t left = run->armed; left; left &= left - 1) {
		unsigned alarm = (unsigned)__builtin_ctzll(left), levels = alarm % PV_ALARM_LEVELS + 1;
		const uint64_t *count = run->count[alarm / PV_ALARM_LEVELS];
		uint64_t sum = (levels & 1 ? count[PV_CPL_KERNEL] : 0) + (levels & 2 ? count[PV_CPL_USER] : 0);

		if ((int64_t)(sum - run->alarm[alarm]) >= 0)
			return true;
	}
	return false;
}

#endif
