/* SPDX-License-Identifier: GPL-2.0-only */
#include "core_test.h"

#include <stdio.h>
#include <string.h>

static const struct core_test *const suites[] = {
	attr_tests,  op_tests,   pmu_tests,     overflow_tests, clock_tests, clock_queue_tests, design_tests, conserve_tests, sync_tests,
	open2_tests, group_tests, group_sample_tests, group_race_tests, agent_tests, quiet_tests, lies_tests,
	life_tests,  race_tests, hostile_tests, ring_tests,     trace_tests,  stress_tests,
};
static long failed_checks;

void (*on_point)(const char *tag);

void test_point(const char *tag)
{
	if (on_point)
		on_point(tag);
}

void check_failed(const char *file, int line, const char *what, long long a, long long b)
{
	if (__atomic_add_fetch(&failed_checks, 1, __ATOMIC_SEQ_CST) > 50)
		return;
	fprintf(stderr, "%s:%d: %s: %lld, %lld\n", file, line, what, a, b);
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

static bool wanted(const struct core_test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc == 1 && !test->slow;
}

static bool run(const struct core_test *test)
{
	long before = failed_checks;

	test->run();
	printf("%s: %s\n", failed_checks == before ? "PASS" : "FAIL", test->name);
	fflush(stdout);
	return failed_checks == before;
}

int main(int argc, char **argv)
{
	bool list = argc == 2 && !strcmp(argv[1], "--list");
	int tests = 0, failures = 0;

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		for (const struct core_test *test = suites[i]; test->name; test++) {
			if (list)
				printf("%s\n", test->name);
			if (!wanted(test, argc, argv))
				continue;
			tests++;
			failures += !run(test);
		}
	}
	if (list)
		return 0;
	printf("SUMMARY: %d tests, %d failures\n", tests, failures);
	return failures || !tests;
}
