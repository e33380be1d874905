/* SPDX-License-Identifier: GPL-2.0-only */
#include "core_test.h"

static const struct named_test *const suites[] = {
	attr_tests,  op_tests,   pmu_tests,     overflow_tests, clock_tests, clock_queue_tests, design_tests, conserve_tests, sync_tests,
	open2_tests, group_tests, group_sample_tests, group_race_tests, agent_tests, quiet_tests, lies_tests,
	life_tests,  race_tests, hostile_tests, ring_tests,     trace_tests,  stress_tests,
};

void (*on_point)(const char *tag);

void test_point(const char *tag)
{
	if (on_point)
		on_point(tag);
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

int main(int argc, char **argv)
{
	return run_tests(suites, sizeof(suites) / sizeof(suites[0]), argc, argv);
}
