/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long something was the case that can begin and end while its vCPU is in host mode alone: the moments are not
 * known, but for those between which they lie.
 */
#ifndef EXPLORE_STRETCH_H
#define EXPLORE_STRETCH_H

#include <stdbool.h>
#include <stdint.h>

/* All in ns of the VM's clock. */
struct stretch {
	uint64_t least, most; /* until `since` */
	uint64_t since;
	bool on;       /* at `since` */
	bool doubtful; /* since then the vCPU is in host mode */
};

/* Its vCPU leaves guest mode. */
static inline void stretch_leave(struct stretch *stretch, uint64_t now)
{
	uint64_t took = stretch->on ? now - stretch->since : 0;

	stretch->least += took;
	stretch->most += took;
	stretch->since = now;
	stretch->doubtful = true;
}

/* Where it was not seen on, it may be on since `left`; but not since before it was seen to be off. */
static inline uint64_t stretch_most(const struct stretch *stretch, uint64_t now, uint64_t left)
{
	return stretch->most + now - (stretch->on || left < stretch->since ? stretch->since : left);
}

/* A vCPU enters guest mode with it on or off; `same`: it was on all the time. */
static inline void stretch_enter(struct stretch *stretch, uint64_t now, uint64_t left, bool on, bool same)
{
	if (stretch->on && same)
		stretch->least += now - stretch->since;
	if (stretch->on || on)
		stretch->most = stretch_most(stretch, now, left);
	stretch->since = now;
	stretch->on = on;
	stretch->doubtful = false;
}

/* It is off now. */
static inline void stretch_stop(struct stretch *stretch, uint64_t now, uint64_t left)
{
	stretch->most = stretch_most(stretch, now, left);
	stretch->since = now;
	stretch->on = false;
}

static inline uint64_t stretch_least(const struct stretch *stretch, uint64_t now)
{
	return stretch->least + (stretch->on && !stretch->doubtful ? now - stretch->since : 0);
}

#endif
