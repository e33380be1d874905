/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/process/placement.h"

enum {
	WINDOW = 32,       /* hand-overs that are timed together */
	SKIP = 8,
	LEAST_PATIENCE = 16, /* windows */
	MOST_PATIENCE = 2048,
	ODD = 8,           /* times as long as others: this much of it is looked at, as it may be chance */
};

void placement_init(struct placement *placement)
{
	*placement = (struct placement){ .patience = LEAST_PATIENCE, .windows = LEAST_PATIENCE - 1, .skip = SKIP };
}

static void begin_window(struct placement *placement)
{
	placement->seen = 0;
	placement->spent = 0;
}

static bool move(struct placement *placement)
{
	placement->apart = !placement->apart;
	placement->skip = SKIP;
	begin_window(placement);
	return true;
}

static bool lost(struct placement *placement)
{
	placement->trying = false;
	placement->patience = placement->patience < MOST_PATIENCE ? 2 * placement->patience : MOST_PATIENCE;
	placement->windows = 0;
	return move(placement);
}

/* A quarter better is better: less may be chance. */
static bool is_won(const struct placement *placement)
{
	return placement->spent < placement->usual - placement->usual / 4;
}

static bool end_try(struct placement *placement)
{
	if (!is_won(placement))
		return lost(placement);
	placement->trying = false;
	placement->usual = placement->spent;
	placement->patience = LEAST_PATIENCE;
	placement->windows = 0;
	begin_window(placement);
	return false;
}

bool placement_note(struct placement *placement, uint64_t ticks)
{
	bool differs;

	if (placement->skip) {
		placement->skip--;
		return false;
	}
	if (placement->usual && ticks > ODD * placement->usual / WINDOW)
		ticks = ODD * placement->usual / WINDOW;
	placement->spent += ticks;
	if (placement->trying && placement->spent >= placement->usual)
		return lost(placement);
	if (++placement->seen < WINDOW)
		return false;
	if (placement->trying)
		return end_try(placement);
	differs = placement->spent > 2 * placement->usual || placement->spent < placement->usual / 2;
	placement->usual = placement->usual ? placement->usual - placement->usual / 4 + placement->spent / 4 : placement->spent;
	begin_window(placement);
	if (++placement->windows < placement->patience && !differs)
		return false;
	placement->trying = true;
	return move(placement);
}

/* All of it is a hint: without, only slower. */
static void pin(const struct cores *cores)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cores->host, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void cores_choose(struct cores *cores, int host, bool may_part)
{
	cores->host = host;
	if (host < 0)
		return;
	if (may_part) {
		sched_getaffinity(0, sizeof(cores->others), &cores->others);
		CPU_CLR((unsigned)host, &cores->others);
		cores->may_part = CPU_COUNT(&cores->others) > 0;
	}
	placement_init(&cores->placement);
	pin(cores);
}

bool cores_note(struct cores *cores, uint64_t ticks)
{
	if (!cores->may_part || !placement_note(&cores->placement, ticks))
		return false;
	if (cores->placement.apart)
		sched_setaffinity(0, sizeof(cores->others), &cores->others);
	else
		pin(cores);
	return true;
}
