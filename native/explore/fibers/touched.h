/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who touched which word of the machine, in any schedule of this program: what one fiber alone
 * touches, or none changes, may be touched at any time. A search that is reduced goes by that.
 */
#ifndef EXPLORE_TOUCHED_H
#define EXPLORE_TOUCHED_H

#include "explore/fibers/schedule.h"

/* Another program: nothing is known. */
void touched_forget(void);
/* Notes where it stands. Does nobody else care when this step is taken? If that turns out
 * wrong, schedule.grown says so, and the search begins anew. */
bool touched_by_one(const struct fiber *self);
/* Does a step of this kind change its object? */
bool touched_changes(uint8_t kind);
/* Do the two operations conflict: the same object, and one changes it? */
bool touched_conflict(const struct fiber *a, const struct fiber *b);

#endif
