/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_test [--list | NAME...]: all tests, or those named. */
#include "agent_test.h"

static const struct named_test tests[] = {
	{ "ring_wraps", test_ring_wraps, false },
	{ "ring_full", test_ring_full, false },
	{ "ring_hostile", test_ring_hostile, false },
	{ "ring_race", test_ring_race, false },
	{ "walk_sizes", test_walk_sizes, false },
	{ "walk_limits", test_walk_limits, false },
	{ "walk_hostile", test_walk_hostile, false },
	{ "chain_frames", test_chain_frames, false },
	{ "chain_ends", test_chain_ends, false },
	{ "chain_hostile", test_chain_hostile, false },
	{ "nmi_sample", test_nmi_sample, false },
	{ "nmi_without_ring", test_nmi_without_ring, false },
	{ "nmi_periods_add_up", test_nmi_periods_add_up, false },
	{ NULL, NULL, false },
};

uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int main(int argc, char **argv)
{
	const struct named_test *const suites[] = { tests };

	return run_tests(suites, 1, argc, argv);
}
