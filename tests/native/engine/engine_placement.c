/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a vCPU runs, when hand-overs take what the test says. */
#include "engine_test.h"

#include "engine/process/placement.h"

enum { MANY = 400000 };

struct costs {
	uint64_t together, apart;
	unsigned odd; /* one in so many is `slow`, in either place; 0: none */
	uint64_t slow;
};

static const struct costs idle = { 7000, 1500, 0, 0 }, busy = { 70000, 480000, 0, 0 },
			  noisy = { 7000, 1500, 1500, 900000 }, noisy_and_busy = { 70000, 480000, 1500, 9000000 },
			  equal = { 7000, 7000, 0, 0 };

/* So many hand-overs: what they took, of what they would have taken in the better place, in percent. */
static uint64_t play(struct placement *placement, const struct costs *costs, unsigned n)
{
	uint64_t took = 0, together = 0, apart = 0;

	for (unsigned i = 1; i <= n; i++) {
		uint64_t odd = costs->odd && i % costs->odd == 0 ? costs->slow : 0;
		uint64_t ticks = (placement->apart ? costs->apart : costs->together) + odd;

		together += costs->together + odd;
		apart += costs->apart + odd;
		took += ticks;
		placement_note(placement, ticks);
	}
	return took * 100 / (together < apart ? together : apart);
}

static void place_is_the_better(void)
{
	static const struct costs *const all[] = { &idle, &busy, &noisy, &noisy_and_busy, &equal };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct placement placement;

		placement_init(&placement);
		CHECK(play(&placement, all[i], MANY) <= 103);
		CHECK_EQ(placement.apart, all[i]->apart < all[i]->together);
	}
}

/* However long it was the other one. */
static void place_follows(void)
{
	struct placement placement;

	placement_init(&placement);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(play(&placement, &idle, MANY) <= 110);
		CHECK(placement.apart);
		CHECK(play(&placement, &busy, MANY) <= 110);
		CHECK(!placement.apart);
	}
}

const struct named_test place_tests[] = {
	{ "place_is_the_better", place_is_the_better, false },
	{ "place_follows", place_follows, false },
	{ 0 },
};
