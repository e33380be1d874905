/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "explore/fibers/schedule.h"

static bool says_one_of(const char *text, const char *const signs[])
{
	for (; *signs; signs++)
		if (strstr(text, *signs))
			return true;
	return false;
}

/* What concerns locks comes from real threads alone; the scheduler of fibers sees to its own. */
enum explore_oracle panic_oracle(const char *text)
{
	static const char *const of_memory[] = { "freed", "no host event", "null pointer", "overflow_events[",
						 "wild access", NULL };
	static const char *const of_locks[] = { " lock", "holds", "wrong order", "NMI", NULL };

	if (says_one_of(text, of_memory))
		return EXPLORE_MEMORY;
	return says_one_of(text, of_locks) ? EXPLORE_LOCKS : EXPLORE_REFERENCES;
}
