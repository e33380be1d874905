/* SPDX-License-Identifier: GPL-2.0-only */
#include "stress.h"

struct watched *all_watched[GUEST_MAX_VCPUS * OPS];
unsigned watched_count;

/* `begun` and `ended` tell who looks at the words meanwhile that overflows may be in neither place, or in both. */
static void take(struct watched *watched)
{
	int32_t *overflows = (int32_t *)watched + WATCHED_OVERFLOWS / sizeof(int32_t);

	if (!atomic_load(overflows))
		return;
	atomic_fetch_add(&watched->begun, 1u);
	atomic_fetch_add(&watched->taken, (uint64_t)(uint32_t)atomic_exchange(overflows, 0));
	atomic_fetch_add(&watched->ended, 1u);
}

void take_all(void)
{
	for (unsigned i = 0; i < watched_count; i++)
		take(all_watched[i]);
}

struct look look_at(const struct watched *watched)
{
	struct look look = { 0 };
	const uint64_t *event = watched->event;

	look.ended = look.begun = watched->ended;
	look.overflows = look.overflows_behind = (int32_t)(uint32_t)event[1];
	look.sequence = look.sequence_behind = (uint32_t)(event[1] >> 32);
	look.count = event[0];
	memcpy(&look.time_enabled, &event[2], sizeof(watched->event) - 2 * sizeof(*event));
	look.taken = watched->taken;
	return look;
}
